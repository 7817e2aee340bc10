//! Whether the portal itself would survive the loss of this host.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Finding, Kind};
use crate::config::Config;
use crate::objects::Store;
use crate::recovery::{key, manifest};

/// So many times the time between two backups of mydb_admin the newest may be old.
const LATE: u32 = 3;

/// All that is wrong with the backups of mydb_admin; nothing where they are switched off.
pub(super) async fn judge(config: &Config, store: &Store, now: DateTime<Utc>) -> Vec<Finding> {
    let every = config.backups.admin_every;
    if every.is_zero() {
        return Vec::new();
    }
    let mut found = Vec::new();
    // A store that can't be listed is told of once, by what looks through all of it.
    if let Ok(there) = manifest::list(store, &config.instance).await {
        found.extend(stale(there.first().map(|t| t.made_at), every, now).map(|text| (Kind::AdminDbStale, text)));
    }
    let key = match key::recipient(config) {
        Ok(Some(_)) => None,
        Ok(None) => Some(
            "There is no recovery key, so backups of mydb_admin lack the keys that open its secrets. Make one with \
             `db4sci recovery-key` and keep it elsewhere."
                .to_owned(),
        ),
        Err(e) => Some(format!("The recovery key's public part can't be used: {e:#}.")),
    };
    found.extend(key.map(|text| (Kind::NoRecoveryKey, text)));
    found.into_iter().map(|(kind, text)| Finding { kind, container: None, backup: None, text }).collect()
}

fn stale(newest: Option<DateTime<Utc>>, every: Duration, now: DateTime<Utc>) -> Option<String> {
    let Some(at) = newest else {
        return Some("mydb_admin has no backup. Administration → System says why under Periodic work.".to_owned());
    };
    let late = (now - at).to_std().is_ok_and(|age| age > every * LATE);
    late.then(|| {
        format!(
            "The newest backup of mydb_admin is from {}, and one is due every {} min. Administration → System says why \
             under Periodic work.",
            at.format("%Y-%m-%d %H:%M UTC"),
            every.as_secs().div_ceil(60)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_the_interval_is_too_old() {
        let now: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        let hour = Duration::from_secs(3600);
        let of = |minutes| stale(Some(now - chrono::Duration::minutes(minutes)), hour, now);
        assert_eq!(of(180), None);
        assert!(of(181).unwrap().starts_with("The newest backup of mydb_admin is from 2026-11-25 08:59 UTC"));
        assert_eq!(of(-5), None, "made by a portal whose clock is ahead");
        assert!(stale(None, hour, now).unwrap().contains("has no backup"));
    }
}
