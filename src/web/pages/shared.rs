//! Converts rows of mydb_admin to the views shared by several pages.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::jobs::{Job, JobStatus, JobStep, StepStatus, listing};
use crate::admin_db::templates::versions;
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::duration::{duration_text, seconds_text};
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;
use crate::domain::version::parts as version_parts;
use crate::jobs::registry;
use crate::web::urls;
use crate::web::views::elements::format::{Ending, count_text};
use crate::web::views::elements::parts::{EngineCard, JobRow, merge_equal};
use crate::web::views::elements::steps::{FailureView, Progress, StepView, Steps};
use crate::web::views::home::DatabaseRow;
use crate::web::views::{ActionButton, Chip, Link, Moment, Size};

/// Shown for an unavailable image; the reason, as reported by the registry, is for administrators.
pub const NOT_AVAILABLE: &str = "currently unavailable";

/// The version reported by the server, without the suffix of its packager: rows written before the probe removed it
/// still contain the suffix.
fn said_version(c: &Container) -> Option<&str> {
    c.server_version.as_deref()?.split_whitespace().next()?.split("-MariaDB").next()
}

/// The displayed version: as reported by the server, or the catalog's before its first start.
pub fn version(app: &App, c: &Container) -> String {
    let known = app.catalog.find(&c.image).map(|i| i.version.as_str());
    said_version(c).or(known).unwrap_or_default().to_owned()
}

/// The displayed state of a container: an active job takes precedence over the state itself.
pub fn chip(c: &Container) -> Chip {
    if c.maintenance_note.is_some() {
        return Chip::of("maintenance");
    }
    match c.active_kind() {
        Some(JobKind::Create | JobKind::Load | JobKind::LoadStopped | JobKind::Start | JobKind::Undelete) => {
            Chip::of("starting")
        }
        Some(JobKind::Stop) => Chip::of("stopping"),
        Some(JobKind::Restart | JobKind::Resize) => Chip::of("restarting"),
        Some(JobKind::Delete) => Chip::of("deleting"),
        Some(JobKind::Purge) => Chip::of("purging"),
        _ => Chip::of(c.state.as_str()),
    }
}

fn size(bytes: i64) -> Size {
    Size::new(u64::try_from(bytes).unwrap_or(0))
}

/// A row in a list of databases.
pub fn database_row(c: &Container, now: DateTime<Utc>) -> DatabaseRow {
    let tag = c.image.rsplit(':').next().unwrap_or_default();
    DatabaseRow {
        name: c.name.clone(),
        href: urls::database(&c.name),
        description: c.description.clone(),
        engine: c.engine.to_string(),
        engine_label: c.engine.label().to_owned(),
        version: said_version(c).unwrap_or(tag).to_owned(),
        chip: chip(c),
        size: c.size_bytes.map(size),
        created: Moment::new(c.created_at, now),
        owner: c.owner.clone(),
        address: c.ports.first().map(|(_, port)| format!(":{port}")),
        expires: c
            .expires_at
            .filter(|_| !matches!(c.state, ContainerState::Trashed | ContainerState::Purged))
            .map(|at| Ending::new(at, now)),
        safety: None,
        sparkline: String::new(),
    }
}

/// A measured size, for details.
pub fn size_of(bytes: Option<i64>) -> Option<Size> {
    bytes.map(size)
}

/// The title of a job, for people.
pub fn job_title(kind: &str) -> &str {
    registry::flow(kind).map_or(kind, |f| f.title)
}

