//! Converts local times to moments, including on days when clocks change.

use chrono::{DateTime, Duration, MappedLocalTime, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// The most minutes that clocks have ever been set forward: once, a whole day was skipped.
const LONGEST_GAP: i64 = 26 * 60;

/// The moment at which a clock in `zone` shows `local`. For a skipped time, this is the moment of the change; for a
/// time that occurs twice, it is the first occurrence, and the second one is returned with it.
pub fn moments(zone: Tz, local: NaiveDateTime) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => (at.to_utc(), None),
        MappedLocalTime::Ambiguous(one, other) => (one.min(other).to_utc(), Some(one.max(other).to_utc())),
        MappedLocalTime::None => (after_gap(zone, local), None),
    }
}

fn after_gap(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let whole = local.with_second(0).and_then(|l| l.with_nanosecond(0)).unwrap_or(local);
    let later = (1..=LONGEST_GAP)
        .filter_map(|minute| zone.from_local_datetime(&(whole + Duration::minutes(minute))).earliest());
    // No zone skips more than that; if one ever does, UTC is as good as any other time.
    later.map(|at| at.to_utc()).next().unwrap_or_else(|| local.and_utc())
}

/// A moment for people: in UTC, and in local time of `zone` if it differs.
pub fn describe(at: DateTime<Utc>, zone: Tz) -> String {
    let utc = at.format("%Y-%m-%d %H:%M UTC");
    if zone == Tz::UTC {
        utc.to_string()
    } else {
        format!("{utc} ({} in {zone})", at.with_timezone(&zone).format("%Y-%m-%d %H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn skipped_and_repeated_local_times_are_resolved() {
        let berlin = Tz::Europe__Berlin;
        assert_eq!(moments(berlin, local("2026-07-01T02:30:00")), (utc("2026-07-01T00:30:00Z"), None));
        assert_eq!(moments(berlin, local("2026-03-29T02:30:00")), (utc("2026-03-29T01:00:00Z"), None));
        let twice = (utc("2026-10-25T00:30:00Z"), Some(utc("2026-10-25T01:30:00Z")));
        assert_eq!(moments(berlin, local("2026-10-25T02:30:00")), twice);
        // A skipped day, and a shift of half an hour.
        assert_eq!(moments(Tz::Pacific__Apia, local("2011-12-30T12:00:00")).0, utc("2011-12-30T10:00:00Z"));
        let (first, second) = moments(Tz::Australia__Lord_Howe, local("2026-04-05T01:45:00"));
        assert_eq!(second.unwrap() - first, Duration::minutes(30));
    }

    #[test]
    fn a_time_is_described_in_utc_and_local_time() {
        let at = utc("2026-11-26T01:30:00Z");
        assert_eq!(describe(at, Tz::UTC), "2026-11-26 01:30 UTC");
        assert_eq!(describe(at, Tz::Europe__Berlin), "2026-11-26 01:30 UTC (2026-11-26 02:30 in Europe/Berlin)");
    }
}
