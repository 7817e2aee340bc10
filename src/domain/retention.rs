//! Decides which backups of one database are kept, and why. A pure function of the recorded backups and the time.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Duration, Utc};
use uuid::Uuid;

/// Numbers of backups to keep: the newest ones, and the newest one of each of the latest days, weeks, months and years
/// that have any. A backup is kept if any of these rules selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepCounts {
    /// The newest backups, whenever they were made.
    pub last: usize,
    /// Days that have backups.
    pub daily: usize,
    /// Weeks that have backups, starting on Monday.
    pub weekly: usize,
    /// Months that have backups.
    pub monthly: usize,
    /// Years that have backups.
    pub yearly: usize,
    /// Younger backups are never removed.
    pub min_age_days: i64,
}

impl KeepCounts {
    /// The rules as a sentence for pages.
    pub fn sentence(&self) -> String {
        let parts = [
            (self.last, "the latest backup", "the latest # backups"),
            (self.daily, "one for the last day", "one per day for the last # days"),
            (self.weekly, "one for the last week", "one per week for the last # weeks"),
            (self.monthly, "one for the last month", "one per month for the last # months"),
            (self.yearly, "one for the last year", "one per year for the last # years"),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter(|(n, ..)| *n > 0)
            .map(|(n, one, many)| if n == 1 { one.to_owned() } else { many.replace('#', &n.to_string()) })
            .collect();
        let kept = if said.is_empty() { "only backups that are never removed".to_owned() } else { said.join(", ") };
        let young = match self.min_age_days {
            0 => String::new(),
            1 => ", and backups younger than 1 day".to_owned(),
            n => format!(", and backups younger than {n} days"),
        };
        format!(
            "Kept for each database: {kept}. Never removed: the newest complete backup, the newest backup that passed \
             a test restore, locked backups, backups being read{young}."
        )
    }
}

/// The facts about a complete backup in its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownBackup {
    /// Id of the backup.
    pub id: Uuid,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether it has passed a test restore.
    pub proven: bool,
    /// Whether its last test restore failed: it may be damaged.
    pub doubtful: bool,
    /// Not to be removed before this time.
    pub locked_until: Option<DateTime<Utc>>,
    /// Whether a test restore or a restore is reading it.
    pub in_use: bool,
}

/// Why a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    /// It is the newest complete backup.
    NewestGood,
    /// It is the newest backup that has passed a test restore.
    NewestProven,
    /// Somebody locked it.
    Locked,
    /// It is being read.
    InUse,
    /// It is younger than the minimum age.
    Young,
    /// It is one of the newest backups.
    Last,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
}

impl KeepReason {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewestGood => "the newest complete backup",
            Self::NewestProven => "the newest backup that passed a test restore",
            Self::Locked => "locked",
            Self::InUse => "being read",
            Self::Young => "younger than the minimum age",
            Self::Last => "among the latest",
            Self::Daily => "the newest of its day",
            Self::Weekly => "the newest of its week",
            Self::Monthly => "the newest of its month",
            Self::Yearly => "the newest of its year",
        }
    }
}

/// The decision on one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The backup.
    pub id: Uuid,
    /// Why it is kept; if empty, it is removed.
    pub stays: BTreeSet<KeepReason>,
}

impl Verdict {
    /// Whether it is removed.
    pub fn goes(&self) -> bool {
        self.stays.is_empty()
    }
}

