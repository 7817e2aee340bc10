//! The cores that databases are pinned to: columns `cpuset` and `cpuset_assigned` of table `container`.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::domain::cpu_set::CpuSet;
use crate::domain::cpu_set::request::CpuRequest;

/// Key of the transaction lock that serialises the choice of cores. Any constant unique to the portal will do.
const LOCK: i64 = 0x6462_3473_6369_0002;

/// A database that is pinned, or whose server still has to be released from its cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedRow {
    /// Its id.
    pub id: Uuid,
    /// The cores its owner asked for.
    pub request: CpuRequest,
    /// The cores of its server; `None` while the server does not run.
    pub assigned: Option<CpuSet>,
}

/// Waits until no other transaction chooses cores. Taken before any lock on rows.
pub async fn lock(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(db).await.map(|_| ())
}

/// The databases whose servers are pinned to cores.
pub async fn assigned(db: &mut PgConnection) -> Result<Vec<PinnedRow>, sqlx::Error> {
    sqlx::query!("SELECT id, cpuset, cpuset_assigned FROM container WHERE cpuset_assigned IS NOT NULL ORDER BY id")
        .map(|row| pinned(row.id, row.cpuset.as_deref(), row.cpuset_assigned.as_deref()))
        .fetch_all(db)
        .await
}

/// The pinning of a database.
pub async fn get(db: &mut PgConnection, id: Uuid) -> Result<Option<PinnedRow>, sqlx::Error> {
    sqlx::query!("SELECT id, cpuset, cpuset_assigned FROM container WHERE id = $1", id)
        .map(|row| pinned(row.id, row.cpuset.as_deref(), row.cpuset_assigned.as_deref()))
        .fetch_optional(db)
        .await
}

fn pinned(id: Uuid, request: Option<&str>, assigned: Option<&str>) -> PinnedRow {
    PinnedRow { id, request: CpuRequest::stored(request), assigned: assigned.and_then(|text| CpuSet::parse(text).ok()) }
}

/// Records what the owner asks for.
pub async fn set_request(db: &mut PgConnection, id: Uuid, request: &CpuRequest) -> Result<(), sqlx::Error> {
    let done =
        sqlx::query!("UPDATE container SET cpuset = $2 WHERE id = $1", id, request.to_text()).execute(db).await?;
    one_row(&done)
}

/// Records the cores of its server.
pub async fn assign(db: &mut PgConnection, id: Uuid, cores: Option<&CpuSet>) -> Result<(), sqlx::Error> {
    let cores = cores.filter(|cores| !cores.is_empty()).map(ToString::to_string);
    let done = sqlx::query!("UPDATE container SET cpuset_assigned = $2 WHERE id = $1", id, cores).execute(db).await?;
    one_row(&done)
}

/// Records that its server no longer runs and frees its cores. Returns whether it had any.
pub async fn release(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("UPDATE container SET cpuset_assigned = NULL WHERE id = $1 AND cpuset_assigned IS NOT NULL", id);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Frees the cores of all databases whose start was cancelled before their server ran.
pub async fn release_idle(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container c SET cpuset_assigned = NULL
          WHERE c.cpuset_assigned IS NOT NULL
            AND NOT EXISTS (SELECT FROM state s WHERE s.container_id = c.id
                               AND s.state IN ('requested', 'provisioning', 'running', 'deleting'))
            AND NOT EXISTS (SELECT FROM job j WHERE j.container_id = c.id AND j.status IN ('queued', 'running'))"
    );
    Ok(done.execute(db).await?.rows_affected())
}
