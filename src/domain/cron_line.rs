//! Custom backup schedules: a cron expression with a time zone.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

use super::wall_clock::moments;

/// Maximum length in characters.
const LONGEST: usize = 200;
/// More than clocks in any zone are ever set back.
const CHANGE: Duration = Duration::hours(4);
/// An example for messages.
const EXAMPLE: &str = "“30 2 * * 1-5 Europe/Berlin”";

/// Five fields (minute, hour, day of month, month, day of week), optionally followed by a time zone.
///
/// The fields refer to local time in that zone. A time skipped by the clock runs at the moment of the change; a time
/// that occurs twice runs the first time, or both times if the expression matches every hour. No run is lost or made
/// twice.
#[derive(Debug, Clone)]
pub struct CronLine {
    text: String,
    cron: Cron,
    zone: Option<Tz>,
    hourly: bool,
}

impl PartialEq for CronLine {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronLine {}

impl CronLine {
    /// Parses a cron expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("Use at most {LONGEST} characters."));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let (fields, zone) = match words.as_slice() {
            [] => return Err(format!("Enter when to make backups, for example {EXAMPLE}.")),
            [fields @ .., zone] if fields.len() == 5 => (fields, Some(read_zone(zone)?)),
            fields if fields.len() == 5 => (fields, None),
            _ => {
                return Err(format!(
                    "“{text}” is not a valid cron expression. Enter five fields (minute, hour, day of month, month, \
                     day of week) and an optional time zone, for example {EXAMPLE}."
                ));
            }
        };
        let pattern = fields.join(" ");
        let cron: Cron = pattern.parse().map_err(|e| {
            format!(
                "“{pattern}” is not a valid cron expression ({e}). Enter one such as \
                                                 {EXAMPLE}."
            )
        })?;
        // A single minute per hour guarantees that two runs are at least an hour apart.
        if cron.pattern.minutes.values().len() != 1 {
            return Err(format!(
                "Backups can be made once an hour at most, so the first field must be a single minute, for example \
                 {EXAMPLE}."
            ));
        }
        let hourly = cron.pattern.hours.values().len() == 24;
        let text = words.join(" ");
        let line = Self { text, cron, zone, hourly };
        if line.next(Tz::UTC, DateTime::UNIX_EPOCH).is_none() {
            return Err(format!("“{pattern}” never matches a date."));
        }
        Ok(line)
    }

    /// The expression, with its fields separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The time zone of the expression, or `otherwise` if it has none.
    pub fn zone(&self, otherwise: Tz) -> Tz {
        self.zone.unwrap_or(otherwise)
    }

    /// The last run up to `now`.
    pub fn last(&self, otherwise: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone = self.zone(otherwise);
        let here = now.with_timezone(&zone).naive_local();
        let mut best: Option<DateTime<Utc>> = None;
        // Start a little ahead: a local time that occurs twice may be ahead of `now` on the clock and yet have occurred
        // before.
        let mut wall = here + CHANGE;
        while let Some(found) = self.on_the_wall(wall, true) {
            best = best.max(self.runs(zone, found).filter(|at| *at <= now).max());
            if best.is_some() && (!self.hourly || found + CHANGE < here) {
                return best;
            }
            wall = found - Duration::minutes(1);
        }
        best
    }

    /// The first run after `now`.
    pub fn next(&self, otherwise: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone = self.zone(otherwise);
        let here = now.with_timezone(&zone).naive_local();
        let mut best: Option<DateTime<Utc>> = None;
        let mut wall = here - CHANGE;
        while let Some(found) = self.on_the_wall(wall, false) {
            let run = self.runs(zone, found).filter(|at| *at > now).min();
            best = best.into_iter().chain(run).min();
            if best.is_some() && (!self.hourly || found - CHANGE > here) {
                return best;
            }
            wall = found + Duration::minutes(1);
        }
        best
    }

    /// The nearest local time that matches the fields, searching from `wall` backwards or forwards. It ignores time
    /// zones.
    fn on_the_wall(&self, wall: NaiveDateTime, back: bool) -> Option<NaiveDateTime> {
        let from = wall.and_utc();
        let found = if back {
            self.cron.find_previous_occurrence(&from, true)
        } else {
            self.cron.find_next_occurrence(&from, true)
        };
        found.ok().map(|at| at.naive_utc())
    }

    fn runs(&self, zone: Tz, wall: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let (first, second) = moments(zone, wall);
        let again = second.filter(|at| self.hourly && *at - first >= Duration::hours(1));
        std::iter::once(first).chain(again)
    }
}