/// A duration.
pub fn took(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<String> {
    let milliseconds = (to? - from?).num_milliseconds();
    Some(duration_text(u64::try_from(milliseconds).unwrap_or(0)))
}

/// A row in a list of jobs.
pub fn job_row(job: &Job, container: Option<&str>, now: DateTime<Utc>) -> JobRow {
    let note = match (&job.error, job.attempt) {
        (Some(error), _) => Some(short_reason::line(error)),
        (None, n) if n > 1 => Some(format!("attempt {n}")),
        _ => None,
    };
    JobRow {
        href: urls::job(job.id),
        kind: job_title(&job.kind).to_owned(),
        container: container.map(|name| Link::new(name, urls::database(name))),
        chip: Chip::of_job(job.status.as_str()),
        when: Moment::new(job.created_at, now),
        took: took(job.started_at, job.finished_at),
        note,
        repeats: None,
    }
}

/// A list of jobs, the newest first, in which equal failures are one row with their number.
pub fn collapsed(rows: impl IntoIterator<Item = JobRow>) -> Vec<JobRow> {
    let equal = |a: &JobRow, b: &JobRow| {
        a.chip.kind == "fail" && (&a.chip, &a.kind, &a.container, &a.note) == (&b.chip, &b.kind, &b.container, &b.note)
    };
    merge_equal(rows, equal, (|row| row.when.clone(), |row| &mut row.repeats))
}

/// The steps of a database's running job.
pub async fn steps_of(
    db: &mut PgConnection,
    c: &Container,
    job: &Job,
    now: DateTime<Utc>,
) -> Result<Steps, sqlx::Error> {
    let rows = jobs::steps(&mut *db, job.id).await?;
    let durations = Durations::read(db, job, Some(c)).await?;
    Ok(steps(job, &rows, &c.name, durations, now))
}

/// How long a job takes, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Durations {
    /// Usually, for the image.
    usual: Option<f64>,
    /// The last time, for the database or the template.
    last: Option<f64>,
}

impl Durations {
    /// Reads both for a job that has not ended. Jobs without a container have a last time if they import a template.
    pub async fn read(db: &mut PgConnection, job: &Job, c: Option<&Container>) -> Result<Self, sqlx::Error> {
        if job.status.is_final() {
            return Ok(Self::default());
        }
        let Some(c) = c else {
            return Ok(Self { usual: None, last: versions::last_seconds(db, job.id).await? });
        };
        let usual = listing::usual_seconds(&mut *db, &job.kind, &c.image).await?;
        let last = match job.kind() {
            Some(kind) => listing::last_seconds(db, kind, c.id).await?,
            None => None,
        };
        Ok(Self { usual, last })
    }
}

/// The steps of a job, as shown on its page and on the page of its database.
pub fn steps(job: &Job, rows: &[JobStep], name: &str, durations: Durations, now: DateTime<Utc>) -> Steps {
    let over = job.status.is_final();
    let running = job.started_at.filter(|_| job.status == JobStatus::Running);
    let progress = running.zip(durations.last).and_then(|(at, last)| Progress::new((now - at).as_seconds_f64(), last));
    let pace = match (took(job.started_at, job.finished_at), durations.usual) {
        (Some(took), _) => Some(format!("took {took}")),
        (None, Some(seconds)) => Some(format!("usually {}", seconds_text(seconds))),
        _ => None,
    };
    let view = |s: &JobStep| StepView {
        label: s.name.clone(),
        state: match s.status {
            StepStatus::Pending => "todo",
            StepStatus::Running => "doing",
            StepStatus::Done => "done",
            StepStatus::Failed => "failed",
            StepStatus::Undone => "undone",
        }
        .to_owned(),
        // The reason of a failed job is above its steps.
        detail: Some(short_reason::line(&s.detail))
            .filter(|d| !d.is_empty())
            .filter(|_| s.status != StepStatus::Failed || job.status != JobStatus::Failed),
        took: took(s.started_at, s.finished_at),
    };
    Steps {
        title: format!("{}: {name}", job_title(&job.kind)),
        href: urls::job(job.id),
        events: (!over).then(|| urls::job_events(job.id)),
        done: over,
        started: job.started_at.map(|at| Moment::new(at, now)),
        pace,
        progress,
        steps: rows.iter().map(view).collect(),
        failure: (job.status == JobStatus::Failed).then(|| {
            let step = rows.iter().find(|s| s.status == StepStatus::Failed).map(|s| s.name.clone());
            failure(&step.unwrap_or_default(), job.error.as_deref().unwrap_or_default(), "", Vec::new())
        }),
    }
}

/// A failure: the cause is shown as a sentence, followed by the whole message if that says more.
pub fn failure(step: &str, reason: &str, advice: &str, actions: Vec<ActionButton>) -> FailureView {
    let sentence = short_reason::line(reason);
    // Without what the sentence already says at the beginning.
    let rest = reason.trim().strip_prefix(&sentence).unwrap_or(reason).trim();
    FailureView {
        step: step.to_owned(),
        detail: Some(rest.to_owned()).filter(|r| !r.is_empty()),
        reason: sentence,
        advice: advice.to_owned(),
        actions,
    }
}

