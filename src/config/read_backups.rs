//! Reads the settings for backups: how they are made, their targets, and the program that receives notices.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;

use super::reader::Reader;
use super::{Backups, Notify, Target};
use crate::domain::backup_schedule::Window;
use crate::domain::cron_line::read_zone;
use crate::domain::names::InstanceId;
use crate::domain::quantity::ByteSize;
use crate::domain::retention::KeepCounts;
use crate::encryption;

pub(super) fn backups(r: &mut Reader<'_>, targets: &[Target]) -> Backups {
    let level = i32::try_from(r.number("backups.level")).unwrap_or(0);
    if !(1..=19).contains(&level) {
        r.problem("backups.level", "must be from 1 to 19");
    }
    let threads = u32::try_from(r.number("backups.threads")).unwrap_or(0);
    if !(1..=16).contains(&threads) {
        r.problem("backups.threads", "must be from 1 to 16");
    }
    let hour = u32::try_from(r.number("backups.hour")).unwrap_or(24);
    if hour > 23 {
        r.problem("backups.hour", "must be an hour from 0 to 23");
    }
    let spread = r.number("backups.spread_minutes");
    if !(0..=720).contains(&spread) {
        r.problem("backups.spread_minutes", "must be from 0 to 720");
    }
    let zone = read_zone(&r.text("backups.time_zone")).unwrap_or_else(|rule| {
        r.problem("backups.time_zone", rule);
        Tz::UTC
    });
    let copies = r.list("backups.copies");
    for name in &copies {
        let first = targets.first().is_some_and(|t| t.name == *name);
        if first {
            r.problem("backups.copies", format!("“{name}” is already the default target; use another target"));
        } else if targets.iter().all(|t| t.name != *name) {
            r.problem("backups.copies", format!("there is no [[target]] “{name}”"));
        }
    }
    let at_once = usize::try_from(r.number("backups.at_once")).unwrap_or(0);
    if at_once == 0 {
        r.problem("backups.at_once", "must be at least 1");
    }
    let lock_wait = r.seconds("backups.lock_seconds");
    if lock_wait > Duration::from_secs(3600) {
        r.problem("backups.lock_seconds", "must be at most 3600");
    }
    let admin_every = r.number("backups.admin_db_seconds");
    if admin_every < 0 {
        r.problem("backups.admin_db_seconds", "must be at least 0");
    }
    let admin_every = Duration::from_secs(u64::try_from(admin_every).unwrap_or(0));
    let (recipients, identity_file, identities) = encryption(r);
    Backups {
        level,
        threads,
        long_distance: r.flag("backups.long_distance"),
        recipients,
        identity_file,
        identities,
        upload_max: ByteSize(r.number("backups.upload_max")),
        upload_person_max: ByteSize(r.number("backups.upload_person_max")),
        upload_total_max: ByteSize(r.number("backups.upload_total_max")),
        upload_keep: hours(r.number("backups.upload_keep_hours")),
        at_once,
        lock_wait,
        window: Window { hour, spread, zone },
        copies,
        admin_every,
        keep: keep(r),
    }
}

fn hours(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0).saturating_mul(3600))
}

pub(super) fn notify(r: &mut Reader<'_>) -> Notify {
    let command = r.list("notify.command");
    if command.first().is_some_and(|program| !Path::new(program).is_absolute()) {
        r.problem("notify.command", "must start with the absolute path of a program");
    }
    Notify { command, timeout: r.seconds("notify.timeout_seconds") }
}

