//! Explains in sentences how far backups can be relied on.

use chrono::{DateTime, Utc};

use crate::admin_db::backups::Backup;

/// Meaning of a verification level.
pub fn level(level: Option<i16>) -> &'static str {
    match level {
        None => "not verified",
        Some(0) => "dump completed",
        Some(1) => "stored intact",
        Some(2) => "dump readable",
        Some(3) => "restored",
        Some(4) => "restored, all counts match",
        Some(5) => "restored, content matches",
        Some(_) => "restored, your own checks passed",
    }
}

/// What of the backup can be compared after a restore.
pub fn compared(b: &Backup) -> &'static str {
    match (b.fingerprints, b.definitions.is_some()) {
        (true, true) => "row counts, content and schema",
        (true, false) => "row counts and content (schema not recorded)",
        (false, true) => "row counts and schema",
        (false, false) => "row counts (schema not recorded)",
    }
}

/// The reason for the backup, for people.
pub fn reason(word: &str) -> &str {
    match word {
        "manual" => "manual",
        "schedule" => "scheduled",
        "final" => "before deletion",
        "import" => "registered from the bucket",
        "first" => "first backup",
        other => other,
    }
}

/// What would be lost if the server failed now, and how far the newest backup has been verified.
pub fn sentence(rows: &[Backup], now: DateTime<Utc>) -> String {
    let good = |b: &&Backup| b.is_good();
    let Some(newest) = rows.iter().find(good) else {
        return "There is no backup. If this server failed now, you would lose everything in it.".to_owned();
    };
    let lost = span((now - newest.started_at).num_seconds());
    let at = newest.started_at.format("%Y-%m-%d %H:%M UTC");
    let proof = match (newest.proven_at, newest.proven_ms) {
        (Some(when), Some(ms)) => {
            format!("a test restore passed in {} on {}", seconds(ms), when.format("%A, %Y-%m-%d"))
        }
        _ => match rows.iter().filter(good).find_map(|b| b.proven_at.map(|_| b)) {
            Some(older) => format!(
                "it has not passed a test restore yet; the backup from {} has",
                older.started_at.format("%Y-%m-%d %H:%M UTC")
            ),
            None => "no backup has passed a test restore yet".to_owned(),
        },
    };
    format!(
        "If this server failed now, you would lose the last {lost} of changes. The newest backup is from {at}; \
             {proof}."
    )
}

fn span(seconds: i64) -> String {
    let minutes = (seconds.max(0) + 59) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

fn seconds(ms: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a duration for people")]
    let s = ms as f64 / 1000.0;
    if s < 10.0 { format!("{s:.1} s") } else { format!("{s:.0} s") }
}

#[cfg(test)]
mod tests {
    use crate::backup::assurance::*;

    #[test]
    fn spans_are_rounded_up() {
        assert_eq!(
            (span(-5), span(1), span(11_520), span(90_000), span(172_800)),
            ("0 min".into(), "1 min".into(), "3 h 12 min".into(), "1 d 1 h".into(), "2 d".into())
        );
    }
}
