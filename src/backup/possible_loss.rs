//! Says what an owner would lose if the server failed now, and how far the newest backup has been verified.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::admin_db::backups::assurance::Assurance;
use crate::domain::backup_schedule::{Policy, Window};
use crate::domain::duration::duration_text;

/// What would be lost if the server failed now, and how far the newest backup has been verified.
pub fn sentence(a: &Assurance, now: DateTime<Utc>) -> String {
    let Some(newest) = a.newest_at else {
        return "There is no backup. If this server failed now, you would lose everything in it.".to_owned();
    };
    let lost = lost(newest, now);
    let at = newest.format("%Y-%m-%d %H:%M UTC");
    let proof = match (a.proven, a.proven_backup_at) {
        (Some((when, ms)), _) => {
            format!("a test restore passed in {} on {}", duration_text(milliseconds(ms)), when.format("%A, %Y-%m-%d"))
        }
        (None, Some(older)) => {
            format!("it has not passed a test restore yet; the backup from {} has", older.format("%Y-%m-%d %H:%M UTC"))
        }
        (None, None) => "no backup has passed a test restore yet".to_owned(),
    };
    format!(
        "If this server failed now, you would lose the last {lost} of changes. The newest backup is from {at}; \
             {proof}."
    )
}

/// How serious the possible loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The newest backup is as recent as the schedule promises, and proven.
    Low,
    /// No test restore has passed yet, or there was no time for a backup yet.
    Medium,
    /// There is no backup, or the last one due was missed.
    High,
}

/// The sentence in a few words, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// How serious it is.
    pub severity: Severity,
    /// "lose at most 3 h 12 min".
    pub loss: String,
    /// "proven Tuesday in 48 s".
    pub proof: String,
}

/// The schedule of a database.
#[derive(Debug, Clone, Copy)]
pub struct Schedule<'a> {
    /// Id of the database.
    pub id: Uuid,
    /// Its schedule.
    pub policy: &'a Policy,
    /// Since when it applies.
    pub since: DateTime<Utc>,
    /// When daily and weekly backups are made.
    pub window: Window,
}

/// The sentence in a few words.
pub fn brief(a: &Assurance, schedule: Schedule<'_>, now: DateTime<Utc>) -> Brief {
    let Schedule { id, policy, since, window } = schedule;
    let missed = policy.missed(id, window, (since, a.newest_at), now).is_some();
    let Some(newest) = a.newest_at else {
        let waits = !missed && policy.next_due(id, window, now).is_some();
        let (severity, proof) = if waits { (Severity::Medium, "no backup yet") } else { (Severity::High, "no backup") };
        return Brief { severity, loss: "lose everything".to_owned(), proof: proof.to_owned() };
    };
    let proof = match (a.proven, a.proven_backup_at) {
        (Some((when, ms)), _) => format!("proven {} in {}", day(when, now), duration_text(milliseconds(ms))),
        (None, Some(older)) => format!("last proven backup: {}", day(older, now)),
        (None, None) => "not proven yet".to_owned(),
    };
    let severity = match (missed, a.proven_backup_at) {
        (true, _) => Severity::High,
        (false, Some(_)) => Severity::Low,
        (false, None) => Severity::Medium,
    };
    let proof = if missed { format!("backup overdue · {proof}") } else { proof };
    Brief { severity, loss: format!("lose at most {}", lost(newest, now)), proof }
}

/// The changes that are not in a backup from `newest`.
fn lost(newest: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span((now - newest).num_seconds())
}

/// "today", the day of the week in the last six days, and the date before that.
fn day(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let days = now.date_naive() - at.date_naive();
    if days <= Duration::zero() {
        "today".to_owned()
    } else if days < Duration::days(7) {
        at.format("%A").to_string()
    } else {
        at.format("%Y-%m-%d").to_string()
    }
}

fn span(seconds: i64) -> String {
    let minutes = (seconds.max(0) + 59) / 60;
    let hours = (minutes + 59) / 60;
    // Hours up to two days, as the age of a backup is shown.
    match (minutes / 60, minutes % 60) {
        (0, m) => format!("{m} min"),
        (h @ ..48, 0) => format!("{h} h"),
        (h @ ..48, m) => format!("{h} h {m} min"),
        _ if hours % 24 == 0 => format!("{} d", hours / 24),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

fn milliseconds(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::backup::possible_loss::*;

    #[test]
    fn durations_of_possible_loss_are_rounded_up() {
        assert_eq!(
            (span(-5), span(1), span(11_520), span(90_000), span(172_800)),
            ("0 min".into(), "1 min".into(), "3 h 12 min".into(), "25 h".into(), "2 d".into())
        );
        assert_eq!((span(86_430).as_str(), span(180_001).as_str()), ("24 h 1 min", "2 d 3 h"));
    }

    #[test]
    fn the_brief_text_states_loss_and_proof() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2026-11-26T12:00:00Z"); // a Thursday
        let window = Window { hour: 2, spread: 0, zone: chrono_tz::UTC };
        let since = now - Duration::days(30);
        let of = |a: &Assurance, policy: &Policy, since| {
            let brief = brief(a, Schedule { id: Uuid::nil(), policy, since, window }, now);
            (brief.severity, format!("{} · {}", brief.loss, brief.proof))
        };
        let mut a = Assurance { newest_at: Some(now - Duration::minutes(192)), ..Assurance::default() };
        let unproven = (Severity::Medium, "lose at most 3 h 12 min · not proven yet".to_owned());
        assert_eq!(of(&a, &Policy::Never, since), unproven);
        a.proven = Some((at("2026-11-24T03:00:00Z"), 48_000));
        a.proven_backup_at = a.newest_at;
        let good = (Severity::Low, "lose at most 3 h 12 min · proven Tuesday in 48 s".to_owned());
        assert_eq!(of(&a, &Policy::Daily, since), good);
        a.newest_at = Some(now - Duration::days(4));
        let late = of(&a, &Policy::Daily, since);
        assert_eq!(late, (Severity::High, "lose at most 4 d · backup overdue · proven Tuesday in 48 s".to_owned()));
        let none = Assurance::default();
        assert_eq!(of(&none, &Policy::Daily, now), (Severity::Medium, "lose everything · no backup yet".to_owned()));
        assert_eq!(of(&none, &Policy::Never, now), (Severity::High, "lose everything · no backup".to_owned()));
        assert_eq!(of(&none, &Policy::Daily, since).0, Severity::High, "a backup was due");
    }
}