/// What to do about a failed container.
pub fn failed_advice(c: &Container) -> &'static str {
    match c.state {
        ContainerState::Failed if c.started_at.is_none() => {
            "Everything was cleaned up. Try again, or delete the database and choose other settings."
        }
        _ => "Your data is unchanged. Try to start the database again. If that fails too, ask an administrator.",
    }
}

/// The available engines, one card each.
pub fn engine_cards(app: &App, selected: Option<EngineKind>) -> Vec<EngineCard> {
    let card = |engine: EngineKind| {
        let images: Vec<_> = app.catalog.of(engine).collect();
        let usable = |i: &&&CatalogImage| app.images.get(&i.image).unavailable().is_none();
        let mut versions: Vec<_> = images.iter().filter(usable).map(|i| i.version.as_str()).collect();
        // Newest first.
        versions.sort_unstable_by_key(|v| std::cmp::Reverse(version_parts(v)));
        EngineCard {
            engine: engine.to_string(),
            label: engine.label().to_owned(),
            tagline: engine.tagline().to_owned(),
            unavailable: versions.is_empty().then(|| NOT_AVAILABLE.to_owned()),
            versions: versions.join(", "),
            href: format!("/containers/new?engine={engine}"),
            selected: selected == Some(engine),
        }
    };
    app.catalog.engines().into_iter().map(card).collect()
}

/// "12 databases", with a note if there are more.
pub fn summary(shown: usize, more: bool) -> String {
    let text = count_text(shown as u64, "database", "databases");
    if more { format!("{text} on this page") } else { text }
}

/// A cursor in a list sorted by time: microseconds and id.
pub fn cursor(at: DateTime<Utc>, id: uuid::Uuid) -> String {
    format!("{}-{id}", at.timestamp_micros())
}

/// Parses the output of [`cursor`]; anything else means the first page.
pub fn parse_cursor(text: &str) -> Option<(DateTime<Utc>, uuid::Uuid)> {
    let (micros, id) = text.split_once('-')?;
    Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let mut versions = ["10.11", "11.8", "9", "11"];
        versions.sort_unstable_by_key(|v| std::cmp::Reverse(version_parts(v)));
        assert_eq!(versions, ["11.8", "11", "10.11", "9"]);
    }

    #[test]
    fn a_failure_states_its_cause_first_and_only_once() {
        let told = |reason: &str| {
            let f = failure("Start", reason, "", Vec::new());
            (f.reason, f.detail)
        };
        assert_eq!(told("The disk is full."), ("The disk is full.".to_owned(), None));
        assert_eq!(told("It ended.\nLast lines:\nx"), ("It ended.".to_owned(), Some("Last lines:\nx".to_owned())));
        let (cause, whole) = told("A command failed. Output: hm\nERROR: no space left");
        assert_eq!(cause, "A command failed. Output: ERROR: no space left");
        assert_eq!(whole.unwrap(), "A command failed. Output: hm\nERROR: no space left");
    }

    #[test]
    fn equal_failures_are_one_row_with_their_number() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let row = |minutes: i64, chip: &str, note: &str| JobRow {
            chip: Chip::of_job(chip),
            when: Moment::new(now - chrono::Duration::minutes(minutes), now),
            note: Some(note.to_owned()),
            ..JobRow::default()
        };
        let rows = collapsed([
            row(1, "failed", "no space"),
            row(2, "failed", "no space"),
            row(3, "failed", "no space"),
            row(4, "failed", "no network"),
            row(5, "succeeded", ""),
            row(6, "failed", "no space"),
            row(7, "succeeded", ""),
        ]);
        let told: Vec<_> = rows.iter().map(|r| r.repeats.as_ref().map(|r| (r.count, r.first.ago.clone()))).collect();
        assert_eq!(told, [Some((4, "6 min ago".to_owned())), None, None, None]);
    }

    #[test]
    fn cursors_round_trip_and_invalid_ones_mean_the_first_page() {
        let at = DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(parse_cursor(&cursor(at, id)), Some((at, id)));
        for rubbish in ["", "-", "1-2", "x-00000000-0000-0000-0000-000000000007", "1;drop"] {
            assert_eq!(parse_cursor(rubbish), None, "{rubbish}");
        }
    }
}
