//! User input in table `container`: new containers, and the fields that an owner can change.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::domain::engine::EngineKind;
use crate::engine::partial::Selection;

/// A container to create.
#[derive(Debug)]
pub struct NewContainer<'a> {
    /// Id of the container.
    pub id: Uuid,
    /// Name.
    pub name: &'a str,
    /// Engine.
    pub engine: EngineKind,
    /// Image, as in the catalog.
    pub image: &'a str,
    /// The user's database.
    pub dbname: &'a str,
    /// The user's role.
    pub dbuser: &'a str,
    /// Account of the owner.
    pub account_id: Uuid,
    /// Contact for questions about it.
    pub contact: &'a str,
    /// Department.
    pub department: &'a str,
    /// Purpose of the database.
    pub description: &'a str,
    /// Storage tier.
    pub storage: &'a str,
    /// Memory limit.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
    /// Extensions to add to its database.
    pub extensions: &'a [String],
    /// Name of its container in the engine.
    pub docker_name: &'a str,
    /// Backup schedule.
    pub backup_freq: &'a str,
    /// When it expires, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// The backup it is created from, if any.
    pub restored_from: Option<Uuid>,
    /// The part of that backup, if not everything.
    pub restored_only: Option<&'a Selection>,
    /// Who creates it.
    pub created_by: &'a str,
}

/// Inserts a container. The name may be in use (index `container_name_key`).
pub async fn insert(db: &mut PgConnection, new: &NewContainer<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO container (id, name, engine, image, dbname, dbuser, account_id, contact, department, description,
                                storage, memory_bytes, millicpus, extensions, docker_name, created_by, created_at, restored_from, backup_freq, restored_only,
                                expires_at, expiry_set_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 CASE WHEN $21::timestamptz IS NULL THEN NULL ELSE $17::timestamptz END)",
        new.id,
        new.name,
        new.engine as _,
        new.image,
        new.dbname,
        new.dbuser,
        new.account_id,
        new.contact,
        new.department,
        new.description,
        new.storage,
        new.memory_bytes,
        new.millicpus,
        new.extensions,
        new.docker_name,
        new.created_by,
        now,
        new.restored_from,
        new.backup_freq,
        new.restored_only.map(Json) as _,
        new.expires_at
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The fields that an owner can change.
#[derive(Debug)]
pub struct ContainerEdit<'a> {
    /// Contact for questions about it.
    pub contact: &'a str,
    /// Department.
    pub department: &'a str,
    /// Purpose of the database.
    pub description: &'a str,
    /// Account of the owner.
    pub account_id: Uuid,
    /// Backup schedule.
    pub backup_freq: &'a str,
    /// Memory limit.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
    /// Current time.
    pub now: DateTime<Utc>,
}

/// Updates the fields that an owner can change.
pub async fn edit(db: &mut PgConnection, id: Uuid, edit: &ContainerEdit<'_>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET contact = $2, department = $3, description = $4, account_id = $5, memory_bytes = $6,
                millicpus = $7, policy_at = CASE WHEN backup_freq = $8 THEN policy_at ELSE $9 END, backup_freq = $8
          WHERE id = $1 AND purged_at IS NULL",
        id,
        edit.contact,
        edit.department,
        edit.description,
        edit.account_id,
        edit.memory_bytes,
        edit.millicpus,
        edit.backup_freq,
        edit.now
    )
    .execute(db)
    .await?;
    one_row(&done)
}
