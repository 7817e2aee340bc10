//! Checks whether a database has the backups required by its policy, and whether they can be trusted.

use chrono::{DateTime, Duration, Utc};

use crate::admin_db::backups::audit_facts::AuditedDatabase;
use crate::domain::audit::{Finding, FindingKind};
use crate::domain::backup_schedule::{Policy, Window};
use crate::domain::quantity::ByteSize;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;

/// Days after which a test restore is overdue. They are due every week.
const DRILL_DAYS: i64 = 10;
/// A backup smaller than an earlier one by this factor raises an alarm.
const SHRUNK: i64 = 10;

/// All findings about the backups of one database.
pub(super) fn judge(d: &AuditedDatabase, window: Window, now: DateTime<Utc>) -> Vec<Finding> {
    let found = [stale(d, window, now), shrunk(d), drill_failed(d), drill_overdue(d, now)];
    let finding = |(kind, text)| Finding { kind, container: Some(d.name.clone()), backup: None, text };
    found.into_iter().flatten().map(finding).collect()
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn stale(d: &AuditedDatabase, window: Window, now: DateTime<Utc>) -> Option<(FindingKind, String)> {
    let policy = Policy::stored(&d.backup_freq);
    let due = policy.missed(d.id, window, (d.policy_at, d.good_at), now)?;
    if d.engine.engine().backup().is_none() {
        let text = format!("{} has no backups, because {} cannot be backed up yet.", d.name, d.engine.label());
        return Some((FindingKind::Impossible, text));
    }
    let promised = policy.promise();
    let what = match d.good_at {
        Some(at) => format!(
            "The newest backup of {} is from {}, but one was due at {} ({promised}).",
            d.name,
            day(at),
            day(due)
        ),
        None => format!("{} has no backup, but one was due at {} ({promised}).", d.name, day(due)),
    };
    let why = match (&d.failed, d.state) {
        (Some(error), _) => format!(" The last attempt failed: {}", short_reason::line(error)),
        (None, ContainerState::Running) => String::new(),
        (None, state) => format!(" The database is {state}."),
    };
    Some((FindingKind::Stale, format!("{what}{why}")))
}

fn shrunk(d: &AuditedDatabase) -> Option<(FindingKind, String)> {
    let (newest, before) = d.sizes.split_first()?;
    let largest = before.iter().flatten().max()?;
    let newest = (*newest)?;
    (newest.saturating_mul(SHRUNK) <= *largest && newest < *largest).then(|| {
        let text = format!(
            "The newest backup of {} holds {}, while one of the {} before it held {}. Was that much data deleted on \
             purpose?",
            d.name,
            ByteSize(newest),
            before.len(),
            ByteSize(*largest)
        );
        (FindingKind::Shrunk, text)
    })
}

fn drill_failed(d: &AuditedDatabase) -> Option<(FindingKind, String)> {
    let (at, error) = (d.drill_failed_at?, d.drill_error.as_deref()?);
    let text = format!("The last test restore of {} failed at {}: {}", d.name, day(at), short_reason::line(error));
    Some((FindingKind::DrillFailed, text))
}

fn drill_overdue(d: &AuditedDatabase, now: DateTime<Utc>) -> Option<(FindingKind, String)> {
    let since = d.drilled_at.or(d.first_good_at).filter(|_| d.good_at.is_some())?;
    (now - since > Duration::days(DRILL_DAYS)).then(|| {
        let text = match d.drilled_at {
            Some(at) => format!("No backup of {} has passed a test restore since {}.", d.name, day(at)),
            None => format!("No backup of {} has ever passed a test restore.", d.name),
        };
        (FindingKind::DrillOverdue, text)
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::audit::databases::*;
    use crate::domain::engine::EngineKind;

    const WINDOW: Window = Window { hour: 1, spread: 0, zone: chrono_tz::Tz::UTC };

    fn now() -> DateTime<Utc> {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn fine() -> AuditedDatabase {
        AuditedDatabase {
            id: Uuid::nil(),
            name: "lab".to_owned(),
            engine: EngineKind::Postgres,
            backup_freq: "Daily".to_owned(),
            state: ContainerState::Running,
            policy_at: now() - Duration::days(100),
            good_at: Some(now() - Duration::hours(10)),
            first_good_at: Some(now() - Duration::days(90)),
            failed: None,
            sizes: vec![Some(1000), Some(1100), None],
            drilled_at: Some(now() - Duration::days(3)),
            drill_failed_at: None,
            drill_error: None,
        }
    }

    fn texts(d: &AuditedDatabase) -> Vec<String> {
        judge(d, WINDOW, now()).into_iter().map(|f| format!("{}: {}", f.kind.as_str(), f.text)).collect()
    }

    #[test]
    fn a_database_that_meets_its_policy_has_no_findings() {
        assert!(texts(&fine()).is_empty(), "{:?}", texts(&fine()));
        let young = AuditedDatabase {
            policy_at: now() - Duration::hours(5),
            good_at: None,
            first_good_at: None,
            sizes: vec![],
            drilled_at: None,
            ..fine()
        };
        assert!(texts(&young).is_empty(), "made after one was due: {:?}", texts(&young));
        let never = AuditedDatabase {
            backup_freq: "Never".to_owned(),
            good_at: None,
            first_good_at: None,
            sizes: vec![],
            drilled_at: None,
            ..fine()
        };
        assert!(texts(&never).is_empty());
        // Due at one o'clock; until seven it may still be running.
        let early = AuditedDatabase { good_at: Some(now() - Duration::minutes(34 * 60 + 30)), ..fine() };
        assert!(judge(&early, WINDOW, "2026-11-25T06:59:00Z".parse().unwrap()).is_empty());
        assert_eq!(judge(&early, WINDOW, "2026-11-25T07:01:00Z".parse().unwrap()).len(), 1);
    }

    #[test]
    fn each_problem_is_reported_as_a_sentence() {
        let old = AuditedDatabase {
            good_at: Some(now() - Duration::days(2)),
            failed: Some("It fell over.\nIndeed.".to_owned()),
            ..fine()
        };
        assert_eq!(
            texts(&old),
            ["stale: The newest backup of lab is from 2026-11-23 12:00 UTC, but one was due at 2026-11-25 01:00 \
                 UTC (every night). The last attempt failed: It fell over."]
        );
        let stopped = AuditedDatabase {
            good_at: None,
            first_good_at: None,
            sizes: vec![],
            drilled_at: None,
            state: ContainerState::Stopped,
            ..fine()
        };
        assert_eq!(
            texts(&stopped),
            ["stale: lab has no backup, but one was due at 2026-11-25 01:00 UTC (every night). The database is \
                 stopped."]
        );
        let drilled = AuditedDatabase {
            drilled_at: Some(now() - Duration::days(11)),
            drill_failed_at: Some(now() - Duration::days(1)),
            drill_error: Some("Damaged.".to_owned()),
            ..fine()
        };
        assert_eq!(
            texts(&drilled),
            [
                "drill_failed: The last test restore of lab failed at 2026-11-24 12:00 UTC: Damaged.",
                "drill_overdue: No backup of lab has passed a test restore since 2026-11-14 12:00 UTC.",
            ]
        );
        let never = AuditedDatabase { drilled_at: None, ..fine() };
        assert_eq!(texts(&never), ["drill_overdue: No backup of lab has ever passed a test restore."]);
    }

    #[test]
    fn a_backup_ten_times_smaller_than_an_earlier_one_is_reported() {
        let with =
            |sizes: &[i64]| texts(&AuditedDatabase { sizes: sizes.iter().map(|n| Some(*n)).collect(), ..fine() });
        assert!(with(&[]).is_empty() && with(&[5]).is_empty() && with(&[0, 0]).is_empty());
        assert!(with(&[101, 1000]).is_empty() && with(&[1000, 5]).is_empty());
        assert_eq!(with(&[100, 1000]).len(), 1);
        assert_eq!(with(&[100, 90, 80, 1000]).len(), 1, "it does not pass with the next one");
        assert!(with(&[0, 1])[0].starts_with("shrunk: The newest backup of lab holds 0 B"));
    }
}
