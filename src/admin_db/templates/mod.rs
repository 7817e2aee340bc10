//! Table `template`: databases at rest that new databases are copied from.

pub mod instances;
pub mod listing;
pub mod origin;
pub mod versions;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::admin_db::templates::origin::{OriginColumns, TemplateOrigin};
use crate::domain::engine::EngineKind;
use crate::domain::ttl::{Lifetime, Ttl};

/// A template.
#[derive(Debug, Clone)]
pub struct Template {
    /// Id.
    pub id: Uuid,
    /// Name, unique among existing templates.
    pub name: String,
    /// Engine.
    pub engine: EngineKind,
    /// Image that new versions are imported with, as in the catalog.
    pub image: String,
    /// Storage tier.
    pub storage: String,
    /// The file in the directory of dumps, or a description of the database or snapshot that it is made from.
    pub source: String,
    /// What it is made from.
    pub origin: TemplateOrigin,
    /// The user's database in the copies of versions imported from now on.
    pub dbname: String,
    /// The user's role in them.
    pub dbuser: String,
    /// Memory limit of the copies.
    pub memory_bytes: i64,
    /// CPU limit of the copies in thousandths.
    pub millicpus: i32,
    /// Time to live of the copies in seconds; `None` if they are kept.
    pub ttl_seconds: Option<i64>,
    /// Accounts that may use it; if empty, everybody.
    pub users: Vec<String>,
    /// Purpose.
    pub description: String,
    /// The version that new databases are copied from.
    pub current_version: Option<Uuid>,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl Template {
    /// Time to live of a database made from it, if none is requested.
    pub fn ttl(&self) -> Ttl {
        let lifetime = self.ttl_seconds.and_then(|seconds| Lifetime::parse(&seconds.to_string()).ok());
        lifetime.map_or(Ttl::Forever, Ttl::Lasting)
    }

    /// Whether its versions are imported from a file in the directory of dumps.
    pub fn is_from_file(&self) -> bool {
        self.origin == TemplateOrigin::File
    }

    /// Whether it was made from a database of its creator, or from a backup of one.
    pub fn is_personal(&self) -> bool {
        self.origin.database().or(self.origin.backup()).is_some()
    }

    /// Whether this user may change, refresh and delete it. Templates from dumps are for administrators.
    pub fn is_managed_by(&self, username: &str, is_admin: bool) -> bool {
        is_admin || (self.is_personal() && self.created_by == username)
    }

    /// Whether this user may create databases from it.
    pub fn allows(&self, username: &str, is_admin: bool) -> bool {
        self.is_managed_by(username, is_admin)
            || self.users.is_empty()
            || self.users.iter().any(|user| user == username)
    }
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query!(
            r#"SELECT id, name, engine AS "engine: EngineKind", image, storage, source, source_container, source_snapshot
                    , source_backup, source_target, source_key, dbname, dbuser, memory_bytes, millicpus, ttl_seconds, users, description, current_version, created_by, created_at
                 FROM template WHERE deleted_at IS NULL AND "#
                + $rest
            $(, $arg)*
        )
        .map(|r| Template {
            id: r.id,
            name: r.name,
            engine: r.engine,
            image: r.image,
            storage: r.storage,
            source: r.source,
            origin: TemplateOrigin::from(OriginColumns {
                container: r.source_container,
                snapshot: r.source_snapshot,
                backup: r.source_backup,
                target: r.source_target,
                key: r.source_key,
            }),
            dbname: r.dbname,
            dbuser: r.dbuser,
            memory_bytes: r.memory_bytes,
            millicpus: r.millicpus,
            ttl_seconds: r.ttl_seconds,
            users: r.users,
            description: r.description,
            current_version: r.current_version,
            created_by: r.created_by,
            created_at: r.created_at,
        })
    };
}

/// All existing templates by name.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Template>, sqlx::Error> {
    select!("true ORDER BY name").fetch_all(db).await
}