/// Decides on the complete backups of one database. The result is sorted from the newest to the oldest.
pub fn judge(keep: &KeepCounts, backups: &[KnownBackup], now: DateTime<Utc>) -> Vec<Verdict> {
    let mut sorted: Vec<&KnownBackup> = backups.iter().collect();
    // Sort by id if two started at the same moment, so that the result does not depend on the order of the input.
    sorted.sort_by_key(|b| std::cmp::Reverse((b.at, b.id)));
    let newest = |fit: fn(&KnownBackup) -> bool| sorted.iter().find(|b| fit(b)).map(|b| b.id);
    // A backup whose last test restore failed may be damaged, so the newest without such a failure is kept too.
    let good = [newest(|_| true), newest(|b| !b.doubtful)];
    let proven = [newest(|b| b.proven), newest(|b| b.proven && !b.doubtful)];
    let periods: [(KeepReason, usize, Period); 4] = [
        (KeepReason::Daily, keep.daily, |at| (at.num_days_from_ce(), 0)),
        (KeepReason::Weekly, keep.weekly, |at| {
            let week = at.iso_week();
            (week.year(), week.week())
        }),
        (KeepReason::Monthly, keep.monthly, |at| (at.year(), at.month())),
        (KeepReason::Yearly, keep.yearly, |at| (at.year(), 0)),
    ];
    let wanted = periods.map(|(why, most, period)| (why, newest_of_each(&sorted, most, period)));
    let verdict = |(place, b): (usize, &&KnownBackup)| {
        let rules = [
            (KeepReason::NewestGood, good.contains(&Some(b.id))),
            (KeepReason::NewestProven, proven.contains(&Some(b.id))),
            (KeepReason::Locked, b.locked_until.is_some_and(|until| until > now)),
            (KeepReason::InUse, b.in_use),
            // This includes backups that appear to be in the future because the clock was set back.
            (KeepReason::Young, now - b.at < Duration::days(keep.min_age_days)),
            (KeepReason::Last, place < keep.last),
        ];
        let mut stays: BTreeSet<KeepReason> =
            rules.into_iter().filter(|(_, applies)| *applies).map(|(why, _)| why).collect();
        stays.extend(wanted.iter().filter(|(_, ids)| ids.contains(&b.id)).map(|(why, _)| *why));
        Verdict { id: b.id, stays }
    };
    sorted.iter().enumerate().map(verdict).collect()
}

/// Identifies the period that a moment belongs to.
type Period = fn(&DateTime<Utc>) -> (i32, u32);

