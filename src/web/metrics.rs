//! `/metrics`, `/healthz`, `/readyz`: for machines that watch.

use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::Shared;
use crate::admin_db::backups::{audits, own};
use crate::admin_db::jobs::listing;
use crate::admin_db::{containers, jobs, notices, ping};
use crate::audit::Kind;

const META: Metadata<'static> = Metadata::new("db4sci", Level::INFO, None);

/// Counters and durations of this portal. Not global, so that several portals in one process don't mix.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
        let builder = PrometheusBuilder::new();
        // The only failure is an empty list of buckets, which this is not.
        let recorder = builder.set_buckets(&buckets).unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        let describe = |name: &'static str, text: &'static str| {
            recorder.describe_counter(KeyName::from(name), None, text.into());
        };
        describe("db4sci_http_requests_total", "Requests by method, route and status.");
        recorder.describe_histogram(
            KeyName::from("db4sci_http_request_seconds"),
            Some(metrics::Unit::Seconds),
            "Time from request to answer.".into(),
        );
        Self { recorder, handle }
    }
}

impl Metrics {
    /// Counts a request.
    pub fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let labels = vec![
            Label::new("method", method_label(method)),
            Label::new("route", route.to_owned()),
            Label::new("status", status.to_string()),
        ];
        let route = vec![Label::new("route", route.to_owned())];
        self.recorder.register_counter(&Key::from_parts("db4sci_http_requests_total", labels), &META).increment(1);
        self.recorder
            .register_histogram(&Key::from_parts("db4sci_http_request_seconds", route), &META)
            .record(took.as_secs_f64());
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>, value: f64) {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &META).set(value);
    }
}

/// The method as a label. Whatever else somebody makes up is one label together: each would be kept for ever.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::CONNECT, "CONNECT"),
        (Method::TRACE, "TRACE"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("other", |(_, label)| label)
}

/// `GET /metrics`: Prometheus text. Says what is true now; `db4sci_admin_db_up` is 0 while mydb_admin is away.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub async fn metrics(State(portal): State<Shared>) -> Response {
    let m = &portal.metrics;
    let counted = async {
        let mut db = portal.app.db.acquire().await?;
        let audit = audits::counts(&mut db).await?;
        let own = own::newest(&mut db, 1).await?.into_iter().next();
        let told = notices::counts(&mut db).await?;
        Ok::<_, sqlx::Error>((containers::counts(&mut db).await?, listing::counts(&mut db).await?, audit, own, told))
    };
    let counted = counted.await;
    m.gauge("db4sci_admin_db_up", Vec::new(), f64::from(u8::from(counted.is_ok())));
    if let Ok((states, queue, audit, own, told)) = counted {
        if let Some(own) = own {
            m.gauge("db4sci_admin_db_backup_timestamp_seconds", Vec::new(), own.made_at.timestamp() as f64);
            m.gauge("db4sci_admin_db_backup_has_keys", Vec::new(), f64::from(u8::from(own.keys)));
        }
        for kind in notices::Kind::ALL {
            let n = told.iter().find(|(k, _)| k == kind.as_str()).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_backup_troubles", vec![Label::new("kind", kind.as_str())], n as f64);
        }
        if let Some((at, counts)) = audit {
            m.gauge("db4sci_backup_audit_timestamp_seconds", Vec::new(), at.timestamp() as f64);
            for kind in Kind::ALL {
                let n = counts.get(&kind).copied().unwrap_or(0);
                m.gauge("db4sci_backup_audit_findings", vec![Label::new("kind", kind.as_str())], n as f64);
            }
        }
        for state in crate::domain::state::ContainerState::ALL {
            let n = states.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_containers", vec![Label::new("state", state.as_str())], n as f64);
        }
        for status in [jobs::JobStatus::Queued, jobs::JobStatus::Running] {
            let n = queue.iter().find(|(s, _)| *s == status).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_jobs", vec![Label::new("status", status.as_str())], n as f64);
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], m.handle.render()).into_response()
}

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: mydb_admin and the container engine answer too; otherwise 503 and which does not.
pub async fn readyz(State(portal): State<Shared>) -> Response {
    let database = async {
        let mut db = portal.app.db.acquire().await?;
        ping(&mut db).await
    };
    let engine = tokio::time::timeout(Duration::from_secs(3), portal.app.runtime.ping());
    let (database, engine) = tokio::join!(database, engine);
    let mut faults = Vec::new();
    if let Err(e) = database {
        faults.push(format!("mydb_admin does not answer: {e}"));
    }
    match engine {
        Ok(Ok(())) => {}
        Ok(Err(e)) => faults.push(e.to_string()),
        Err(_) => faults.push("the container engine does not answer within 3 s".to_owned()),
    }
    if faults.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", faults.join("\n"))).into_response()
    }
}
