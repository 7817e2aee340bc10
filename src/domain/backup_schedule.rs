//! Backup schedules: when databases are backed up automatically.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::cron_line::CronLine;
use super::wall_clock::{describe, moments};

/// The form option that takes a cron expression from a separate field.
pub const OWN: &str = "cron";

/// Hours within which a due backup must have been made.
const GRACE_HOURS: i64 = 6;

/// A backup schedule, as in the field `backup_freq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// No automatic backups.
    Never,
    /// A custom schedule.
    Own(Box<CronLine>),
}

/// When daily and weekly backups are made: the hour they start at, and the minutes over which they are spread.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Hour of the day, 0 to 23.
    pub hour: u32,
    /// Minutes over which the backups are spread.
    pub spread: i64,
    /// The time zone of that hour, and of cron expressions without a zone.
    pub zone: Tz,
}

/// Days after which the newest backup of a database gets another test restore.
pub const DRILL_DAYS: i64 = 7;
/// Hours after which a due backup has certainly been made.
const SLOWEST_HOURS: i64 = 12;

impl Policy {
    /// The schedules that are a single word, in the order of the form.
    pub const WORDS: [Self; 3] = [Self::Daily, Self::Weekly, Self::Never];

    /// Parses a schedule; `None` if it is empty or invalid.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text, Self::Never).ok().filter(|_| !text.is_empty())
    }

    /// Parses the schedule of a row. An unreadable one counts as daily: one backup too many does no harm.
    pub fn stored(text: &str) -> Self {
        Self::parse(text).unwrap_or(Self::Daily)
    }

    /// A label for people.
    pub fn label(&self) -> String {
        match self {
            Self::Daily => "Every night".to_owned(),
            Self::Weekly => "Once a week".to_owned(),
            Self::Never => "Never".to_owned(),
            Self::Own(line) => format!("Custom: “{}”", line.as_str()),
        }
    }

    /// The schedule as part of a sentence.
    pub fn promise(&self) -> String {
        match self {
            Self::Own(line) => format!("custom schedule “{}”", line.as_str()),
            word => word.label().to_lowercase(),
        }
    }

    /// Parses the schedule in a form or request body; an empty text means `otherwise`.
    pub fn read(text: &str, otherwise: Self) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(otherwise);
        }
        if let Some(known) = Self::WORDS.into_iter().find(|p| p.as_str() == text) {
            return Ok(known);
        }
        if !text.contains(char::is_whitespace) {
            return Err(format!(
                "“{text}” is not a valid schedule. Use Daily, Weekly, Never or a cron expression such as “30 2 * * \
                 1-5 Europe/Berlin”."
            ));
        }
        CronLine::parse(text).map(|line| Self::Own(Box::new(line)))
    }

    /// Its text in the database.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
            Self::Never => "Never",
            Self::Own(line) => line.as_str(),
        }
    }

    /// The last moment up to `now` at which this database was due. Each database has its own time (and, if weekly, its
    /// own day), derived from its id, so that backups don't all start at once and restarts of the portal change
    /// nothing.
    pub fn last_due(&self, id: Uuid, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let round = match self {
            Self::Own(line) => return line.last(window.zone, now),
            _ => Rotation::of(self.days()?, id, window)?,
        };
        // Start with the next occurrence, because the spread may extend past midnight.
        (-1..=3).map(|back| round.before(now, back)).find(|due| *due <= now)
    }

    /// The first moment after `now` at which this database is due.
    pub fn next_due(&self, id: Uuid, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let round = match self {
            Self::Own(line) => return line.next(window.zone, now),
            _ => Rotation::of(self.days()?, id, window)?,
        };
        (-3..=3).rev().map(|back| round.before(now, back)).find(|due| *due > now)
    }

    /// The last due moment that is so long ago that the backup must have been made by now.
    pub fn overdue(&self, id: Uuid, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut due = self.last_due(id, window, now)?;
        while now - due < self.grace(id, window, due) {
            due = self.last_due(id, window, due - Duration::seconds(1))?;
        }
        Some(due)
    }

    /// Whether a backup made now may be used for the next test restore, if the last one was at `drilled`: the next test
    /// restore is due before another backup of this schedule can be complete.
    pub fn may_be_drilled(&self, id: Uuid, window: Window, now: DateTime<Utc>, drilled: Option<DateTime<Utc>>) -> bool {
        let Some(drilled) = drilled else { return true };
        let until = drilled + Duration::days(DRILL_DAYS) - Duration::hours(SLOWEST_HOURS);
        until <= now || self.last_due(id, window, until).is_none_or(|another| another <= now)
    }

    /// When the missed backup was due, if one was not made in time. The schedule has been in force since `since`, and
    /// the newest complete backup was made at `good`.
    pub fn missed(
        &self,
        id: Uuid,
        window: Window,
        (since, good): (DateTime<Utc>, Option<DateTime<Utc>>),
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let due = self.overdue(id, window, now)?;
        (due >= since && good.is_none_or(|at| at < due)).then_some(due)
    }

    /// Time within which a due backup must have been made: some hours, but not longer than until the next one is due.
    fn grace(&self, id: Uuid, window: Window, due: DateTime<Utc>) -> Duration {
        let next = self.next_due(id, window, due).map_or(Duration::MAX, |next| next - due);
        next.min(Duration::hours(GRACE_HOURS))
    }

    /// A sentence that says when the next backup is due.
    pub fn sentence(&self, id: Uuid, window: Window, now: DateTime<Utc>) -> String {
        let how = match self {
            Self::Daily => "Backups are made every night".to_owned(),
            Self::Weekly => "Backups are made every week".to_owned(),
            Self::Never => return "Automatic backups are off. You can turn them on in the settings.".to_owned(),
            Self::Own(line) => format!("Backups follow a custom schedule, “{}”", line.as_str()),
        };
        let zone = match self {
            Self::Own(line) => line.zone(window.zone),
            _ => window.zone,
        };
        match self.next_due(id, window, now) {
            Some(next) => format!("{how}; the next one is due {}.", describe(next, zone)),
            None => format!("{how}."),
        }
    }

    fn days(&self) -> Option<i64> {
        match self {
            Self::Daily => Some(1),
            Self::Weekly => Some(7),
            Self::Never | Self::Own(_) => None,
        }
    }
}

