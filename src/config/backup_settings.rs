//! The settings of backups: how they are made and kept, and who is notified of failures.

use crate::config::setting::{Setting, ValueKind, s};

/// The settings of backups, in the order of the reference.
pub(super) const BACKUPS: &[Setting] = &[
    s("backups.level", ValueKind::Number, "3", "Compression level of backups, 1 (fast) to 19 (small)."),
    s(
        "backups.threads",
        ValueKind::Number,
        "2",
        "Threads that compress one backup, 1 to 16; each uses about 4 MiB of memory.",
    ),
    s(
        "backups.long_distance",
        ValueKind::Bool,
        "false",
        "Find repetitions within 128 MiB (zstd long-distance matching). Makes backups of repetitive data smaller, but \
         uses one thread and up to 200 MiB more of the portal's memory per running backup. zstd -d decompresses them \
         as usual.",
    ),
    s(
        "backups.recipients",
        ValueKind::List,
        "",
        "Public keys (age1…, from age-keygen) for which backups are encrypted. Restoring requires one of the secret \
         keys. Empty: backups are not encrypted.",
    ),
    s(
        "backups.identity_file",
        ValueKind::Path,
        "",
        "File with the secret key of one recipient (mode 0600), so that the portal can test, restore and decrypt its \
         own backups. Empty: these operations require the key to be supplied manually.",
    ),
    s(
        "backups.upload_max",
        ValueKind::Memory,
        "20g",
        "Maximum size of an uploaded dump; decompressed, it may be 20 times as large.",
    ),
    s(
        "backups.upload_person_max",
        ValueKind::Memory,
        "40g",
        "Maximum space per person for uploaded dumps that are not loaded yet.",
    ),
    s("backups.upload_total_max", ValueKind::Memory, "200g", "Maximum space for all such dumps together."),
    s(
        "backups.upload_keep_hours",
        ValueKind::Number,
        "72",
        "Hours for which a dump whose load failed is kept, so that “Try again” works.",
    ),
    s(
        "backups.at_once",
        ValueKind::Number,
        "2",
        "Maximum number of backups and test restores that this portal runs \
                                                  at a time.",
    ),
    s(
        "backups.lock_seconds",
        ValueKind::Number,
        "60",
        "Seconds that a backup waits for a locked table; then it fails and reports who holds the lock.",
    ),
    s("backups.hour", ValueKind::Number, "1", "Hour, in backups.time_zone, at which daily and weekly backups start."),
    s(
        "backups.admin_db_seconds",
        ValueKind::Number,
        "3600",
        "Seconds between backups of mydb_admin; 0 turns them off.",
    ),
    s(
        "backups.spread_minutes",
        ValueKind::Number,
        "240",
        "Minutes over which daily and weekly backups are spread; each database has its own fixed time.",
    ),
    s(
        "backups.time_zone",
        ValueKind::Text,
        "UTC",
        "Time zone of backups.hour and of cron expressions without their own time zone, for example Europe/Berlin.",
    ),
    s(
        "backups.copies",
        ValueKind::List,
        "",
        "Names of targets that receive a copy of every backup. Restores and test restores use a copy if the default \
         target fails.",
    ),
    s(
        "notify.command",
        ValueKind::List,
        "",
        "Absolute path of a program, with its arguments. It receives JSON on standard input for each notice: when a backup, a \
         test restore or the import of a template fails, a backup is missed, a restore differs from its backup, a database \
         runs out of memory or is about to expire, and so on.",
    ),
    s("notify.timeout_seconds", ValueKind::Number, "30", "Seconds after which that program is terminated."),
    s(
        "backups.keep.last",
        ValueKind::Number,
        "5",
        "Number of latest backups kept for each database, regardless of age.",
    ),
    s(
        "backups.keep.daily",
        ValueKind::Number,
        "14",
        "Number of days for which the newest backup is kept; days without a backup do not count.",
    ),
    s(
        "backups.keep.weekly",
        ValueKind::Number,
        "8",
        "Number of weeks (from Monday) for which the newest backup is \
                                                      kept.",
    ),
    s("backups.keep.monthly", ValueKind::Number, "12", "Number of months for which the newest backup is kept."),
    s("backups.keep.yearly", ValueKind::Number, "3", "Number of years for which the newest backup is kept."),
    s(
        "backups.keep.min_age_days",
        ValueKind::Number,
        "7",
        "Minimum age in days before a backup is removed. The newest complete backup, the newest one that passed a \
         test restore and locked backups are never removed.",
    ),
];
