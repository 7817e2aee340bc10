//! Retention of mydb_admin backups: all of the last two days, and the first of each day of the last three months.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};

/// Hours for which all are kept.
const ALL_HOURS: i64 = 48;
/// Days for which one per day is kept.
const DAYS: i64 = 90;
/// Number of the newest kept whatever their age: a portal that was off for a year must not lose its last backups.
const NEWEST: usize = 24;

/// The backups to remove from `there`, which is sorted newest first.
pub fn goes<T: Clone>(there: &[(DateTime<Utc>, T)], now: DateTime<Utc>) -> Vec<T> {
    let mut days = HashSet::new();
    // From the oldest on, so that the first of each day is kept.
    let first: HashSet<DateTime<Utc>> =
        there.iter().rev().filter(|(at, _)| days.insert(at.date_naive())).map(|(at, _)| *at).collect();
    there
        .iter()
        .enumerate()
        .filter(|(n, (at, _))| {
            let age = now - *at;
            let kept = age < Duration::hours(ALL_HOURS) || (age < Duration::days(DAYS) && first.contains(at));
            *n >= NEWEST && !kept
        })
        .map(|(_, (_, what))| what.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::recovery::retention::*;

    #[test]
    fn all_of_two_days_and_one_a_day_are_kept_and_always_the_newest() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let hourly: Vec<_> = (0..24 * 120).map(|h| (now - Duration::hours(h), h)).collect();
        let gone: HashSet<i64> = goes(&hourly, now).into_iter().collect();
        let kept: Vec<i64> = (0..24 * 120).filter(|h| !gone.contains(h)).collect();
        assert!((0..48).all(|h| kept.contains(&h)) && kept.len() > 130 && kept.len() < 140, "{}", kept.len());
        // A second run removes nothing more.
        let left: Vec<_> = hourly.iter().filter(|(_, h)| !gone.contains(h)).copied().collect();
        assert!(goes(&left, now).is_empty());
        // After a year without backups the last ones are still kept.
        assert_eq!(goes(&left, now + Duration::days(400)).len(), left.len() - NEWEST);
    }
}
