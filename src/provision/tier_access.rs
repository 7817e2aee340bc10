//! Who may have data on a storage tier. Everything that makes new data for a person asks here: new databases (also from
//! backups, dumps, snapshots and templates), another attempt to create one, snapshots, refreshes of clones, and templates.
//! What puts the data of an existing database back in place does not: it is on its tier already.

use sqlx::PgConnection;

use crate::admin_db::containers::Container;
use crate::admin_db::log::Actor;
use crate::admin_db::people::accounts;
use crate::app::App;
use crate::config::Tier;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::user::{Role, User};
use crate::queue::refusal::RequestError;
use crate::storage::unavailable_reason;

/// Why the data is on that tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TierUse {
    /// It was chosen, and may be another one.
    Chosen,
    /// What is copied is there.
    Copy,
    /// The template is there.
    OfTemplate,
}

impl TierUse {
    /// Of a new database that this flow creates.
    pub(crate) fn of(flow: JobKind) -> Self {
        match flow {
            JobKind::Clone => Self::Copy,
            JobKind::FromTemplate => Self::OfTemplate,
            _ => Self::Chosen,
        }
    }
}

/// Fails unless data of this engine may be on a tier for `owner`. Administrators, commands on the portal's machine and the
/// portal itself may put data of others on any tier.
///
/// # Errors
/// [`RequestError::TierRefused`] with a sentence that names other tiers if they are possible.
pub(crate) async fn check(
    app: &App,
    db: &mut PgConnection,
    (tier, engine): (&str, EngineKind),
    (owner, usage): (&User, TierUse),
    actor: &Actor,
) -> Result<(), RequestError> {
    // One that is no longer configured is reported by the job.
    let Some(tier) = app.config.tier(tier) else { return Ok(()) };
    if allows(tier, owner, engine) || may_choose_for_others(db, actor).await? {
        return Ok(());
    }
    let others = app.config.storage.iter();
    let others: Vec<String> =
        others.filter(|t| allows(t, owner, engine) && unavailable_reason(t).is_none()).map(named).collect();
    Err(RequestError::TierRefused(refusal(owner.username.as_str(), &tier.label, usage, &others)))
}

/// The same for the owner of an existing database, on its tier.
///
/// # Errors
/// As for [`check`].
pub(crate) async fn check_owner(
    app: &App,
    db: &mut PgConnection,
    c: &Container,
    usage: TierUse,
    actor: &Actor,
) -> Result<(), RequestError> {
    let owner = accounts::by_id(&mut *db, c.account_id).await?.and_then(|a| a.user()).ok_or(RequestError::Gone)?;
    check(app, db, (&c.storage, c.engine), (&owner, usage), actor).await
}

fn allows(tier: &Tier, owner: &User, engine: EngineKind) -> bool {
    tier.allows(owner.username.as_str(), owner.is_admin(), engine.as_str())
}

/// Whether `actor` is an administrator, or nobody who signed in. Only requests of those have an id.
async fn may_choose_for_others(db: &mut PgConnection, actor: &Actor) -> Result<bool, sqlx::Error> {
    if actor.request_id.is_empty() {
        return Ok(true);
    }
    Ok(accounts::by_name(db, &actor.name).await?.is_some_and(|account| account.role == Role::Admin))
}

/// The label of a tier, and the name by which it is chosen if that differs.
fn named(tier: &Tier) -> String {
    if tier.label == tier.name {
        format!("“{}”", tier.name)
    } else {
        format!("“{}” ({})", tier.label, tier.name)
    }
}

fn refusal(owner: &str, tier: &str, usage: TierUse, others: &[String]) -> String {
    let others = others.join(", ");
    let what_to_do = match (usage, others.is_empty()) {
        (TierUse::Chosen, false) => format!(". Choose another one: {others}."),
        (TierUse::Chosen, true) => ", and no other one is available. Ask an administrator.".to_owned(),
        (TierUse::Copy, false) => format!(
            ", and copies are made on the tier of their source. Ask an administrator for access, or restore a backup to a new \
             database on {others}."
        ),
        (TierUse::Copy, true) => {
            ", and copies are made on the tier of their source. Ask an administrator for access.".to_owned()
        }
        (TierUse::OfTemplate, _) => {
            ", on which databases from this template are created. Ask an administrator for access.".to_owned()
        }
    };
    format!("{owner} may not use the storage tier “{tier}”{what_to_do}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tiers_are_named_where_they_are_possible() {
        let others = ["“Fast” (fast)".to_owned(), "“plain”".to_owned()];
        assert_eq!(
            refusal("ada", "Genomics", TierUse::Chosen, &others),
            "ada may not use the storage tier “Genomics”. Choose another one: “Fast” (fast), “plain”."
        );
        assert!(refusal("ada", "Genomics", TierUse::Chosen, &[]).contains("no other one is available"));
        assert!(
            refusal("ada", "Genomics", TierUse::Copy, &others).contains("restore a backup to a new database on “Fast”")
        );
        assert!(!refusal("ada", "Genomics", TierUse::OfTemplate, &others).contains("plain"));
    }
}