/// The schedule of one database that recurs every given number of days.
struct Rotation {
    days: i64,
    /// The day within this period.
    day: i64,
    /// Minutes after the full hour.
    minute: i64,
    at: NaiveTime,
    zone: Tz,
    first: NaiveDate,
}

impl Rotation {
    fn of(days: i64, id: Uuid, window: Window) -> Option<Self> {
        // The last bytes of a version 7 UUID are random.
        let draw = i64::try_from(id.as_u128() & 0xffff_ffff).unwrap_or(0);
        Some(Self {
            days,
            day: (draw / 1440) % days,
            minute: if window.spread > 0 { draw % window.spread } else { 0 },
            at: NaiveTime::from_hms_opt(window.hour, 0, 0)?,
            zone: window.zone,
            // Count from a fixed day, so that each database's week starts on its own day.
            first: NaiveDate::from_ymd_opt(2000, 1, 1)?,
        })
    }

    /// The occurrence in the current period, or the given number of periods before it.
    fn before(&self, now: DateTime<Utc>, rounds: i64) -> DateTime<Utc> {
        let today = now.with_timezone(&self.zone).date_naive();
        let since = today.signed_duration_since(self.first).num_days();
        let back = (since - self.day).rem_euclid(self.days) + rounds * self.days;
        moments(self.zone, (today - Duration::days(back)).and_time(self.at)).0 + Duration::minutes(self.minute)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Berlin, Tz::America__Los_Angeles, Tz::Pacific__Auckland];

