//! Checks whether the portal itself would survive the loss of this host.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::backup::sign;
use crate::backup::sign::AcceptedSigners;
use crate::config::Config;
use crate::domain::audit::{Finding, FindingKind};
use crate::domain::object_keys;
use crate::manifest::admin;
use crate::manifest::admin::StoredAdminBackup;
use crate::objects::Store;
use crate::recovery_key;
use crate::secrets::Sealer;

/// The newest backup of mydb_admin may be this many intervals old.
const LATE: u32 = 3;

/// All findings about the backups of mydb_admin; none if they are switched off.
pub(super) async fn judge(config: &Config, store: &Store, sealer: &Sealer, now: DateTime<Utc>) -> Vec<Finding> {
    let every = config.backups.admin_every;
    if every.is_zero() {
        return Vec::new();
    }
    let mut found = Vec::new();
    // A store that cannot be listed is reported once, by the comparison of the whole store.
    if let Ok(there) = admin::list(store, &config.instance).await {
        found.extend(stale(there.first().map(|t| t.made_at), every, now).map(|text| (FindingKind::AdminDbStale, text)));
        if let Some(newest) = there.first() {
            found.extend(unsigned(store, newest, sealer).await.map(|text| (FindingKind::Altered, text)));
        }
    }
    let key = match recovery_key::recipient(config) {
        Ok(Some(_)) if recovery_key::signer(config).is_none() => Some(
            "The recovery key was made by an earlier version. A rebuild with only this key cannot tell whether a \
             backup of mydb_admin is from this portal. Register the key again with `db4sci recovery-key --register \
             FILE`."
                .to_owned(),
        ),
        Ok(Some(_)) => None,
        Ok(None) => Some(
            "There is no recovery key, so backups of mydb_admin lack the keys that decrypt its secrets. Create one \
             with `db4sci recovery-key` and store it away from this host."
                .to_owned(),
        ),
        Err(e) => Some(format!("The public part of the recovery key is unusable: {e:#}.")),
    };
    found.extend(key.map(|text| (FindingKind::NoRecoveryKey, text)));
    found.into_iter().map(|(kind, text)| Finding { kind, container: None, backup: None, text }).collect()
}

/// Whether an object under the prefix of mydb_admin's backups belongs to one of them.
pub(super) fn is_ours(location: &str, file: &str) -> bool {
    let (sealed, plain) = (format!("{}.zst.age", admin::DUMP), format!("{}.zst", admin::DUMP));
    let known = [admin::FILE, admin::KEYS, sign::FILE, &sealed, &plain];
    object_keys::is_admin_backup(location) && known.contains(&file)
}

/// The problem with the signature of the newest backup. Backups made by an earlier version disappear within hours.
async fn unsigned(store: &Store, newest: &StoredAdminBackup, sealer: &Sealer) -> Option<String> {
    let at = store.url(&newest.location);
    let text = store.read(&format!("{}/{}", newest.location, admin::FILE), admin::LONGEST).await;
    let signed = match text {
        Ok(text) => sign::look(store, &newest.location, &text, &[AcceptedSigners::Sealing(sealer.manifests())]).await,
        Err(e) => Err(e),
    };
    match signed {
        Ok(signed) => signed.doubt().map(|doubt| format!("The newest backup of mydb_admin is at {at}. {doubt}")),
        Err(e) => Some(format!("Cannot read the newest backup of mydb_admin: {e}")),
    }
}

fn stale(newest: Option<DateTime<Utc>>, every: Duration, now: DateTime<Utc>) -> Option<String> {
    let Some(at) = newest else {
        return Some(
            "mydb_admin has no backup. For the reason, see Periodic tasks under Administration → System.".to_owned(),
        );
    };
    let late = (now - at).to_std().is_ok_and(|age| age > every * LATE);
    late.then(|| {
        format!(
            "The newest backup of mydb_admin is from {}, but one is due every {} min. For the reason, see Periodic \
             tasks under Administration → System.",
            at.format("%Y-%m-%d %H:%M UTC"),
            every.as_secs().div_ceil(60)
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::admin_backups::*;

    #[test]
    fn a_backup_older_than_three_intervals_is_reported() {
        let now: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        let hour = Duration::from_secs(3600);
        let of = |minutes| stale(Some(now - chrono::Duration::minutes(minutes)), hour, now);
        assert_eq!(of(180), None);
        assert!(of(181).unwrap().starts_with("The newest backup of mydb_admin is from 2026-11-25 08:59 UTC"));
        assert_eq!(of(-5), None, "made by a portal whose clock is ahead");
        assert!(stale(None, hour, now).unwrap().contains("has no backup"));
    }
}
