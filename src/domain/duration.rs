//! Durations, formatted for people.

/// "0.8 s", "12 s", "3 min 12 s", "2 h 5 min", "3 d 4 h".
#[must_use]
pub fn duration_text(milliseconds: u64) -> String {
    if milliseconds < 950 {
        return format!("0.{} s", (milliseconds + 50) / 100);
    }
    if milliseconds < 9_950 {
        let tenths = (milliseconds + 50) / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (milliseconds + 500) / 1_000;
    let (big, small, names) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, seconds % 60, ("min", "s")),
        3_600..86_400 => (seconds / 3_600, seconds % 3_600 / 60, ("h", "min")),
        _ => (seconds / 86_400, seconds % 86_400 / 3_600, ("d", "h")),
    };
    if small == 0 { format!("{big} {}", names.0) } else { format!("{big} {} {small} {}", names.0, names.1) }
}

/// Formats seconds, possibly with a fraction, like [`duration_text`].
#[must_use]
pub fn seconds_text(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative, and far below 2^53")]
    duration_text((seconds.max(0.0) * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_units() {
        let cases = [
            (0, "0.0 s"),
            (840, "0.8 s"),
            (949, "0.9 s"),
            (950, "1.0 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_600, "1 min"),
            (192_000, "3 min 12 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration_text(milliseconds), text, "{milliseconds} ms");
        }
    }

    #[test]
    fn seconds_are_formatted_like_milliseconds() {
        assert_eq!((seconds_text(3.84).as_str(), seconds_text(17.3).as_str()), ("3.8 s", "17 s"));
    }
}
