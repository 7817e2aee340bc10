//! The time to live of a database: a duration or a date, as people and scripts write it.

use std::fmt;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;

use super::wall_clock::moments;

/// Longest time to live that can be entered, in days: a century.
const CENTURY: i64 = 36_525;
/// Longest part of an input that a message repeats, in characters.
const QUOTED: usize = 40;
/// Words for “never”, besides an empty text.
const FOREVER: [&str; 3] = ["never", "forever", "for ever"];
/// The units, the largest first.
const UNITS: [Unit; 4] = [
    Unit { words: &["w", "week", "weeks"], seconds: 604_800 },
    Unit { words: &["d", "day", "days"], seconds: 86_400 },
    Unit { words: &["h", "hour", "hours"], seconds: 3600 },
    Unit { words: &["m", "minute", "minutes", "min"], seconds: 60 },
];
/// The unit of a number without one.
const SECOND: Unit = Unit { words: &["s", "second", "seconds", "sec"], seconds: 1 };
/// Date-times without a time zone.
const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];

/// A unit of time.
#[derive(Debug, Clone, Copy)]
struct Unit {
    /// Its names: short, singular, plural, and other words for it.
    words: &'static [&'static str],
    seconds: i64,
}

/// A time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// It never expires.
    Forever,
    /// This long from now.
    Lasting(Lifetime),
    /// Until this moment.
    Until(DateTime<Utc>),
}

impl Ttl {
    /// Parses `45m`, `8h`, `7d`, `2w`, a number of seconds, a date (the end of that day in `zone`), a date-time in
    /// `zone`, or one with its offset as in RFC 3339. ` UTC` after a date selects that time zone. Empty means never.
    ///
    /// # Errors
    /// Why it is not a time to live.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, TtlFault> {
        let text = text.trim();
        if text.is_empty() || FOREVER.contains(&text.to_ascii_lowercase().as_str()) {
            return Ok(Self::Forever);
        }
        if looks_like_date(text) {
            return date(text, zone).map(|at| Self::Until(at.trunc_subsecs(0)));
        }
        Lifetime::parse(text).map(Self::Lasting)
    }

    /// When it expires, counted from `now`, in whole seconds; `None` if never.
    ///
    /// # Errors
    /// The time has passed, or is more than a century ahead.
    pub fn end(self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, TtlFault> {
        match self {
            Self::Forever => Ok(None),
            Self::Until(at) if at <= now => Err(TtlFault::Past(at)),
            Self::Until(at) if at - now > TimeDelta::days(CENTURY) => Err(TtlFault::TooLong),
            Self::Until(at) => Ok(Some(at)),
            Self::Lasting(lifetime) => Ok(Some(lifetime.from(now))),
        }
    }

    /// The same within the limits of a site.
    ///
    /// # Errors
    /// Those of [`Ttl::end`], and a time later than the longest time to live.
    pub fn end_within(self, limits: TtlLimits, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, TtlFault> {
        let end = self.end(now)?;
        match limits.longest {
            Some(longest) if end.is_none() => Err(TtlFault::EndRequired(longest)),
            // Rounded up, so that a date-time typed to the minute is not refused for the second it was sent in.
            Some(longest) if end.is_some_and(|at| at > longest.from(now) + TimeDelta::minutes(1)) => {
                Err(TtlFault::BeyondLongest(longest))
            }
            _ => Ok(end),
        }
    }
}

/// A duration of whole seconds, at least one and at most a century.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(i64);

impl Lifetime {
    /// Parses `45m`, `8h`, `7d`, `2w` or a number of seconds.
    ///
    /// # Errors
    /// Why it is not a duration.
    pub fn parse(text: &str) -> Result<Self, TtlFault> {
        let text = text.trim();
        let quoted = || quote(text);
        let (negative, rest) = match text.strip_prefix(['-', '−']) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let unit = unit.trim().to_ascii_lowercase();
        if number.is_empty() {
            return Err(TtlFault::NotATime(quoted()));
        }
        if has_exponent(&unit) {
            return Err(TtlFault::Exponent(quoted()));
        }
        if unit.starts_with(['.', ',']) {
            return Err(TtlFault::Fraction(quoted()));
        }
        let known = UNITS.iter().chain([&SECOND]).find(|known| known.words.contains(&unit.as_str()));
        let seconds = match known {
            Some(known) => known.seconds,
            None if unit.is_empty() => 1,
            None => return Err(TtlFault::NotATime(quoted())),
        };
        if number.bytes().all(|b| b == b'0') {
            return Err(TtlFault::Zero);
        }
        if negative {
            return Err(TtlFault::Negative(quoted()));
        }
        let total = number.parse::<i64>().ok().and_then(|n| n.checked_mul(seconds));
        total.filter(|total| *total <= CENTURY * 86_400).map(Self).ok_or(TtlFault::TooLong)
    }

    /// The text that [`Lifetime::parse`] reads as the same duration.
    pub fn exact(self) -> String {
        let (count, unit) = self.counted();
        format!("{count}{}", unit.words.first().unwrap_or(&""))
    }

    /// Its length.
    pub fn duration(self) -> TimeDelta {
        TimeDelta::seconds(self.0)
    }

    /// The moment this long after `now`, in whole seconds.
    pub fn from(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_add_signed(self.duration()).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0)
    }

    /// How many of the largest unit it is. One week stays seven days.
    fn counted(self) -> (i64, Unit) {
        let fits = |unit: &&Unit| self.0 % unit.seconds == 0 && (unit.seconds < 604_800 || self.0 > unit.seconds);
        let unit = UNITS.iter().find(fits).copied().unwrap_or(SECOND);
        (self.0 / unit.seconds, unit)
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = self.counted();
        let word = unit.words.get(usize::from(count != 1) + 1).unwrap_or(&"");
        write!(f, "{count} {word}")
    }
}

