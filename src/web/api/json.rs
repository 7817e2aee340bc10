//! Containers and jobs as JSON. Field names are a contract (DESIGN.md §7), because scripts rely on them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs::{Job, JobStatus, JobStep, StepStatus};
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::state::ContainerState;
use crate::engine::Endpoint;
use crate::manifest::dump::LoadReport;
use crate::web::access::job_access::CancelOutlook;

/// A published port.
#[derive(Debug, Serialize)]
pub struct PortJson<'a> {
    name: &'a str,
    port: u16,
}

/// A container.
#[derive(Debug, Serialize)]
pub struct ContainerJson<'a> {
    name: &'a str,
    engine: EngineKind,
    image: &'a str,
    version: &'a str,
    state: ContainerState,
    host: String,
    ports: Vec<PortJson<'a>>,
    dbname: &'a str,
    dbuser: &'a str,
    url: Option<String>,
    owner: &'a str,
    contact: &'a str,
    department: &'a str,
    description: &'a str,
    backup_freq: &'a str,
    extensions: &'a [String],
    storage: &'a str,
    memory: i64,
    cpus: f64,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    server_version: Option<&'a str>,
    size_bytes: Option<i64>,
    started_at: Option<DateTime<Utc>>,
    purge_after: Option<DateTime<Utc>>,
    failed_reason: Option<&'a str>,
    maintenance: Option<&'a str>,
    job: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<LoadReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl<'a> ContainerJson<'a> {
    /// The JSON form of a container.
    pub fn new(app: &'a App, c: &'a Container) -> Self {
        let version = app.catalog.find(&c.image).map(|i| i.version.as_str());
        Self::at(app.config.databases.host_of(&c.name), version, c)
    }

    /// Adds the generated password, for the one response that delivers it.
    #[must_use]
    pub fn with_password(mut self, password: Option<&'a str>) -> Self {
        self.password = password;
        self
    }

    /// Adds the report on the loaded dump, for the response to the call that created the container.
    #[must_use]
    pub fn with_report(mut self, report: Option<LoadReport>) -> Self {
        self.report = report;
        self
    }

    /// `version` is from the catalog; for an image no longer in it, the version reported by the server is used.
    fn at(host: String, version: Option<&'a str>, c: &'a Container) -> Self {
        let endpoint = Endpoint { host: &host, ports: &c.ports, dbname: &c.dbname, dbuser: &c.dbuser };
        let url = (!c.ports.is_empty()).then(|| c.engine.engine().url(&endpoint, None));
        Self {
            name: &c.name,
            engine: c.engine,
            image: &c.image,
            version: version.or(c.server_version.as_deref()).unwrap_or_default(),
            state: c.state,
            host,
            ports: c.ports.iter().map(|(name, port)| PortJson { name, port: *port }).collect(),
            dbname: &c.dbname,
            dbuser: &c.dbuser,
            // A permanently deleted container has released its ports: there is nothing to connect to.
            url,
            owner: &c.owner,
            contact: &c.contact,
            department: &c.department,
            description: &c.description,
            backup_freq: &c.backup_freq,
            extensions: &c.extensions,
            storage: &c.storage,
            memory: c.memory_bytes,
            cpus: f64::from(c.millicpus) / 1000.0,
            created_at: c.created_at,
            expires_at: c.expires_at,
            server_version: c.server_version.as_deref(),
            size_bytes: c.size_bytes,
            started_at: c.started_at,
            purge_after: c.purge_after,
            failed_reason: c.failed_reason.as_deref(),
            maintenance: c.maintenance_note.as_deref(),
            job: c.active_job_id,
            report: None,
            password: None,
        }
    }
}

/// A step of a job.
#[derive(Debug, Serialize)]
pub struct StepJson<'a> {
    name: &'a str,
    status: StepStatus,
    detail: &'a str,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// A job.
#[derive(Debug, Serialize)]
pub struct JobJson<'a> {
    id: Uuid,
    kind: &'a str,
    container: Option<&'a str>,
    status: JobStatus,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    error: Option<&'a str>,
    attempt: i32,
    cancellable: bool,
    deadline: Option<DateTime<Utc>>,
    steps: Vec<StepJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<LoadReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl<'a> JobJson<'a> {
    /// The JSON form of a job.
    pub fn new(job: &'a Job, container: Option<&'a str>, steps: &'a [JobStep], outlook: CancelOutlook) -> Self {
        let step = |s: &'a JobStep| StepJson {
            name: &s.name,
            status: s.status,
            detail: &s.detail,
            started_at: s.started_at,
            finished_at: s.finished_at,
        };
        Self {
            id: job.id,
            kind: &job.kind,
            container,
            status: job.status,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            error: job.error.as_deref(),
            attempt: job.attempt,
            cancellable: outlook.cancellable,
            deadline: outlook.deadline,
            steps: steps.iter().map(step).collect(),
            report: None,
            password: None,
        }
    }

    /// Adds the report on the dump it loaded.
    #[must_use]
    pub fn with_report(mut self, report: Option<LoadReport>) -> Self {
        self.report = report;
        self
    }

    /// Adds the generated password, for the one response that delivers it.
    #[must_use]
    pub fn with_password(mut self, password: Option<&'a str>) -> Self {
        self.password = password;
        self
    }
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct ListJson<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// A JSON response. It must not be cached: it may contain a password, and it applies only to this moment.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Like [`answer`], with a `Location` header.
pub fn answer_at(status: StatusCode, location: &str, body: &impl Serialize) -> Response {
    let mut response = answer(status, body);
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use sqlx::types::Json as Column;

    use super::*;
    use crate::provision::edit::tests::container;

    #[test]
    fn a_container_has_the_fields_of_the_contract() {
        let c = container();
        let json = ContainerJson::at("db.example.org".to_owned(), Some("17"), &c);
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn a_password_is_there_only_when_given_and_an_unknown_image_has_the_servers_version() {
        let c = container();
        let json = ContainerJson::at("h".to_owned(), None, &c).with_password(Some("x"));
        let value = serde_json::to_value(&json).unwrap();
        assert_eq!((value["password"].as_str(), value["version"].as_str()), (Some("x"), Some("17.6")));
        assert!(!value["url"].as_str().unwrap().contains(":x@"));
        let c = Container { ports: Column(Vec::new()), ..c };
        assert!(serde_json::to_value(ContainerJson::at("h".to_owned(), None, &c)).unwrap()["url"].is_null());
    }

    #[test]
    fn a_job_has_the_fields_of_the_contract() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let job = Job {
            id: Uuid::from_u128(3),
            kind: "stop".to_owned(),
            container_id: Some(Uuid::from_u128(1)),
            payload: serde_json::json!({ "address": "10.0.0.1" }),
            status: JobStatus::Running,
            attempt: 1,
            max_attempts: 5,
            run_at: at,
            created_by: "ada".to_owned(),
            created_at: at,
            started_at: Some(at),
            finished_at: None,
            error: None,
        };
        let step = JobStep {
            seq: 1,
            name: "Stop the server".to_owned(),
            status: StepStatus::Running,
            detail: String::new(),
            started_at: Some(at),
            finished_at: None,
        };
        let steps = [step];
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&JobJson::new(&job, Some("lab-1"), &steps, CancelOutlook::default())).unwrap()
        );
    }
}
