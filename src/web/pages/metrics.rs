//! `/containers/{name}/metrics`: charts and contents of a database, as recorded by earlier measurements and scans. The
//! page does not query the server.

use axum::extract::{Path, Query};
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::admin_db::containers::samples::Sample;
use crate::admin_db::containers::surveys::LastSurvey;
use crate::admin_db::containers::{Container, samples, surveys};
use crate::domain::duration::duration_text;
use crate::domain::quantity::thousands;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::engine::{Survey, SurveyedDatabase, SurveyedObject};
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::container_head::head;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::elements::chart::{Chart, Unit};
use crate::web::views::elements::format::every_text;
use crate::web::views::metrics::{DatabaseContents, MetricsPage, ObjectRow};
use crate::web::views::{Fact, Link, Moment, Size};

/// The selected period.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetricsQuery {
    /// `hour`, `day`, `week` or `month`.
    pub range: String,
}

/// A period shown in charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    Month,
}

impl Period {
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its word in the URL.
    fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::hours(1),
            Self::Day => Duration::days(1),
            Self::Week => Duration::days(7),
            Self::Month => Duration::days(30),
        }
    }

    /// The longest time between two points of one line, if they are measured `every` so often. Older points are hourly,
    /// and later one every four hours; if the portal was down, there is a gap.
    fn gap(self, every: Duration) -> Duration {
        match self {
            Self::Hour | Self::Day => (every * 3).max(Duration::minutes(3)),
            Self::Week => Duration::minutes(150),
            Self::Month => Duration::hours(10),
        }
    }
}

/// `GET /containers/{name}/metrics`
pub async fn show(
    ctx: Context,
    Path(name): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let mut db = ctx.app().db.acquire().await?;
    let period = Period::ALL.into_iter().find(|p| p.as_str() == query.range).unwrap_or(Period::Day);
    let charts = charts(&ctx, &mut db, &c, period).await?;
    let look = surveys::get(&mut db, c.id).await?;
    drop(db);
    let now = ctx.now();
    let base = urls::database_page(&c.name, DatabasePage::Metrics);
    let seen = look.as_ref().and_then(|l| l.data.as_ref()).map(|d| &d.0);
    page(&MetricsPage {
        frame: ctx.frame_of(&c),
        head: head(&ctx, &c, Some(Tab::Metrics)),
        ranges: Period::ALL
            .map(|p| Link::new(p.label(), format!("{base}?range={}", p.as_str())).current(p == period))
            .to_vec(),
        charts,
        facts: seen.filter(|_| c.state == ContainerState::Running).map(facts).unwrap_or_default(),
        roles: seen.map(roles).unwrap_or_default(),
        databases: seen.map(|s| s.databases.iter().map(contents).collect()).unwrap_or_default(),
        seen: look.as_ref().and_then(|l| l.at).map(|at| Moment::new(at, now)),
        failed: look.as_ref().and_then(|l| failed(l, now)),
        every: every_text(ctx.app().config.jobs.survey.as_secs().div_ceil(60)),
    })
}

fn failed(look: &LastSurvey, now: DateTime<Utc>) -> Option<(Moment, String)> {
    Some((Moment::new(look.error_at?, now), look.error.clone()?))
}

/// The charts of a container. Those of a new one begin where it begins.
pub async fn charts(
    ctx: &Context,
    db: &mut PgConnection,
    c: &Container,
    period: Period,
) -> Result<Vec<Chart>, AppError> {
    let to = ctx.now();
    let from = (to - period.length()).max(c.created_at).min(to);
    let points = samples::since(db, c.id, from).await?;
    let gap = period.gap(Duration::from_std(ctx.app().config.jobs.survey).unwrap_or(Duration::minutes(5)));
    let value = |of: fn(&Sample) -> Option<i64>| -> Vec<(DateTime<Utc>, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
        points.iter().filter_map(|p| Some((p.at, of(p)? as f64))).collect()
    };
    let span = (from, to);
    let charts = vec![
        Chart::new("Size", Unit::Bytes, &value(|p| p.size_bytes), span, gap),
        Chart::new("Memory", Unit::Bytes, &value(|p| p.memory_bytes), span, gap),
        Chart::new("CPU cores", Unit::Cores, &cores(&points, gap), span, gap),
        Chart::new("Connections", Unit::Count, &value(|p| p.connections.map(i64::from)), span, gap),
    ];
    let running = c.state == ContainerState::Running;
    Ok(if running { charts } else { charts.into_iter().map(Chart::of_the_past).collect() })
}

/// Cores in use, calculated from the processor time between two points. A restart resets it.
fn cores(points: &[Sample], gap: Duration) -> Vec<(DateTime<Utc>, f64)> {
    let pairs = points.iter().zip(points.iter().skip(1));
    let rate = |(a, b): (&Sample, &Sample)| {
        let (used, span) = (b.cpu_us? - a.cpu_us?, b.at - a.at);
        #[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than what is lost")]
        (used >= 0 && span > Duration::zero() && span <= gap).then(|| (b.at, used as f64 / 1e6 / span.as_seconds_f64()))
    };
    pairs.filter_map(rate).collect()
}

/// What the server reported about itself in a scan.
pub fn facts(s: &Survey) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(up) = s.uptime_seconds {
        facts.push(Fact::text("Server uptime", duration_text(u64::try_from(up).unwrap_or(0) * 1000)));
    }
    match (s.connections, s.connections_max) {
        (Some(open), Some(most)) => facts.push(Fact::text("Connections", format!("{open} of {most}"))),
        (Some(open), None) => facts.push(Fact::text("Connections", open.to_string())),
        _ => {}
    }
    if let Some(hit) = s.cache_hit {
        facts.push(Fact::text("Cache hit rate", format!("{:.1} %", hit.clamp(0.0, 1.0) * 100.0)));
    }
    facts
}

fn roles(s: &Survey) -> Vec<String> {
    s.roles.iter().map(|r| if r.admin { format!("{} (administrator)", r.name) } else { r.name.clone() }).collect()
}

fn contents(d: &SurveyedDatabase) -> DatabaseContents {
    DatabaseContents { name: d.name.clone(), size: d.bytes.map(size), objects: d.objects.iter().map(object).collect() }
}

fn object(o: &SurveyedObject) -> ObjectRow {
    let rows = o.rows.map(|n| thousands(u64::try_from(n).unwrap_or(0)));
    ObjectRow {
        name: o.name.clone(),
        kind: o.kind.clone(),
        rows: rows.map(|n| if o.exact { n } else { format!("approx. {n}") }),
        size: o.bytes.map(size),
    }
}

fn size(bytes: i64) -> Size {
    Size::new(u64::try_from(bytes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_computed_between_points_and_reset_by_a_restart() {
        let at = |minute: i64| DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap();
        let point = |minute, cpu_us| Sample {
            at: at(minute),
            size_bytes: None,
            memory_bytes: None,
            cpu_us: Some(cpu_us),
            connections: None,
        };
        let points =
            [point(0, 0), point(1, 30_000_000), point(2, 5_000_000), point(3, 11_000_000), point(90, 12_000_000)];
        let rates = cores(&points, Duration::minutes(15));
        assert_eq!(rates, [(at(1), 0.5), (at(3), 0.1)]);
    }
}