    proptest! {
        #[test]
        fn the_last_due_time_is_past_and_within_one_period(
            id in any::<u128>(), hour in 0u32..24, spread in 0i64..720, zone in 0..ZONES.len(), second in 1_700_000_000i64..1_900_000_000
        ) {
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let window = Window { hour, spread, zone: ZONES[zone] };
            let id = Uuid::from_u128(id);
            for (policy, days) in [(Policy::Daily, 1), (Policy::Weekly, 7)] {
                let due = policy.last_due(id, window, now).unwrap();
                // A day on which clocks are set back is an hour longer.
                let longest = Duration::days(days) + Duration::hours(1);
                prop_assert!(due <= now && now - due < longest, "{policy:?} {due} {now}");
                let next = policy.next_due(id, window, now).unwrap();
                prop_assert!(next > now && next - due <= longest && next - due >= Duration::days(days) - Duration::hours(1));
                // The result does not change in the next minute, unless that minute is due itself.
                let later = policy.last_due(id, window, now + Duration::minutes(1)).unwrap();
                prop_assert!(later == due || later == next);
                prop_assert_eq!(policy.last_due(id, window, next), Some(next));
                let overdue = policy.overdue(id, window, now).unwrap();
                prop_assert!(overdue <= due && now - overdue >= Duration::hours(GRACE_HOURS));
            }
            prop_assert_eq!(Policy::Never.last_due(id, window, now), None);
            prop_assert_eq!(Policy::Never.next_due(id, window, now), None);
        }

        #[test]
        fn the_next_tested_backup_has_fingerprints(id in any::<u128>(), hour in 0u32..24, spread in 0i64..720, took in 0i64..11 * 60) {
            let (id, window) = (Uuid::from_u128(id), Window { hour, spread, zone: Tz::UTC });
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

    #[test]
    fn a_run_is_missed_after_the_grace_period_or_when_the_next_is_due() {
        let window = Window { hour: 1, spread: 0, zone: Tz::UTC };
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let overdue = |line: &str, now: &str| Policy::stored(line).overdue(Uuid::nil(), window, at(now)).unwrap();
        assert_eq!(overdue("Daily", "2026-11-25T06:59:00Z"), at("2026-11-24T01:00:00Z"));
        assert_eq!(overdue("Daily", "2026-11-25T07:00:00Z"), at("2026-11-25T01:00:00Z"));
        assert_eq!(overdue("15 * * * *", "2026-11-25T07:20:00Z"), at("2026-11-25T06:15:00Z"));
        assert_eq!(overdue("15 3 * * *", "2026-11-25T09:14:00Z"), at("2026-11-24T03:15:00Z"));
        assert_eq!(overdue("15 3 * * * Europe/Berlin", "2026-11-25T08:15:00Z"), at("2026-11-25T02:15:00Z"));
    }

    #[test]
    fn the_next_run_is_described_in_words() {
        let now: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        let said =
            |text: &str, zone| Policy::stored(text).sentence(Uuid::nil(), Window { hour: 1, spread: 0, zone }, now);
        assert_eq!(
            said("30 2 * * 1-5 Europe/Berlin", Tz::UTC),
            "Backups follow a custom schedule, “30 2 * * 1-5 Europe/Berlin”; the next one is due 2026-11-26 01:30 UTC \
             (2026-11-26 02:30 in Europe/Berlin)."
        );
        assert_eq!(said("Daily", Tz::UTC), "Backups are made every night; the next one is due 2026-11-26 01:00 UTC.");
        assert!(said("Daily", Tz::Asia__Tokyo).ends_with("2026-11-25 16:00 UTC (2026-11-26 01:00 in Asia/Tokyo)."));
        assert!(said("Never", Tz::UTC).starts_with("Automatic backups are off."));
    }

    #[test]
    fn invalid_schedules_are_rejected_with_a_sentence() {
        assert_eq!(Policy::read("", Policy::Weekly), Ok(Policy::Weekly));
        assert!(
            Policy::read("hourly", Policy::Daily).unwrap_err().contains("Daily, Weekly, Never or a cron expression")
        );
        assert!(Policy::read("* * * * *", Policy::Daily).unwrap_err().contains("once an hour at most"));
        assert_eq!(Policy::stored("rubbish"), Policy::Daily);
        assert_eq!(Policy::parse(""), None);
        let own = Policy::read(" 0 4  * * * ", Policy::Daily).unwrap();
        assert_eq!((own.as_str(), own.label().as_str()), ("0 4 * * *", "Custom: “0 4 * * *”"));
    }
}
