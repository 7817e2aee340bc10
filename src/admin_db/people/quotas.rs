//! Quotas: the total memory and CPUs that a user's databases use and may use. Databases in the trash count only once
//! they are being restored from there.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::config::Limits;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::user::Role;

/// Usage and limits of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Role of the account.
    pub role: Role,
    /// Total memory of the user's databases.
    pub memory: i64,
    /// Total CPUs, in thousandths.
    pub millicpus: i64,
    /// Limit of the total memory set by an administrator.
    pub memory_limit: Option<i64>,
    /// Limit of the total CPUs set by an administrator, in thousandths.
    pub millicpu_limit: Option<i32>,
}

/// Reads the sums of accounts `a`, the same way in every query.
macro_rules! sums {
    ($rest:literal, $arg:expr) => {
        sqlx::query!(
            r#"SELECT a.id AS "id!", a.role AS "role!: Role", a.memory_limit AS "memory_limit?", a.millicpu_limit AS "millicpu_limit?"
                    , u.memory AS "memory!", u.millicpus AS "millicpus!"
                 FROM account a
                CROSS JOIN LATERAL (
                      SELECT coalesce(sum(c.memory_bytes), 0)::int8 AS memory, coalesce(sum(c.millicpus), 0)::int8 AS millicpus
                        FROM container c JOIN state s ON s.container_id = c.id
                       WHERE c.account_id = a.id AND c.purged_at IS NULL
                         AND (s.state <> 'trashed'
                              OR EXISTS (SELECT FROM job j WHERE j.container_id = c.id AND j.kind = 'undelete'
                                            AND j.status IN ('queued', 'running')))) u "#
                + $rest,
            $arg
        )
        .map(|r| {
            let (memory_limit, millicpu_limit) = (r.memory_limit, r.millicpu_limit);
            (r.id, Quota { role: r.role, memory: r.memory, millicpus: r.millicpus, memory_limit, millicpu_limit })
        })
    };
}

impl Quota {
    /// Maximum memory; `None` if unlimited.
    pub fn most_memory(&self, limits: &Limits) -> Option<ByteSize> {
        (self.role != Role::Admin).then(|| self.memory_limit.map_or(limits.memory_per_person, ByteSize))
    }

    /// Maximum CPUs; `None` if unlimited.
    pub fn most_cpus(&self, limits: &Limits) -> Option<MilliCpus> {
        (self.role != Role::Admin).then(|| self.millicpu_limit.map_or(limits.cpus_per_person, MilliCpus))
    }

    /// Usage and limits as a sentence for people.
    pub fn sentence(&self, limits: &Limits) -> String {
        let cpus = MilliCpus(i32::try_from(self.millicpus).unwrap_or(i32::MAX));
        match (self.most_memory(limits), self.most_cpus(limits)) {
            (Some(memory), Some(most)) => {
                format!("{} of {memory} memory, {cpus} of {most} CPUs", ByteSize(self.memory))
            }
            _ => format!("{} memory, {cpus} CPUs", ByteSize(self.memory)),
        }
    }

    /// Why the usage exceeds the limits, if it does; `before` is the usage before the request for more.
    pub fn exceeded(&self, before: &Self, who: &str, limits: &Limits) -> Option<String> {
        if let Some(most) = self.most_memory(limits).filter(|most| self.memory > most.0 && self.memory > before.memory)
        {
            return Some(format!(
                "All databases of {who} together may use {most} of memory; {} are in use, and {} more were requested.",
                ByteSize(before.memory),
                ByteSize(self.memory - before.memory)
            ));
        }
        let cpus = |n: i64| MilliCpus(i32::try_from(n).unwrap_or(i32::MAX));
        self.most_cpus(limits).filter(|most| self.millicpus > most.0.into() && self.millicpus > before.millicpus).map(
            |most| {
                format!(
                    "All databases of {who} together may use {most} CPUs; {} are in use, and {} more were requested.",
                    cpus(before.millicpus),
                    cpus(self.millicpus - before.millicpus)
                )
            },
        )
    }
}

/// Usage and limits of an account.
pub async fn of(db: &mut PgConnection, account: Uuid) -> Result<Option<Quota>, sqlx::Error> {
    Ok(sums!("WHERE a.id = $1", account).fetch_optional(db).await?.map(|(_, quota)| quota))
}

/// Usage and limits of accounts, in any order.
pub async fn of_all(db: &mut PgConnection, accounts: &[Uuid]) -> Result<Vec<(Uuid, Quota)>, sqlx::Error> {
    sums!("WHERE a.id = ANY($1)", accounts).fetch_all(db).await
}

/// Sets the limits for all databases of a user together; `None`: as configured.
pub async fn set(
    db: &mut PgConnection,
    account: Uuid,
    memory: Option<ByteSize>,
    cpus: Option<MilliCpus>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE account SET memory_limit = $2, millicpu_limit = $3 WHERE id = $1",
        account,
        memory.map(|m| m.0),
        cpus.map(|c| c.0)
    )
    .execute(db)
    .await?;
    crate::admin_db::one_row(&done)
}
