//! Calls of the API that wait for their job, however slow the machine is.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Client, PATIENCE, Reply};

/// The longest wait that the API offers, in seconds.
const LONGEST_WAIT: u32 = 300;

impl Client {
    /// Calls the API and waits until the job of the call has ended. The API answers 202 if the job takes longer than the
    /// longest wait; the reply is then made from the job and its object, so that callers see the same as on a fast machine.
    pub async fn outcome(&self, method: Method, path: &str, body: &Value) -> Reply {
        let sign = if path.contains('?') { '&' } else { '?' };
        let reply = self.json(method, &format!("{path}{sign}wait={LONGEST_WAIT}"), body).await;
        if reply.status != StatusCode::ACCEPTED {
            return reply;
        }
        let password = field(&reply.json(), "password");
        let job = self.ended_job(&reply.location).await;
        let succeeded = field(&job, "status") == "succeeded";
        let made = path.split('?').next().unwrap_or(path);
        let (object, failure) = match template(made, body) {
            Some(name) => (format!("/api/v1/templates/{name}"), StatusCode::UNPROCESSABLE_ENTITY),
            None => {
                let name = field(&job, "container");
                let name = name.as_str().unwrap_or_else(|| panic!("a job of a database: {job}"));
                (format!("/api/v1/containers/{name}"), StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        let is_template = object.starts_with("/api/v1/templates/");
        if !succeeded && !is_template {
            let body = json!({ "detail": field(&job, "error"), "job": job });
            return Reply { status: failure, body: body.to_string(), ..reply };
        }
        // A deleted database may be gone.
        let seen = self.get(&object).await;
        let mut shown = if seen.status == StatusCode::OK { seen.json() } else { json!({}) };
        if let Some(fields) = shown.as_object_mut() {
            let more = [("password", password), ("report", field(&job, "report"))];
            fields.extend(more.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)));
        }
        let status = match (succeeded, creates(made, body)) {
            (false, _) => failure,
            (true, true) => StatusCode::CREATED,
            (true, false) => StatusCode::OK,
        };
        Reply { status, body: shown.to_string(), ..reply }
    }

    /// The job at this address, as soon as it has ended.
    async fn ended_job(&self, address: &str) -> Value {
        let begin = Instant::now();
        loop {
            let job = self.get(address).await.expect(200).json();
            if !["queued", "running"].iter().any(|open| field(&job, "status") == *open) {
                return job;
            }
            assert!(begin.elapsed() < PATIENCE, "the job does not end: {job}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A field of an object; null if it has none.
fn field(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_default()
}

/// The template that a call creates or imports again.
fn template(path: &str, body: &Value) -> Option<String> {
    let rest = path.strip_prefix("/api/v1/templates")?;
    if let Some(name) = rest.strip_suffix("/refresh") {
        return Some(name.trim_start_matches('/').to_owned());
    }
    let given = body.get("name").and_then(Value::as_str).or_else(|| body.get("file")?.as_str()?.split('.').next());
    rest.is_empty().then(|| given.expect("a template has a name").to_owned())
}

/// Whether a call creates a database or a template.
fn creates(path: &str, body: &Value) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let restores = path.starts_with("/api/v1/backups/")
        && last == "restore"
        && body.get("in_place").is_none()
        && body.get("beside").is_none();
    restores || ["clone", "containers", "templates", "from-dump"].contains(&last)
}
