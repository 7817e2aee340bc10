//! Table `container`, read together with its `state`, owner and ports.

pub mod copies;
pub mod cores;
pub mod credentials;
pub mod expiry;
pub mod input;
pub mod listing;
pub mod oom_kills;
pub mod ports;
pub mod record;
pub mod samples;
pub mod snapshots;
pub mod states;
pub mod surveys;
pub mod usage;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::backup_schedule::Policy;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::state::ContainerState;
use crate::domain::user::Subject;
use crate::engine::partial::Selection;
use crate::manifest::BackupSubject;

/// A container with everything that pages and jobs need.
#[derive(Debug, Clone)]
pub struct Container {
    /// Id of the container.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Engine.
    pub engine: EngineKind,
    /// Image, as in the catalog.
    pub image: String,
    /// Digest of the image it was created from.
    pub image_digest: Option<String>,
    /// Version reported by the server.
    pub server_version: Option<String>,
    /// The user's database.
    pub dbname: String,
    /// The user's role.
    pub dbuser: String,
    /// Account of the owner.
    pub account_id: Uuid,
    /// Name of that account.
    pub owner: String,
    /// Contact for questions about it.
    pub contact: String,
    /// Department.
    pub department: String,
    /// Purpose of the database.
    pub description: String,
    /// Storage tier.
    pub storage: String,
    /// Memory limit.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
    /// The cores its owner asked for, in the format of [`crate::domain::cpu_set::request::CpuRequest`]; `None` for all.
    pub cpuset: Option<String>,
    /// The cores its server has while it runs.
    pub cpuset_assigned: Option<String>,
    /// How often a process of its server was ended because of the memory limit.
    pub oom_kills: i64,
    /// When that last happened.
    pub oom_killed_at: Option<DateTime<Utc>>,
    /// Backup schedule.
    pub backup_freq: String,
    /// Since when this schedule has been in force.
    pub policy_at: DateTime<Utc>,
    /// Extensions selected at creation.
    pub extensions: Vec<String>,
    /// Whether it is created from an uploaded dump.
    pub brought: bool,
    /// The backup it was created from, if any.
    pub restored_from: Option<Uuid>,
    /// The part of that backup, if not everything.
    pub restored_only: Option<Json<Selection>>,
    /// The database it was cloned from, if any.
    pub cloned_from: Option<Uuid>,
    /// The name of that database.
    pub source: Option<String>,
    /// The time of the data it was cloned from.
    pub cloned_at: Option<DateTime<Utc>>,
    /// The snapshot it can be reset to, as long as it is a clone.
    pub origin: Option<Uuid>,
    /// The template it was made from, if any.
    pub template_id: Option<Uuid>,
    /// The version of that template.
    pub template_version: Option<Uuid>,
    /// Its name among its owner's databases from that template.
    pub instance_name: String,
    /// The engine's id of its container.
    pub docker_id: Option<String>,
    /// Name of its container in the engine.
    pub docker_name: String,
    /// Size on disk at `size_at`.
    pub size_bytes: Option<i64>,
    /// How much of that is shared with copies, if it was measured.
    pub shared_bytes: Option<i64>,
    /// When its size was measured.
    pub size_at: Option<DateTime<Utc>>,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its server was last started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it expires automatically.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was moved to the trash.
    pub trashed_at: Option<DateTime<Utc>>,
    /// When it is to be deleted permanently.
    pub purge_after: Option<DateTime<Utc>>,
    /// When it was deleted permanently.
    pub purged_at: Option<DateTime<Utc>>,
    /// Its state; `purged` if it no longer has a state row.
    pub state: ContainerState,
    /// The previous state.
    pub last_state: ContainerState,
    /// Who changed the state.
    pub changed_by: String,
    /// When the state was changed.
    pub changed_at: DateTime<Utc>,
    /// The step that failed.
    pub failed_step: Option<String>,
    /// Why it failed, as a sentence.
    pub failed_reason: Option<String>,
    /// An admin's note while it is under maintenance.
    pub maintenance_note: Option<String>,
    /// Its ports: (purpose, port).
    pub ports: Json<Vec<(String, u16)>>,
    /// Kind of the job in progress.
    pub active_job: Option<String>,
    /// Id of that job.
    pub active_job_id: Option<Uuid>,
}

