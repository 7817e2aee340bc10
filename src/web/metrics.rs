//! Counters and durations of requests, reported at `/metrics`.

use std::time::Duration;

use axum::http::Method;
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

const META: Metadata<'static> = Metadata::new("db4sci", Level::INFO, None);

/// Counters and durations of this portal. Not global, so that several portals in one process stay separate.
pub struct Metrics {
    recorder: PrometheusRecorder,
    pub(crate) handle: PrometheusHandle,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
        let builder = PrometheusBuilder::new();
        // Fails only for an empty list of buckets, and this list is not empty.
        let recorder = builder.set_buckets(&buckets).unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        let describe = |name: &'static str, text: &'static str| {
            recorder.describe_counter(KeyName::from(name), None, text.into());
        };
        describe("db4sci_http_requests_total", "Requests by method, route and status.");
        describe("db4sci_oom_kills_total", "How often a database exceeded its memory limit, by engine.");
        recorder.describe_histogram(
            KeyName::from("db4sci_http_request_seconds"),
            Some(metrics::Unit::Seconds),
            "Time from request to answer.".into(),
        );
        Self { recorder, handle }
    }
}

impl Metrics {
    /// Records a request.
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

    /// Sets a counter whose value is stored elsewhere.
    pub(crate) fn total(&self, name: &'static str, labels: Vec<Label>, value: i64) {
        let value = u64::try_from(value).unwrap_or_default();
        self.recorder.register_counter(&Key::from_parts(name, labels), &META).absolute(value);
    }

    pub(crate) fn gauge(&self, name: &'static str, labels: Vec<Label>, value: f64) {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &META).set(value);
    }
}

/// The method as a label. All unknown methods share one label, because each label is kept forever.
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