/// The newest backup of each of the newest `most` periods that have any.
fn newest_of_each(sorted: &[&KnownBackup], most: usize, period: Period) -> BTreeSet<Uuid> {
    let mut kept = BTreeSet::new();
    let mut last = None;
    for b in sorted {
        let this = period(&b.at);
        if kept.len() < most && last != Some(this) {
            kept.insert(b.id);
        }
        last = Some(this);
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: KeepCounts = KeepCounts { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, min_age_days: 0 };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn known(n: u128, hours_ago: i64) -> KnownBackup {
        KnownBackup {
            id: Uuid::from_u128(n),
            at: now() - Duration::hours(hours_ago),
            proven: false,
            doubtful: false,
            locked_until: None,
            in_use: false,
        }
    }

    fn gone(keep: &KeepCounts, backups: &[KnownBackup]) -> BTreeSet<Uuid> {
        judge(keep, backups, now()).into_iter().filter(Verdict::goes).map(|v| v.id).collect()
    }

    #[test]
    fn a_year_of_nightly_backups_is_thinned_by_the_policy() {
        let nights: Vec<KnownBackup> = (0..400).map(|n| known(n, i64::try_from(n).unwrap() * 24)).collect();
        let keep = KeepCounts { last: 3, daily: 14, weekly: 8, monthly: 12, yearly: 3, min_age_days: 7 };
        let verdicts = judge(&keep, &nights, now());
        let stays = |why| verdicts.iter().filter(|v| v.stays.contains(&why)).count();
        assert_eq!(
            [
                KeepReason::Last,
                KeepReason::Daily,
                KeepReason::Weekly,
                KeepReason::Monthly,
                KeepReason::Yearly,
                KeepReason::Young,
                KeepReason::NewestGood
            ]
            .map(stays),
            [3, 14, 8, 12, 3, 7, 1]
        );
        // The newest backup of a week or month is often selected by another rule too.
        let kept = verdicts.iter().filter(|v| !v.goes()).count();
        assert!((14..14 + 8 + 12 + 3).contains(&kept), "{kept}");
    }

    #[test]
    fn a_doubtful_backup_does_not_replace_a_sound_one() {
        let doubtful = KnownBackup { proven: true, doubtful: true, ..known(1, 1) };
        let whole = KnownBackup { proven: true, ..known(2, 100) };
        let never_restored = known(3, 50);
        let old = known(4, 200);
        let backups = [doubtful, whole, never_restored, old];
        assert_eq!(gone(&NONE, &backups), BTreeSet::from([old.id]));
    }

    #[test]
    fn a_policy_reads_as_a_sentence() {
        let keep = KeepCounts { last: 1, daily: 14, yearly: 2, min_age_days: 1, ..NONE };
        assert_eq!(
            keep.sentence(),
            "Kept for each database: the latest backup, one per day for the last 14 days, one per year for the last 2 \
             years. Never removed: the newest complete backup, the newest backup that passed a test restore, locked \
             backups, backups being read, and backups younger than 1 day."
        );
    }

    fn backups() -> impl Strategy<Value = Vec<KnownBackup>> {
        let one = (
            0i64..20_000,
            any::<bool>(),
            any::<bool>(),
            proptest::option::of(-50i64..50),
            proptest::bool::weighted(0.1),
        );
        proptest::collection::vec(one, 0..60).prop_map(|list| {
            let made = list.into_iter().zip(1..).map(|((ago, proven, doubtful, locked, in_use), n)| KnownBackup {
                proven,
                doubtful,
                locked_until: locked.map(|h| now() + Duration::hours(h)),
                in_use,
                ..known(n, ago)
            });
            made.collect()
        })
    }

    fn keep() -> impl Strategy<Value = KeepCounts> {
        (0usize..5, 0usize..10, 0usize..6, 0usize..6, 0usize..3, 0i64..30).prop_map(
            |(last, daily, weekly, monthly, yearly, min_age_days)| KeepCounts {
                last,
                daily,
                weekly,
                monthly,
                yearly,
                min_age_days,
            },
        )
    }

    proptest! {
        #[test]
        fn newest_proven_locked_used_and_young_backups_are_kept(backups in backups(), keep in keep()) {
            let gone = gone(&keep, &backups);
            let newest = |fit: fn(&&KnownBackup) -> bool| backups.iter().filter(fit).max_by_key(|b| (b.at, b.id)).map(|b| b.id);
            for id in [newest(|_| true), newest(|b| !b.doubtful), newest(|b| b.proven), newest(|b| b.proven && !b.doubtful)] {
                prop_assert!(id.is_none_or(|id| !gone.contains(&id)));
            }
            for b in &backups {
                let held = b.in_use || b.locked_until.is_some_and(|at| at > now()) || now() - b.at < Duration::days(keep.min_age_days);
                prop_assert!(!(held && gone.contains(&b.id)));
            }
            prop_assert!(backups.len() - gone.len() >= keep.last.min(backups.len()));
        }

        #[test]
        fn a_second_run_removes_nothing_more(backups in backups(), keep in keep()) {
            let first = gone(&keep, &backups);
            let left: Vec<KnownBackup> = backups.into_iter().filter(|b| !first.contains(&b.id)).collect();
            prop_assert!(gone(&keep, &left).is_empty());
        }

        #[test]
        fn keeping_more_never_removes_more(backups in backups(), keep in keep(), more in keep()) {
            let bigger = KeepCounts {
                last: keep.last + more.last,
                daily: keep.daily + more.daily,
                weekly: keep.weekly + more.weekly,
                monthly: keep.monthly + more.monthly,
                yearly: keep.yearly + more.yearly,
                min_age_days: keep.min_age_days + more.min_age_days,
            };
            prop_assert!(gone(&bigger, &backups).is_subset(&gone(&keep, &backups)));
        }

        #[test]
        fn the_order_of_the_input_does_not_matter(backups in backups(), keep in keep()) {
            let mut turned = backups.clone();
            turned.reverse();
            prop_assert_eq!(judge(&keep, &backups, now()), judge(&keep, &turned, now()));
        }
    }
}
