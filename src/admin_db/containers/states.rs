//! Table `state`: the intended state of each container.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::cores;
use crate::admin_db::one_row;
use crate::domain::state::{ContainerState, Event, transition};

/// Inserts the state of a new container.
pub async fn insert(db: &mut PgConnection, id: Uuid, by: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO state (container_id, state, last_state, changed_by, changed_at)
         VALUES ($1, 'requested', 'requested', $2, $3)",
        id,
        by,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Why a state transition was rejected.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// The event is not allowed in the current state.
    #[error("it is {0}")]
    Refused(ContainerState),
    /// The container has no state row, because it was deleted permanently.
    #[error("it is purged")]
    Gone,
    /// An error from the database.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
}

/// Reads a state and locks it until the transaction ends. `None`: the container is deleted permanently.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<ContainerState>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT state AS "state: ContainerState" FROM state WHERE container_id = $1 FOR UPDATE"#, id)
        .fetch_optional(db)
        .await
}

/// Applies an event: the only way to change a state. Locks the row, so that two events never interleave. `failure` is
/// the step and reason of [`Event::Fail`].
///
/// # Errors
/// [`TransitionError::Refused`] if the event is not allowed in the current state.
pub async fn apply(
    db: &mut PgConnection,
    id: Uuid,
    event: Event,
    by: &str,
    now: DateTime<Utc>,
    failure: Option<(&str, &str)>,
) -> Result<ContainerState, TransitionError> {
    let from = lock(&mut *db, id).await?.ok_or(TransitionError::Gone)?;
    let to = transition(from, event).ok_or(TransitionError::Refused(from))?;
    if to == ContainerState::Purged {
        sqlx::query!("DELETE FROM state WHERE container_id = $1", id).execute(&mut *db).await?;
        cores::release(db, id).await?;
        return Ok(to);
    }
    let done = sqlx::query!(
        "UPDATE state
            SET state = $3
              , last_state = CASE WHEN state = $3 THEN last_state ELSE state END
              , changed_by = CASE WHEN state = $3 THEN changed_by ELSE $4 END
              , changed_at = CASE WHEN state = $3 THEN changed_at ELSE $5 END
              , failed_step = $6
              , failed_reason = $7
          WHERE container_id = $1 AND state = $2",
        id,
        from as _,
        to as _,
        by,
        now,
        failure.map(|(step, _)| step),
        failure.map(|(_, reason)| reason)
    )
    .execute(&mut *db)
    .await?;
    one_row(&done)?;
    if matches!(to, ContainerState::Stopped | ContainerState::Failed | ContainerState::Trashed) {
        // Others may have its cores.
        cores::release(db, id).await?;
    }
    Ok(to)
}

/// Starts or ends maintenance of a container.
pub async fn set_maintenance(db: &mut PgConnection, id: Uuid, note: Option<&str>) -> Result<(), sqlx::Error> {
    let done =
        sqlx::query!("UPDATE state SET maintenance_note = $2 WHERE container_id = $1", id, note).execute(db).await?;
    one_row(&done)
}

/// Counters and delays of automatic restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartCounters {
    /// Failures since `failures_since`.
    pub failures: i32,
    /// Start of the period in which failures are counted.
    pub failures_since: Option<DateTime<Utc>>,
    /// Earliest time of the next restart.
    pub next_start_at: Option<DateTime<Utc>>,
}

/// Reads the restart counters.
pub async fn restarts(db: &mut PgConnection, id: Uuid) -> Result<Option<RestartCounters>, sqlx::Error> {
    sqlx::query_as!(
        RestartCounters,
        "SELECT failures, failures_since, next_start_at FROM state WHERE container_id = $1",
        id
    )
    .fetch_optional(db)
    .await
}

/// Writes the restart counters.
pub async fn set_restarts(db: &mut PgConnection, id: Uuid, r: RestartCounters) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE state SET failures = $2, failures_since = $3, next_start_at = $4 WHERE container_id = $1",
        id,
        r.failures,
        r.failures_since,
        r.next_start_at
    )
    .execute(db)
    .await
    .map(|_| ())
}
