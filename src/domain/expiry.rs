//! Expiry of databases: when owners are warned, and which databases the reaper looks for.

use chrono::{DateTime, TimeDelta, Utc};

/// The databases that the reaper removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReaperFilter {
    /// They have expired.
    Expired,
    /// They should be running, but their container has exited.
    Dead,
    /// Their container is running, but the server does not respond.
    Unhealthy,
}

impl ReaperFilter {
    /// All filters.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Dead, Self::Unhealthy];

    /// Its word in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Dead => "dead",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// The filter with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == word)
    }
}

/// Whether a database that expires at `end` has expired.
pub fn is_over(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    end.is_some_and(|end| end <= now)
}

/// How long before the expiry an owner is warned.
const LEADS: [TimeDelta; 2] = [TimeDelta::hours(24), TimeDelta::hours(1)];
/// A time to live up to this is short: there is one warning, when a tenth of it is left.
const SHORT: TimeDelta = TimeDelta::hours(48);

/// The longest time before the expiry at which anybody is warned.
pub const LONGEST_LEAD: TimeDelta = TimeDelta::hours(24);

/// Whether a warning is due at `now` about an expiry that was set at `set_at`, if the last warning was at `warned_at`.
pub fn warning_is_due(
    (set_at, end): (DateTime<Utc>, DateTime<Utc>),
    warned_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    let lifetime = end - set_at;
    let tenth = [lifetime / 10];
    let leads = if lifetime <= SHORT { &tenth[..] } else { &LEADS[..] };
    leads.iter().map(|lead| end - *lead).any(|at| at <= now && warned_at.is_none_or(|warned| warned < at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The times at which somebody who looks every minute warns.
    fn warnings(set_at: DateTime<Utc>, end: DateTime<Utc>) -> Vec<TimeDelta> {
        let (mut found, mut warned, mut now) = (Vec::new(), None, set_at);
        while now < end {
            if warning_is_due((set_at, end), warned, now) {
                found.push(end - now);
                warned = Some(now);
            }
            now += TimeDelta::minutes(1);
        }
        found
    }

    #[test]
    fn owners_are_warned_a_day_and_an_hour_before_expiry() {
        let set_at = utc("2026-11-29T12:00:00Z");
        let day_and_hour = vec![TimeDelta::hours(24), TimeDelta::hours(1)];
        assert_eq!(warnings(set_at, set_at + TimeDelta::days(30)), day_and_hour);
        assert_eq!(warnings(set_at, set_at + TimeDelta::hours(49)), day_and_hour);
        assert_eq!(warnings(set_at, set_at + TimeDelta::hours(20)), [TimeDelta::hours(2)]);
        assert_eq!(warnings(set_at, set_at + TimeDelta::minutes(30)), [TimeDelta::minutes(3)]);
    }

    #[test]
    fn a_database_expires_exactly_at_its_expiry() {
        let now = utc("2026-11-29T12:00:00Z");
        assert!(is_over(Some(now), now));
        assert!(!is_over(Some(now + TimeDelta::seconds(1)), now) && !is_over(None, now));
    }

    #[test]
    fn only_one_warning_follows_a_downtime() {
        let (set_at, end) = (utc("2026-11-01T00:00:00Z"), utc("2026-12-01T00:00:00Z"));
        let now = end - TimeDelta::minutes(5);
        assert!(warning_is_due((set_at, end), None, now));
        assert!(warning_is_due((set_at, end), Some(end - TimeDelta::hours(20)), now));
        assert!(!warning_is_due((set_at, end), Some(now - TimeDelta::seconds(1)), now));
        assert!(!warning_is_due((set_at, end), None, end - TimeDelta::hours(25)));
    }

    #[test]
    fn every_reaper_filter_round_trips() {
        for filter in ReaperFilter::ALL {
            assert_eq!(ReaperFilter::parse(filter.as_str()), Some(filter));
        }
        assert_eq!(ReaperFilter::parse("all"), None);
    }
}