/// The recipients that backups are encrypted for, and the portal's identities for decrypting them.
fn encryption(r: &mut Reader<'_>) -> (Vec<String>, Option<PathBuf>, Vec<SecretString>) {
    const FILE: &str = "backups.identity_file";
    let recipients = r.list("backups.recipients");
    for recipient in &recipients {
        if let Err(rule) = encryption::check_recipient(recipient) {
            r.problem("backups.recipients", rule);
        }
    }
    let file = r.optional(FILE).map(|p| r.path(&p));
    let Some(path) = &file else { return (recipients, None, Vec::new()) };
    let read = std::fs::read_to_string(path).map_err(|e| e.to_string()).and_then(|text| encryption::identities(&text));
    let identities = read.unwrap_or_else(|rule| {
        r.problem(FILE, format!("{}: {rule}", path.display()));
        Vec::new()
    });
    let theirs = |i: &SecretString| encryption::recipient_of(i).is_some_and(|own| recipients.contains(&own));
    // Without recipients, the identities are for earlier backups.
    if !identities.is_empty() && !recipients.is_empty() && !identities.iter().any(theirs) {
        let own: Vec<_> = identities.iter().filter_map(encryption::recipient_of).collect();
        r.problem(
            FILE,
            format!(
                "{} contains the key of {}, which is not in backups.recipients, so the portal could not read its own \
                 backups",
                path.display(),
                own.join(" and ")
            ),
        );
    }
    (recipients, file, identities)
}

fn keep(r: &mut Reader<'_>) -> KeepCounts {
    let mut number = |key: &str| {
        let n = r.number(key);
        // Larger values exceed the range of dates, and mean forever anyway.
        if !(0..=100_000).contains(&n) {
            r.problem(key, "must be from 0 to 100000");
        }
        n
    };
    let mut count = |key: &str| usize::try_from(number(key)).unwrap_or(0);
    KeepCounts {
        last: count("backups.keep.last"),
        daily: count("backups.keep.daily"),
        weekly: count("backups.keep.weekly"),
        monthly: count("backups.keep.monthly"),
        yearly: count("backups.keep.yearly"),
        min_age_days: number("backups.keep.min_age_days"),
    }
}

pub(super) fn targets(r: &mut Reader<'_>) -> Vec<Target> {
    let mut targets: Vec<Target> = r.table("target");
    for i in 0..targets.len() {
        let Some(target) = targets.get_mut(i) else { continue };
        let key = format!("target[{i}]");
        let source = r.values.source("target");
        target.embedded = target.embedded.take().map(|p| r.home.join(p));
        target.ca = target.ca.take().map(|p| r.home.join(p));
        if let Some(file) = target.secret_access_key_file.take().map(|p| r.home.join(p)) {
            match std::fs::read_to_string(&file) {
                Ok(text) => target.secret_access_key = Some(SecretString::from(text.trim().to_owned())),
                Err(e) => r.values.problem(
                    &source,
                    &format!("{key}.secret_access_key_file"),
                    format!("{}: {e}", file.display()),
                ),
            }
        }
        let target = target.clone();
        let mut problem = |field: &str, rule: String| r.values.problem(&source, &format!("{key}.{field}"), rule);
        if InstanceId::parse(&target.name).is_err() {
            problem("name", format!("“{}” must be lower-case letters, digits and “-”", target.name));
        }
        if targets.iter().filter(|t| t.name == target.name).count() > 1 {
            problem("name", format!("“{}” is used twice", target.name));
        }
        if target.bucket.len() < 3 {
            problem("bucket", "a bucket's name has at least 3 characters".to_owned());
        }
        if target.access_key_id.is_some() != target.secret_access_key.is_some() {
            problem("access_key_id", "requires secret_access_key or secret_access_key_file".to_owned());
        }
        if let Some(endpoint) =
            target.endpoint.as_deref().filter(|e| !e.starts_with("https://") && !e.starts_with("http://"))
        {
            problem("endpoint", format!("“{endpoint}” must start with https://"));
        }
        if target.encryption.as_deref().is_some_and(|e| !matches!(e, "AES256" | "aws:kms")) {
            problem("encryption", "must be AES256 or aws:kms".to_owned());
        }
        if target.prefix.starts_with('/') {
            problem("prefix", "must not start with /".to_owned());
        }
        if !(100..=10_000).contains(&target.part_limit) {
            problem("part_limit", "must be from 100 to 10000".to_owned());
        }
        if !(1..=3600).contains(&target.answer_seconds) {
            problem("answer_seconds", "must be from 1 to 3600".to_owned());
        }
    }
    targets
}