/// The ids and names of all templates, also of deleted ones.
pub async fn names(db: &mut PgConnection) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query!("SELECT id, name FROM template").map(|row| (row.id, row.name)).fetch_all(db).await
}

/// The existing template of this name.
pub async fn by_name(db: &mut PgConnection, name: &str) -> Result<Option<Template>, sqlx::Error> {
    select!("name = $1", name).fetch_optional(db).await
}

/// The existing templates that are made from this file in the directory of dumps.
pub async fn of_file(db: &mut PgConnection, file: &str) -> Result<Vec<Template>, sqlx::Error> {
    let found = select!("source = $1 ORDER BY name", file).fetch_all(db).await?;
    Ok(found.into_iter().filter(Template::is_from_file).collect())
}

/// Changes the file in the directory of dumps that a template is made from.
pub async fn set_file(db: &mut PgConnection, id: Uuid, file: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE template SET source = $2 WHERE id = $1", id, file).execute(db).await.map(|_| ())
}

/// The existing template with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Template>, sqlx::Error> {
    select!("id = $1", id).fetch_optional(db).await
}

/// The number of existing templates that an account made from databases or backups.
pub async fn owned(db: &mut PgConnection, account: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "owned!" FROM template t JOIN account a ON a.username = t.created_by
            WHERE a.id = $1 AND t.deleted_at IS NULL AND num_nonnulls(t.source_container, t.source_backup) > 0"#,
        account
    )
    .fetch_one(db)
    .await
}

/// Inserts a template. The name may be in use (index `template_name_key`).
pub async fn insert(db: &mut PgConnection, t: &Template) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO template (id, name, engine, image, storage, source, dbname, dbuser, memory_bytes, millicpus, ttl_seconds,
                               users, description, created_by, created_at, source_container, source_snapshot,
                               source_backup, source_target, source_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        t.id,
        &t.name,
        t.engine as EngineKind,
        &t.image,
        &t.storage,
        &t.source,
        &t.dbname,
        &t.dbuser,
        t.memory_bytes,
        t.millicpus,
        t.ttl_seconds,
        &t.users,
        &t.description,
        &t.created_by,
        t.created_at,
        t.origin.database(),
        t.origin.snapshot(),
        t.origin.backup(),
        t.origin.object().map(|o| &o.target),
        t.origin.object().map(|o| &o.key)
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The settings of a template that can be changed.
#[derive(Debug)]
pub struct TemplateEdit<'a> {
    /// Name.
    pub name: &'a str,
    /// Image that new versions are imported with.
    pub image: &'a str,
    /// The user's database in new versions.
    pub dbname: &'a str,
    /// The user's role in new versions.
    pub dbuser: &'a str,
    /// Memory limit of the copies.
    pub memory_bytes: i64,
    /// Time to live of the copies in seconds.
    pub ttl_seconds: Option<i64>,
    /// Accounts that may use it.
    pub users: &'a [String],
    /// Purpose.
    pub description: &'a str,
}

/// Changes a template. The name may be in use (index `template_name_key`).
pub async fn edit(db: &mut PgConnection, id: Uuid, edit: &TemplateEdit<'_>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE template SET name = $2, image = $3, memory_bytes = $4, ttl_seconds = $5, users = $6, description = $7
              , dbname = $8, dbuser = $9
          WHERE id = $1 AND deleted_at IS NULL",
        id,
        edit.name,
        edit.image,
        edit.memory_bytes,
        edit.ttl_seconds,
        edit.users,
        edit.description,
        edit.dbname,
        edit.dbuser
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Deletes a template. Its versions are removed later.
pub async fn delete(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE template SET deleted_at = $2, current_version = NULL WHERE id = $1", id, now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Makes a complete version the current one. `false`: the template was deleted meanwhile.
pub async fn set_current(db: &mut PgConnection, id: Uuid, version: Uuid) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("UPDATE template SET current_version = $2 WHERE id = $1 AND deleted_at IS NULL", id, version)
            .execute(db)
            .await?;
    Ok(done.rows_affected() == 1)
}