/// What a site allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TtlLimits {
    /// The longest time to live; if `None`, databases need not expire.
    pub longest: Option<Lifetime>,
    /// The time to live of a database for which none is given.
    pub default: Option<Lifetime>,
}

impl TtlLimits {
    /// The time to live of a database for which none is given: the default, but never more than the longest.
    pub fn usual(self) -> Ttl {
        let usual = match (self.default, self.longest) {
            (Some(default), Some(longest)) => Some(default.min(longest)),
            (default, longest) => default.or(longest),
        };
        usual.map_or(Ttl::Forever, Ttl::Lasting)
    }

    /// The text of [`TtlLimits::usual`] for a form.
    pub fn suggestion(self) -> String {
        match self.usual() {
            Ttl::Lasting(lifetime) => lifetime.exact(),
            Ttl::Forever | Ttl::Until(_) => String::new(),
        }
    }
}

/// Why a text is not a usable time to live. Its text is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TtlFault {
    /// Zero.
    #[error("A time to live of 0 would end the database at once. Enter a time such as 8h or 7d.")]
    Zero,
    /// Less than zero.
    #[error("{0} is negative. Enter a time such as 8h or 7d.")]
    Negative(String),
    /// More than a century.
    #[error("This is more than 100 years ahead. Enter a shorter time or an earlier date.")]
    TooLong,
    /// A number such as `1e3`.
    #[error("{0} is not a whole number. Write all its digits, or use a unit, for example 45m, 8h or 7d.")]
    Exponent(String),
    /// A number such as `1.5`.
    #[error("{0} is not a whole number. Use a smaller unit, for example 90m.")]
    Fraction(String),
    /// Any other text.
    #[error("{0} is not a time to live. Enter a time such as 45m, 8h, 7d or 2w, or a date such as 2027-01-31.")]
    NotATime(String),
    /// A date that does not exist, or one written in another way.
    #[error("{0} is not a valid date. Enter one such as 2027-01-31 or 2027-01-31 18:00.")]
    NotADate(String),
    /// A time that has passed.
    #[error("{} is in the past. Enter a later date.", .0.format("%Y-%m-%d %H:%M UTC"))]
    Past(DateTime<Utc>),
    /// A time later than the site allows.
    #[error("The longest time to live is {0}. Enter a shorter time or an earlier date.")]
    BeyondLongest(Lifetime),
    /// Never, although databases must expire.
    #[error("Databases must expire here. The longest time to live is {0}.")]
    EndRequired(Lifetime),
}

/// `1e3`, `2.5E+7`: what follows the first digits.
fn has_exponent(rest: &str) -> bool {
    let rest = rest.strip_prefix('.').map_or(rest, |r| r.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.strip_prefix('e').is_some_and(|power| power.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-'))
}

/// Whether a text starts like `2027-1`.
fn looks_like_date(text: &str) -> bool {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    digits > 0 && text[digits..].starts_with(['-', '/', '.']) && text[digits + 1..].contains(['-', '/', '.'])
}

fn date(text: &str, zone: Tz) -> Result<DateTime<Utc>, TtlFault> {
    let fault = || TtlFault::NotADate(quote(text));
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let (text, zone) = match text.strip_suffix("UTC").filter(|rest| rest.ends_with(' ')) {
        Some(rest) => (rest.trim_end(), Tz::UTC),
        None => (text, zone),
    };
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return last_second(day, zone).ok_or_else(fault);
    }
    let local = LOCAL.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).ok_or_else(fault)?;
    let (first, second) = moments(zone, local);
    // Of a time that occurs twice, the later: nobody loses a database earlier than they meant.
    Ok(second.unwrap_or(first))
}

/// The last second of a day, which the clock of `zone` shows or skips.
fn last_second(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let (first, second) = moments(zone, day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?);
    // Where clocks are set back at midnight, the same day begins its last hour again.
    let next = if first.with_timezone(&zone).date_naive() > day { first } else { second.unwrap_or(first) };
    next.checked_sub_signed(TimeDelta::seconds(1))
}

/// The text in quotes, shortened.
fn quote(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().count() > QUOTED { "…" } else { "" };
    format!("“{shown}{more}”")
}

#[cfg(test)]
mod tests;
