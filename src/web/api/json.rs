//! Containers and jobs as JSON. Field names are a contract (docs/API.md), because scripts rely on them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Port)]
pub struct PortJson<'a> {
    /// What the port is for.
    name: &'a str,
    /// Port on the host.
    port: u16,
}

/// A container.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Container)]
pub struct ContainerJson<'a> {
    /// Its name.
    name: &'a str,
    /// `postgres`, `mariadb`, `mongodb` or `neo4j`.
    #[schema(value_type = String)]
    engine: EngineKind,
    /// Reference of its image in the catalog.
    image: &'a str,
    /// Version of the image.
    version: &'a str,
    /// `requested`, `provisioning`, `running`, `stopped`, `failed`, `deleting`, `trashed` or `purged`.
    #[schema(value_type = String)]
    state: ContainerState,
    /// Host to connect to.
    host: String,
    /// Published ports: `postgres`, `mariadb` or `mongodb`; `bolt` and `http` for Neo4j.
    ports: Vec<PortJson<'a>>,
    /// Name of the database in the server.
    dbname: &'a str,
    /// Database user.
    dbuser: &'a str,
    /// Connection URL without the password; `null` after permanent deletion.
    url: Option<String>,
    /// User name of its owner.
    owner: &'a str,
    /// Contact.
    contact: &'a str,
    /// Department.
    department: &'a str,
    /// Description.
    description: &'a str,
    /// `Daily`, `Weekly`, `Never`, or a cron expression.
    backup_freq: &'a str,
    /// Extensions that were requested (PostgreSQL).
    extensions: &'a [String],
    /// Storage tier.
    storage: &'a str,
    /// Memory limit in bytes.
    memory: i64,
    /// Number of cores it may use.
    cpus: f64,
    /// Cores that were requested: a list such as `0,2-3`, or `auto:2`; `null` for all.
    cpuset: Option<&'a str>,
    /// Cores of the server while it runs.
    cpuset_assigned: Option<&'a str>,
    /// How often it exceeded its memory limit.
    oom_kills: i64,
    /// When it last did.
    oom_killed_at: Option<DateTime<Utc>>,
    /// When it was requested.
    created_at: DateTime<Utc>,
    /// When it expires; `null`: never.
    expires_at: Option<DateTime<Utc>>,
    /// Version that the server reported.
    server_version: Option<&'a str>,
    /// Size of its data, as last measured.
    size_bytes: Option<i64>,
    /// When its server last started.
    started_at: Option<DateTime<Utc>>,
    /// Database it was cloned from, if it is a clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    clone_of: Option<&'a str>,
    /// Moment of the data of a clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
    /// When a database in the trash will be deleted permanently.
    purge_after: Option<DateTime<Utc>>,
    /// Why it is in state `failed`.
    failed_reason: Option<&'a str>,
    /// An administrator's note while it is in maintenance.
    maintenance: Option<&'a str>,
    /// The running job.
    job: Option<Uuid>,
    /// What was loaded, when the request created it from a dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    report: Option<LoadReport>,
    /// The generated password. It is returned once.
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
            cpuset: c.cpuset.as_deref(),
            cpuset_assigned: c.cpuset_assigned.as_deref(),
            oom_kills: c.oom_kills,
            oom_killed_at: c.oom_killed_at,
            created_at: c.created_at,
            expires_at: c.expires_at,
            server_version: c.server_version.as_deref(),
            size_bytes: c.size_bytes,
            started_at: c.started_at,
            clone_of: c.source.as_deref().filter(|_| c.shows_source()),
            as_of: c.cloned_at.filter(|_| c.shows_source()),
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
pub struct StepJson<'a> {
    /// What it does.
    name: &'a str,
    /// `pending`, `running`, `done`, `failed` or `undone`.
    #[schema(value_type = String)]
    status: StepStatus,
    /// Progress, or the reason of a failure.
    detail: &'a str,
    /// When it started.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobJson<'a> {
    /// Its id.
    id: Uuid,
    /// What it does, such as `create` or `backup`.
    kind: &'a str,
    /// Name of the database it works on.
    container: Option<&'a str>,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    status: JobStatus,
    /// When it was requested.
    created_at: DateTime<Utc>,
    /// When it started.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    error: Option<&'a str>,
    /// Number of the current attempt.
    attempt: i32,
    /// Whether it can be cancelled now.
    cancellable: bool,
    /// When it will be given up.
    deadline: Option<DateTime<Utc>>,
    /// Its steps, in order.
    steps: Vec<StepJson<'a>>,
    /// What was loaded, if it loaded a dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    report: Option<LoadReport>,
    /// The generated password. It is returned once.
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
    use crate::admin_db::jobs::payload::JobPayload;
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
            payload: JobPayload { address: "10.0.0.1".to_owned(), ..JobPayload::default() },
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