impl Container {
    /// What decides who may do what with it; `read_only` is the banner of a read-only portal.
    pub fn subject<'a>(&'a self, read_only: Option<&'a str>) -> Subject<'a> {
        Subject { owner: self.account_id, maintenance: self.maintenance_note.as_deref(), read_only }
    }

    /// Kind of the job in progress; `None` if there is none or only another portal version knows its kind.
    pub fn active_kind(&self) -> Option<JobKind> {
        self.active_job.as_deref().and_then(JobKind::parse)
    }

    /// Whether it is deleted permanently at once: it was made from a template and is not backed up, so its owner can make
    /// another one at any time.
    pub fn is_disposable(&self) -> bool {
        self.template_version.is_some() && Policy::parse(&self.backup_freq) == Some(Policy::Never)
    }

    /// Whether it moves to the trash when it is deleted or expires: there is data, and nobody can make it again.
    pub fn goes_to_trash(&self) -> bool {
        self.started_at.is_some() && !self.is_disposable()
    }

    /// Whether its data is shown as that of another database: it is a clone, or was restored from a backup.
    pub fn shows_source(&self) -> bool {
        self.origin.is_some() || self.restored_from.is_some()
    }

    /// Whether a job in progress excludes other actions. A backup yields to them.
    pub fn is_busy(&self) -> bool {
        self.active_job.is_some() && self.active_kind() != Some(JobKind::Backup)
    }
}

/// Reads rows as [`Container`], with the same columns in every query.
macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            $crate::admin_db::containers::Container,
            r#"SELECT c.id AS "id!", c.name AS "name!", c.engine AS "engine!: _", c.image AS "image!"
                    , c.image_digest AS "image_digest?", c.server_version AS "server_version?", c.dbname AS "dbname!"
                    , c.dbuser AS "dbuser!", c.account_id AS "account_id!", a.username AS "owner!", c.contact AS "contact!"
                    , c.department AS "department!", c.description AS "description!", c.storage AS "storage!"
                    , c.memory_bytes AS "memory_bytes!", c.millicpus AS "millicpus!", c.backup_freq AS "backup_freq!"
                    , c.cpuset AS "cpuset?", c.cpuset_assigned AS "cpuset_assigned?", c.oom_kills AS "oom_kills!"
                    , c.oom_killed_at AS "oom_killed_at?"
                    , coalesce(c.policy_at, c.created_at) AS "policy_at!", c.extensions AS "extensions!"
                    , EXISTS (SELECT FROM dump_upload u WHERE u.container_id = c.id) AS "brought!"
                    , c.restored_from AS "restored_from?", c.restored_only AS "restored_only?: _"
                    , c.cloned_from AS "cloned_from?", (SELECT o.name FROM container o WHERE o.id = c.cloned_from) AS "source?"
                    , c.cloned_at AS "cloned_at?", c.origin AS "origin?", c.template_id AS "template_id?"
                    , c.template_version AS "template_version?", c.instance_name AS "instance_name!", c.docker_id AS "docker_id?"
                    , c.docker_name AS "docker_name!", c.size_bytes AS "size_bytes?", c.shared_bytes AS "shared_bytes?", c.size_at AS "size_at?"
                    , c.created_by AS "created_by!", c.created_at AS "created_at!", c.started_at AS "started_at?"
                    , c.expires_at AS "expires_at?", c.trashed_at AS "trashed_at?", c.purge_after AS "purge_after?"
                    , c.purged_at AS "purged_at?", coalesce(s.state, 'purged') AS "state!: _"
                    , coalesce(s.last_state, 'purged') AS "last_state!: _", coalesce(s.changed_by, '') AS "changed_by!"
                    , coalesce(s.changed_at, c.purged_at, c.created_at) AS "changed_at!", s.failed_step AS "failed_step?"
                    , s.failed_reason AS "failed_reason?", s.maintenance_note AS "maintenance_note?"
                    , coalesce((SELECT json_agg(json_build_array(p.purpose, p.port) ORDER BY p.port)
                                  FROM port p WHERE p.container_id = c.id), '[]') AS "ports!: _"
                    , j.kind AS "active_job?", j.id AS "active_job_id?"
                 FROM container c
                 JOIN account a ON a.id = c.account_id
                 LEFT JOIN state s ON s.container_id = c.id
                 LEFT JOIN job j ON j.container_id = c.id AND j.kind <> 'drill' AND j.status IN ('queued', 'running') "#
                + $rest
            $(, $arg)*
        )
    };
}

