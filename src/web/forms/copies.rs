//! Reads the fields of the forms and API calls that take a snapshot or make a clone.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::domain::names::ContainerName;
use crate::domain::quantity::ByteSize;
use crate::web::context::Context;
use crate::web::forms::create::{Faults, line, memory};
use crate::web::forms::edit::least_memory;
use crate::web::forms::{Fields, ttl};

/// Longest note, in characters.
pub const NOTE: usize = 200;
/// Longest time for which a snapshot is kept if it has a date.
const DAYS: i64 = 3650;

/// A snapshot to take: its note, and until when it is kept.
pub type SnapshotOrder = (String, Option<DateTime<Utc>>);

/// Reads `note` and `days`.
///
/// # Errors
/// The errors by field.
pub fn snapshot(ctx: &Context, fields: &Fields) -> Result<SnapshotOrder, Faults> {
    let mut faults = Faults::new();
    let note = line(fields.text("note"), NOTE).unwrap_or_else(|e| {
        faults.push(("note".to_owned(), e));
        String::new()
    });
    let days = match fields.text("days") {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(days) if (1..=DAYS).contains(&days) => Some(ctx.now() + Duration::days(days)),
            _ => {
                faults.push(("days".to_owned(), format!("Enter a number of days from 1 to {DAYS}, or nothing.")));
                None
            }
        },
    };
    if faults.is_empty() { Ok((note, days)) } else { Err(faults) }
}

/// A clone to make.
#[derive(Debug)]
pub struct CloneOrder {
    /// Its name.
    pub name: ContainerName,
    /// Its memory limit, if not that of its source.
    pub memory: Option<ByteSize>,
    /// What is cloned.
    pub source: Source,
    /// When it expires, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What is cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The current data of the database.
    Now,
    /// One of its snapshots.
    Snapshot(Uuid),
    /// One of its backups.
    Backup(Uuid),
}

/// Reads `snapshot` and `backup`, of which at most one may be given.
fn source(fields: &Fields) -> Result<Source, (String, String)> {
    let wrong = |field: &str, why: &str| (field.to_owned(), why.to_owned());
    match (fields.text("snapshot"), fields.text("backup")) {
        ("", "") => Ok(Source::Now),
        (id, "") => id.parse().map(Source::Snapshot).map_err(|_| wrong("snapshot", "Send the id of a snapshot.")),
        ("", id) => id.parse().map(Source::Backup).map_err(|_| wrong("backup", "Send the id of a backup.")),
        _ => Err(wrong("backup", "Send a snapshot or a backup, not both.")),
    }
}

/// Reads `name`, `memory`, `snapshot`, `backup` and `ttl`.
///
/// # Errors
/// The errors by field.
pub fn clone(ctx: &Context, c: &Container, fields: &Fields) -> Result<CloneOrder, Faults> {
    let mut faults = Faults::new();
    let mut take = |field: &str, why: String| faults.push((field.to_owned(), why));
    let name = ContainerName::parse(fields.text("name")).map_err(|e| take("name", e.to_string())).ok();
    let limits = &ctx.app().config.limits;
    let has = ByteSize(c.memory_bytes);
    let memory = match fields.text("memory") {
        "" => None,
        text => memory(text, has, least_memory(ctx, c), limits.memory_max.max(has)).map_err(|e| take("memory", e)).ok(),
    };
    let source = source(fields).map_err(|(field, why)| take(&field, why)).ok();
    let end = ttl::end(ctx, c.engine, fields).map_err(|e| take(ttl::TTL, e)).ok();
    match (name, source, end) {
        (Some(name), Some(source), Some(expires_at)) if faults.is_empty() => {
            Ok(CloneOrder { name, memory, source, expires_at })
        }
        _ => Err(faults),
    }
}