/// The time zone of this name.
pub fn read_zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        format!(
            "There is no time zone “{name}”. Use a name such as Europe/Berlin, America/Los_Angeles \
                              or UTC."
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{TimeZone, Timelike};
    use proptest::prelude::*;

    use super::*;

    const ZONES: [Tz; 7] = [
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::America__Los_Angeles,
        Tz::America__St_Johns,
        Tz::Australia__Lord_Howe,
        Tz::Antarctica__Troll,
        Tz::Africa__Casablanca,
    ];
    const LINES: [&str; 9] = [
        "30 2 * * *",
        "0 2 * * *",
        "15 1,3 * * *",
        "45 0-3 * * *",
        "5 * * * *",
        "59 1 * * 7",
        "0 0 * * *",
        "30 */2 * * *",
        "10 2 25-31 3,10 *",
    ];

    fn line(text: &str) -> CronLine {
        CronLine::parse(text).unwrap()
    }

    /// The runs as seen by somebody who checks the local clock every minute and never repeats work unless it is hourly.
    /// A skipped run is made when the skip is noticed.
    fn watched(line: &CronLine, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
        let clock = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
        let due = |wall: NaiveDateTime| line.cron.is_time_matching(&wall.and_utc()).unwrap();
        let (mut runs, mut latest, mut now) =
            (BTreeSet::new(), clock(from - Duration::days(1)), from - Duration::days(1));
        while now <= to {
            let shown = clock(now);
            let mut new = latest + Duration::minutes(1);
            if shown <= latest && line.hourly && due(shown) && !runs.contains(&(now - Duration::minutes(30))) {
                runs.insert(now);
            }
            while new <= shown {
                if due(new) {
                    runs.insert(now);
                }
                new += Duration::minutes(1);
            }
            latest = latest.max(shown);
            now += Duration::minutes(1);
        }
        runs.retain(|at| *at >= from);
        runs
    }

    fn compare(line: &CronLine, zone: Tz, from: DateTime<Utc>, days: i64) {
        let to = from + Duration::days(days);
        let expected = watched(line, zone, from, to);
        let said = format!("{} in {zone} from {from}", line.as_str());
        let mut found = BTreeSet::new();
        let mut at = from - Duration::seconds(1);
        while let Some(next) = line.next(zone, at).filter(|n| *n <= to) {
            assert!(next > at, "{said}: the next one is later");
            found.insert(next);
            at = next;
        }
        assert_eq!(found, expected, "{said}: none lost, none twice");
        let mut at = to;
        while let Some(last) = line.last(zone, at).filter(|l| *l >= from) {
            assert!(last <= at, "{said}: never in the future");
            assert!(found.remove(&last), "{said}: {last} is one of them");
            at = last - Duration::seconds(1);
        }
        assert!(found.is_empty(), "{said}: looking back misses {found:?}");
    }

    #[test]
    fn no_run_is_skipped_or_repeated_when_clocks_change() {
        let mut changes = 0;
        for zone in ZONES {
            let mut day = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
            for _ in 0..365 {
                let offset = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
                if offset(day) != offset(day + Duration::days(1)) {
                    changes += 1;
                    for text in LINES {
                        compare(&line(text), zone, day - Duration::days(1), 3);
                    }
                }
                day += Duration::days(1);
            }
        }
        assert!(changes >= 12, "{changes}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn no_run_lies_between_last_and_next(
            zone in 0..ZONES.len(), text in 0..LINES.len(), second in 1_700_000_000i64..1_900_000_000, step in 0i64..90_000
        ) {
            let (zone, line) = (ZONES[zone], line(LINES[text]));
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let (last, next) = (line.last(zone, now).unwrap(), line.next(zone, now).unwrap());
            prop_assert!(last <= now && now < next);
            prop_assert_eq!(line.last(zone, next), Some(next));
            prop_assert_eq!(line.next(zone, last), Some(next));
            prop_assert_eq!(line.last(zone, next - Duration::seconds(1)), Some(last));
            let later = line.last(zone, now + Duration::seconds(step)).unwrap();
            prop_assert!(later >= last, "monotone");
            prop_assert!(next - last >= Duration::minutes(30), "{} {}", last, next);
            prop_assert_eq!((last.second(), next.second()), (0, 0));
        }

        #[test]
        fn any_text_is_parsed_or_rejected_with_a_sentence(text in ".{0,40}", fields in "[0-9*/,LW#a-z -]{0,30}") {
            for text in [text, fields] {
                match CronLine::parse(&text) {
                    Ok(line) => prop_assert_eq!(CronLine::parse(line.as_str()).unwrap(), line),
                    Err(why) => prop_assert!(why.ends_with('.') && why.len() > 20, "{}", why),
                }
            }
        }
    }

    #[test]
    fn invalid_cron_lines_are_rejected_with_a_sentence() {
        for (text, why) in [
            ("", "Enter when to make backups"),
            ("30 2 * *", "five fields"),
            ("0 30 2 * * *", "There is no time zone “*”"),
            ("30 2 * * * Europe/Atlantis", "There is no time zone “Europe/Atlantis”"),
            ("30 25 * * *", "is not a valid cron expression"),
            ("*/10 * * * *", "once an hour at most"),
            ("* 2 * * *", "once an hour at most"),
            ("0,30 2 * * * UTC", "once an hour at most"),
            ("@daily", "five fields"),
            ("0 0 30 2 *", "never matches"),
        ] {
            let said = CronLine::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert_eq!(line("  30   2 * * 1-5  Europe/Berlin ").as_str(), "30 2 * * 1-5 Europe/Berlin");
        assert_eq!(line("30 2 * * 1-5 Europe/Berlin").zone(Tz::UTC), Tz::Europe__Berlin);
        assert_eq!(line("30 2 29 2 *").zone(Tz::Asia__Tokyo), Tz::Asia__Tokyo);
    }
}