pub(in crate::admin_db) use select;

/// The existing container of this name.
pub async fn by_name(db: &mut PgConnection, name: &str) -> Result<Option<Container>, sqlx::Error> {
    select!("WHERE c.name = $1 AND c.purged_at IS NULL", name).fetch_optional(db).await
}

/// The container with this id, including permanently deleted ones.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Container>, sqlx::Error> {
    select!("WHERE c.id = $1", id).fetch_optional(db).await
}

/// All existing containers, for the reconciler and the measuring job.
pub async fn living(db: &mut PgConnection) -> Result<Vec<Container>, sqlx::Error> {
    select!("WHERE c.purged_at IS NULL ORDER BY c.created_at").fetch_all(db).await
}

/// Failed containers, the latest first.
pub async fn failed(db: &mut PgConnection, limit: i64) -> Result<Vec<Container>, sqlx::Error> {
    select!("WHERE s.state = 'failed' ORDER BY s.changed_at DESC, c.id LIMIT $1", limit).fetch_all(db).await
}

/// Those of the names that belong to existing containers.
pub async fn living_names(db: &mut PgConnection, names: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT name FROM container WHERE name = ANY($1) AND purged_at IS NULL", names)
        .fetch_all(db)
        .await
}

/// The number of existing containers that an account owns.
pub async fn owned(db: &mut PgConnection, account: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "owned!" FROM container WHERE account_id = $1 AND purged_at IS NULL"#,
        account
    )
    .fetch_one(db)
    .await
}

/// Containers whose time in the trash is over and that have no job in progress.
pub async fn due_for_purge(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query!(
        "SELECT c.id, c.name FROM container c JOIN state s ON s.container_id = c.id
          WHERE c.purge_after <= $1 AND c.purged_at IS NULL AND s.state = 'trashed'
            AND NOT EXISTS (SELECT FROM job j WHERE j.container_id = c.id AND j.status IN ('queued', 'running'))",
        now
    )
    .map(|r| (r.id, r.name))
    .fetch_all(db)
    .await
}

/// Number of existing containers in each state.
pub async fn counts(db: &mut PgConnection) -> Result<Vec<(ContainerState, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT state AS "state: ContainerState", count(*) AS "containers!" FROM state GROUP BY state ORDER BY state"#
    )
    .map(|r| (r.state, r.containers))
    .fetch_all(db)
    .await
}

impl BackupSubject {
    /// Describes a container for the manifest.
    pub fn new(c: &Container, version: &str) -> Self {
        Self {
            id: c.id,
            name: c.name.clone(),
            engine: c.engine,
            image: c.image.clone(),
            digest: c.image_digest.clone().unwrap_or_default(),
            version: version.to_owned(),
            dbname: c.dbname.clone(),
            dbuser: c.dbuser.clone(),
            owner: c.owner.clone(),
            contact: c.contact.clone(),
            department: c.department.clone(),
            description: c.description.clone(),
            storage: c.storage.clone(),
            memory_bytes: c.memory_bytes,
            millicpus: c.millicpus,
            backup_freq: c.backup_freq.clone(),
            extensions: c.extensions.clone(),
            expires_at: c.expires_at,
            cpuset: c.cpuset.clone(),
        }
    }
}
