//! Formats times, sizes and durations for people. Pure functions.

use crate::domain::quantity::thousands;
use chrono::{DateTime, SecondsFormat, Utc};

/// A moment, as `<time>` shows it: "3 h ago", with the full time on hover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// For the `datetime` attribute: `2026-11-21T14:03:09Z`.
    pub iso: String,
    /// Distance from now: "3 h ago", "in 3 d", "just now".
    pub ago: String,
    /// For the `title` attribute: `2026-11-21 14:03:09 UTC`.
    pub absolute: String,
    /// Written out: `2026-11-21 14:03 UTC`. With scripting, the local time follows.
    pub minute: String,
}

impl Moment {
    /// Describes `at` relative to `now`. `at` may be in the future.
    #[must_use]
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            ago: ago(at, now),
            absolute: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            minute: at.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

/// When something expires or expired, with the verb: "expires in 3 h".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// "expires" or "expired".
    pub verb: &'static str,
    /// When.
    pub at: Moment,
}

impl Ending {
    /// Describes the end `at` relative to `now`.
    #[must_use]
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { verb: if at > now { "expires" } else { "expired" }, at: Moment::new(at, now) }
    }
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = now.signed_duration_since(at).num_seconds();
    // Future times are rounded up: a period of ten days starts as "in 10 d", not "in 9 d".
    let distance = if seconds < 0 { whole_units(seconds.unsigned_abs()) } else { seconds.unsigned_abs() };
    if distance < 10 {
        return if seconds >= 0 { "just now" } else { "in a moment" }.to_owned();
    }
    let amount = match distance {
        0..60 => format!("{distance} s"),
        60..3_600 => format!("{} min", distance / 60),
        3_600..172_800 => format!("{} h", distance / 3_600),
        172_800..5_184_000 => format!("{} d", distance / 86_400),
        5_184_000..63_072_000 => format!("{} months", distance / 2_592_000),
        _ => format!("{} years", distance / 31_536_000),
    };
    if seconds >= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// Rounds seconds up to whole minutes, hours or days, the units of [`ago`].
fn whole_units(seconds: u64) -> u64 {
    let unit = match seconds {
        60..3_600 => 60,
        3_600..172_800 => 3_600,
        172_800.. => 86_400,
        _ => 1,
    };
    seconds.next_multiple_of(unit)
}

/// A number of bytes: "1.4 GiB", with the exact count on hover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// "1.4 GiB".
    pub human: String,
    /// "1,503,238,553 bytes".
    pub exact: String,
}

impl Size {
    /// Describes a number of bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { human: size_text(bytes), exact: format!("{} bytes", thousands(bytes)) }
    }
}

/// "512 B", "36 MiB", "1.4 GiB": two significant figures, binary units.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    // Integer arithmetic in tenths of the unit, because a float would lose precision.
    let mut scale: u128 = 1_024;
    let mut unit = "KiB";
    let tenths = |scale: u128| (u128::from(bytes) * 10 + scale / 2) / scale;
    for next in UNITS.iter().skip(1) {
        if tenths(scale) < 10_240 {
            break;
        }
        scale *= 1_024;
        unit = next;
    }
    let value = tenths(scale);
    if value < 100 && value % 10 != 0 {
        format!("{}.{} {unit}", value / 10, value % 10)
    } else {
        format!("{} {unit}", (value + 5) / 10)
    }
}

/// "every minute", "every 5 minutes", "every hour", "every 2 days".
#[must_use]
pub fn every_text(minutes: u64) -> String {
    let (number, unit) = match minutes {
        1.. if minutes.is_multiple_of(1_440) => (minutes / 1_440, "day"),
        1.. if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    if number == 1 { format!("every {unit}") } else { format!("every {number} {unit}s") }
}

/// "1 database", "12 databases", "1,200 databases".
#[must_use]
pub fn count_text(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", thousands(number))
}

/// A `data:` URL that contains the text, for a download link.
#[must_use]
pub fn data_url(text: &str) -> String {
    let mut url = String::from("data:text/plain;charset=utf-8,");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            url.push('%');
            for half in [byte >> 4, byte & 15] {
                url.extend(HEX.get(usize::from(half)).copied().map(char::from));
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use crate::web::views::elements::format::*;
    use chrono::{Duration, TimeZone};

    fn seen(seconds_ago: i64) -> String {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 14, 3, 9).unwrap();
        Moment::new(now - Duration::seconds(seconds_ago), now).ago
    }

    #[test]
    fn times_are_relative_to_now() {
        let cases = [
            (0, "just now"),
            (9, "just now"),
            (10, "10 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (47 * 3_600, "47 h ago"),
            (48 * 3_600, "2 d ago"),
            (59 * 86_400, "59 d ago"),
            (60 * 86_400, "2 months ago"),
            (800 * 86_400, "2 years ago"),
            (-5, "in a moment"),
            (-60, "in 1 min"),
            (-90, "in 2 min"),
            (-3_599, "in 1 h"),
            (-10 * 86_400 + 3, "in 10 d"),
            (-3 * 86_400, "in 3 d"),
            (-90 * 86_400 + 2, "in 3 months"),
            (-3_650 * 86_400 + 7_200, "in 10 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(seen(seconds), text, "{seconds} seconds ago");
        }
    }

    #[test]
    fn a_moment_carries_its_exact_time() {
        let at = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
        let when = Moment::new(at, at);
        assert_eq!(when.iso, "2026-01-02T03:04:05Z");
        assert_eq!(when.absolute, "2026-01-02 03:04:05 UTC");
    }

    #[test]
    fn a_past_expiry_is_shown_as_expired() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 14, 3, 9).unwrap();
        let told = |end| format!("{} {}", Ending::new(end, now).verb, Ending::new(end, now).at.ago);
        assert_eq!(told(now + Duration::hours(3)), "expires in 3 h");
        assert_eq!(told(now - Duration::minutes(5)), "expired 5 min ago");
    }

    #[test]
    fn sizes_have_binary_units() {
        let cases = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            (37_748_736, "36 MiB"),
            (1_048_575, "1 MiB"),
            (1_503_238_553, "1.4 GiB"),
            (10 * 1_024 * 1_024 * 1_024, "10 GiB"),
            (u64::MAX, "16384 PiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size_text(bytes), text, "{bytes} bytes");
        }
        assert_eq!(Size::new(1_503_238_553).exact, "1,503,238,553 bytes");
    }

    #[test]
    fn intervals_use_the_right_unit_and_plural() {
        for (minutes, text) in [
            (1, "every minute"),
            (5, "every 5 minutes"),
            (60, "every hour"),
            (90, "every 90 minutes"),
            (360, "every 6 hours"),
            (1_440, "every day"),
            (2_880, "every 2 days"),
        ] {
            assert_eq!(every_text(minutes), text, "{minutes} minutes");
        }
    }

    #[test]
    fn counts_use_the_right_plural() {
        assert_eq!(count_text(1, "database", "databases"), "1 database");
        assert_eq!(count_text(0, "database", "databases"), "0 databases");
        assert_eq!(count_text(12_000, "row", "rows"), "12,000 rows");
    }

    #[test]
    fn a_data_url_survives_any_password() {
        assert_eq!(data_url("a b\"$é\n"), "data:text/plain;charset=utf-8,a%20b%22%24%C3%A9%0A");
    }
}
