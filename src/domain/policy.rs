//! When a database is backed up by itself.

use chrono::{DateTime, Duration, NaiveTime, Utc};
use uuid::Uuid;

/// A backup policy, as in the field `backup_freq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Not by itself.
    Never,
}

/// When backups are made: the hour of the day (UTC) they begin at, and the minutes over which they are spread.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minutes.
    pub spread: i64,
}

/// Days after which the newest backup of a database is drilled again.
pub const DRILL_DAYS: i64 = 7;
/// Hours after which a backup that was due is surely made.
const SLOWEST_HOURS: i64 = 12;

impl Policy {
    /// Every policy, in the order of the form.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Never];

    /// The policy with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Daily => "Every night",
            Self::Weekly => "Once a week",
            Self::Never => "Never",
        }
    }

    /// The policy that a form or a body names; an empty one is `otherwise`.
    ///
    /// # Errors
    /// A sentence with those there are.
    pub fn read(word: &str, otherwise: Self) -> Result<Self, String> {
        if word.is_empty() {
            return Ok(otherwise);
        }
        Self::parse(word).ok_or_else(|| format!("“{word}” is no schedule. Write Daily, Weekly or Never."))
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
            Self::Never => "Never",
        }
    }

    /// The last moment up to `now` at which this database was due. Each has a time (and, weekly, a day) of its own,
    /// drawn from its id, so that they don't all begin at once and a restart of the portal changes nothing.
    pub fn last_due(self, id: Uuid, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The last bytes of a version 7 id are random.
        let draw = i64::try_from(id.as_u128() & 0xffff_ffff).unwrap_or(0);
        let days = match self {
            Self::Daily => 1,
            Self::Weekly => 7,
            Self::Never => return None,
        };
        let minute = if window.spread > 0 { draw % window.spread } else { 0 };
        let at = NaiveTime::from_hms_opt(window.hour, 0, 0)?;
        // Counted from a fixed day, so that a week begins on the database's own day.
        let today = now.date_naive();
        let since = today.signed_duration_since(chrono::NaiveDate::from_ymd_opt(2000, 1, 1)?).num_days();
        let back = (since - (draw / 1440) % days).rem_euclid(days);
        let mut due = (today - Duration::days(back)).and_time(at).and_utc() + Duration::minutes(minute);
        // Twice where the spread goes past midnight.
        while due > now {
            due -= Duration::days(days);
        }
        Some(due)
    }

    /// Whether a backup made now may be the one that is drilled next, where the last drill was `drilled`: the next is due before another backup of this policy can be whole.
    pub fn may_be_drilled(self, id: Uuid, window: Window, now: DateTime<Utc>, drilled: Option<DateTime<Utc>>) -> bool {
        let Some(drilled) = drilled else { return true };
        let until = drilled + Duration::days(DRILL_DAYS) - Duration::hours(SLOWEST_HOURS);
        until <= now || self.last_due(id, window, until).is_none_or(|another| another <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_never_in_the_future_and_never_longer_ago_than_the_policy(
            id in any::<u128>(), hour in 0u32..24, spread in 0i64..720, second in 1_700_000_000i64..1_900_000_000
        ) {
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let window = Window { hour, spread };
            for (policy, days) in [(Policy::Daily, 1), (Policy::Weekly, 7)] {
                let due = policy.last_due(Uuid::from_u128(id), window, now).unwrap();
                prop_assert!(due <= now && now - due < Duration::days(days) + Duration::minutes(720), "{policy:?} {due} {now}");
                // The same in the next minute, unless that minute is due itself.
                let later = policy.last_due(Uuid::from_u128(id), window, now + Duration::minutes(1)).unwrap();
                prop_assert!(later == due || later == due + Duration::days(days));
            }
            prop_assert_eq!(Policy::Never.last_due(Uuid::from_u128(id), window, now), None);
        }

        #[test]
        fn the_backup_that_is_drilled_next_was_made_for_it(id in any::<u128>(), hour in 0u32..24, spread in 0i64..720, took in 0i64..11 * 60) {
            let (id, window) = (Uuid::from_u128(id), Window { hour, spread });
            for policy in [Policy::Daily, Policy::Weekly, Policy::Never] {
                let mut now = DateTime::from_timestamp(1_750_000_000, 0).unwrap();
                let (mut newest, mut under_way, mut drilled) = (None, None, None);
                let (mut last, mut sums, mut all) = (now, 0, 0);
                for _ in 0..30 * 24 * 4 {
                    now += Duration::minutes(15);
                    if let Some((until, sums)) = under_way.filter(|(until, _)| *until <= now) {
                        (newest, under_way) = (Some((until, sums)), None);
                    }
                    if policy.last_due(id, window, now).is_none_or(|due| due > last) && under_way.is_none() && (all == 0 || policy != Policy::Never) {
                        let with = policy.may_be_drilled(id, window, now, drilled);
                        (last, under_way, all, sums) = (now, Some((now + Duration::minutes(took), with)), all + 1, sums + usize::from(with));
                    }
                    if let Some((_, with)) = newest && drilled.is_none_or(|at| now - at > Duration::days(DRILL_DAYS)) {
                        prop_assert!(with, "{policy:?}: drilled at {now} without sums");
                        drilled = Some(now);
                    }
                }
                if policy == Policy::Daily {
                    prop_assert!(sums <= 12 && all >= 29, "{sums} of {all} backups have sums");
                }
            }
        }
    }
}
