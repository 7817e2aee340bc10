//! Compares the objects in a target with the rows: objects that are missing or have another size, and objects that no
//! row explains. The latter are reported, never changed.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::audit_facts::StoredBackup;
use crate::admin_db::backups::{BackupStatus, audit_facts};
use crate::audit::admin_backups;
use crate::audit::content;
use crate::audit::content::{is_own, named};
use crate::backup::restore::source;
use crate::backup::sign;
use crate::domain::audit::{AuditedTarget, Finding, FindingKind};
use crate::domain::object_keys;
use crate::domain::quantity::ByteSize;
use crate::manifest::{BY_HAND, FILE, LONGEST};
use crate::objects::{ObjectError, Store};
use crate::secrets::Signer;

/// Backups compared at once.
const BATCH: usize = 200;

/// The findings of one target so far.
pub(super) struct BucketScan<'a> {
    /// The findings.
    pub(super) findings: Vec<Finding>,
    /// Number of good backups that were checked.
    pub(super) backups: usize,
    /// Verifies signatures.
    pub(super) signer: &'a Signer,
}

/// Objects under one key prefix: their names and sizes.
type Group = BTreeMap<String, u64>;

/// Compares one target with the rows. What was made or removed after `begun` is left to the next audit.
///
/// # Errors
/// Only those of mydb_admin. If the store cannot be listed completely, that is the finding, and nothing is reported as
/// missing.
pub(super) async fn compare(
    db: &mut PgConnection,
    store: &Store,
    instance: &str,
    begun: DateTime<Utc>,
    seen: &mut BucketScan<'_>,
) -> Result<AuditedTarget, sqlx::Error> {
    let mut place = AuditedTarget { target: store.name().to_owned(), objects: 0, bytes: 0, error: None };
    let beginning = object_keys::of_instance(instance);
    let mut pages = store.pages(&beginning);
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let (mut there, mut unsigned) = (HashSet::new(), 0);
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(e) => {
                seen.findings.push(Finding {
                    kind: FindingKind::TargetAway,
                    container: None,
                    backup: None,
                    text: e.to_string(),
                });
                place.error = Some(e.to_string());
                return Ok(place);
            }
        };
        for object in page {
            place.objects += 1;
            place.bytes = place.bytes.saturating_add(object.bytes);
            let (location, file) = object_keys::split(&object.key);
            groups.entry(location.to_owned()).or_default().insert(file.to_owned(), object.bytes);
        }
        // The last group may continue on the next page.
        while groups.len() > BATCH {
            let last = groups.pop_last();
            unsigned += check(db, store, std::mem::take(&mut groups), begun, seen, &mut there).await?;
            groups.extend(last);
        }
    }
    unsigned += check(db, store, groups, begun, seen, &mut there).await?;
    seen.findings.extend(content::unsigned(store, unsigned));
    missing_altogether(db, store, &beginning, begun, seen, &there).await?;
    Ok(place)
}

async fn check(
    db: &mut PgConnection,
    store: &Store,
    groups: BTreeMap<String, Group>,
    begun: DateTime<Utc>,
    seen: &mut BucketScan<'_>,
    there: &mut HashSet<Uuid>,
) -> Result<usize, sqlx::Error> {
    let ids: Vec<Uuid> = groups.keys().filter_map(|l| object_keys::backup_id(l)).collect();
    let rows = audit_facts::stored(db, store.name(), &ids).await?;
    // Backups of mydb_admin have no rows: these would be in mydb_admin itself.
    let (own, of_databases): (Vec<_>, Vec<_>) = groups
        .iter()
        .filter(|(location, group)| !is_mark(location, group))
        .partition(|(location, _)| object_keys::is_of_admin(location));
    for (location, group) in own {
        let mut more = group.iter().filter(|(file, _)| !admin_backups::is_ours(location, file)).peekable();
        if more.peek().is_some() {
            seen.findings.push(unknown(store, location, more));
        }
    }
    let mut whole = Vec::new();
    for (location, group) in of_databases {
        let row = object_keys::backup_id(location).and_then(|id| rows.iter().find(|r| r.id == id));
        let fits = |r: &&StoredBackup| {
            (is_own(r, store.name()) || r.copy.is_some()) && r.location.as_ref().is_none_or(|l| l == location)
        };
        match row.filter(fits).map(|r| (r, state(r, store.name(), begun))) {
            Some((_, State::Passing)) => {}
            Some((row, State::Good)) => {
                there.insert(row.id);
                seen.backups += usize::from(is_own(row, store.name()));
                seen.findings.extend(differences(row, store, location, group));
                if group.contains_key(FILE) {
                    whole.push((row, location.as_str()));
                }
            }
            _ => seen.findings.push(unknown(store, location, group.iter())),
        }
    }
    let (found, unsigned) = content::compare(store, seen.signer, whole).await;
    seen.findings.extend(found);
    Ok(unsigned)
}

/// Whether it is the record of a deletion, stored next to the backups of the database.
fn is_mark(location: &str, group: &Group) -> bool {
    object_keys::is_of_container(location) && group.keys().all(|file| file == object_keys::TOMBSTONE)
}

enum State {
    Good,
    /// It is being made or removed, or was a moment ago.
    Passing,
    /// No objects of it should exist.
    Gone,
}

fn state(row: &StoredBackup, target: &str, begun: DateTime<Utc>) -> State {
    if !is_own(row, target) && row.copy.as_deref() != Some("stored") && row.removed_at.is_none() {
        return State::Passing;
    }
    match (row.status, row.removing_at, row.removed_at) {
        (BackupStatus::Running, ..) | (_, Some(_), None) => State::Passing,
        (_, _, Some(at)) if at < begun => State::Gone,
        (_, _, Some(_)) => State::Passing,
        (BackupStatus::Succeeded, None, None) => State::Good,
        _ if row.finished_at.is_none_or(|at| at >= begun) => State::Passing,
        _ => State::Gone,
    }
}

fn differences(row: &StoredBackup, store: &Store, location: &str, group: &Group) -> Vec<Finding> {
    let mut wrong = Vec::new();
    if !group.contains_key(FILE) {
        wrong.push(format!("{FILE} is missing"));
    }
    for (file, bytes) in &row.objects.0 {
        match group.get(file) {
            None => wrong.push(format!("{file} is missing")),
            Some(is) if is != bytes => wrong.push(format!("{file} has {is} bytes instead of {bytes}")),
            Some(_) => {}
        }
    }
    let mut found = Vec::new();
    if !wrong.is_empty() {
        let text = format!(
            "{} is damaged: {}. Location: {}.",
            named(row, store.name()),
            wrong.join(", "),
            store.url(location)
        );
        let container = Some(row.container.clone());
        found.push(Finding { kind: FindingKind::Missing, container, backup: Some(row.id), text });
    }
    let known = |file: &str| {
        file == FILE
            || file == BY_HAND
            || file == sign::FILE
            || file.starts_with("drill-")
            || row.objects.0.iter().any(|(f, _)| f == file)
    };
    let mut more = group.iter().filter(|(file, _)| !known(file)).peekable();
    if more.peek().is_some() {
        found.push(unknown(store, location, more));
    }
    found
}

fn unknown<'a>(store: &Store, location: &str, objects: impl Iterator<Item = (&'a String, &'a u64)>) -> Finding {
    let (mut count, mut bytes) = (0u64, 0u64);
    for (_, length) in objects {
        count += 1;
        bytes = bytes.saturating_add(*length);
    }
    let noun =
        if count == 1 { "object that belongs to no known backup" } else { "objects that belong to no known backup" };
    let text = format!(
        "{} holds {count} {noun} ({}). Nothing was changed.",
        store.url(location),
        ByteSize(i64::try_from(bytes).unwrap_or(i64::MAX))
    );
    Finding { kind: FindingKind::Unknown, container: None, backup: None, text }
}

/// Good backups of which no object was listed. Those imported from the prefix of another portal are not part of the
/// listing, so they are requested one by one.
async fn missing_altogether(
    db: &mut PgConnection,
    store: &Store,
    beginning: &str,
    begun: DateTime<Utc>,
    seen: &mut BucketScan<'_>,
    there: &HashSet<Uuid>,
) -> Result<(), sqlx::Error> {
    let mut after = Uuid::nil();
    loop {
        let rows = audit_facts::good_in(db, store.name(), begun, after, 500).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows.iter().filter(|r| !there.contains(&r.id)) {
            seen.backups += usize::from(is_own(row, store.name()));
            let location = row.location.clone().unwrap_or_default();
            let away = if location.starts_with(beginning) {
                Some("all of its objects are missing".to_owned())
            } else {
                match store.read(&object_keys::file(&location, FILE), LONGEST).await {
                    Ok(text) => source::altered(&text, row.sha256.as_deref()).map(|why| format!("{FILE} {why}")),
                    Err(ObjectError::NotFound { .. }) => Some(format!("{FILE} is missing")),
                    Err(e) => Some(e.to_string()),
                }
            };
            if let Some(why) = away {
                let text =
                    format!("{} is damaged: {why}. Location: {}.", named(row, store.name()), store.url(&location));
                let container = Some(row.container.clone());
                seen.findings.push(Finding { kind: FindingKind::Missing, container, backup: Some(row.id), text });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::admin_db::backups::BackupStatus as S;
    use crate::audit::bucket::*;

    #[test]
    fn changes_during_an_audit_are_left_to_the_next_one() {
        let begun: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        let (before, after) = (begun - chrono::Duration::hours(1), begun + chrono::Duration::minutes(1));
        let row = |status, finished, removed: Option<DateTime<Utc>>| StoredBackup {
            id: Uuid::nil(),
            container: "lab".to_owned(),
            started_at: before,
            finished_at: finished,
            status,
            removing_at: removed,
            removed_at: removed,
            target: Some("one".to_owned()),
            location: None,
            copy: None,
            sha256: None,
            script_sha256: None,
            objects: sqlx::types::Json(Vec::new()),
        };
        assert!(matches!(state(&row(S::Running, None, None), "one", begun), State::Passing));
        assert!(matches!(state(&row(S::Succeeded, Some(before), None), "one", begun), State::Good));
        assert!(matches!(state(&row(S::Succeeded, Some(before), Some(before)), "one", begun), State::Gone));
        assert!(matches!(state(&row(S::Succeeded, Some(before), Some(after)), "one", begun), State::Passing));
        assert!(matches!(state(&row(S::Failed, Some(before), None), "one", begun), State::Gone));
        assert!(matches!(state(&row(S::Failed, Some(after), None), "one", begun), State::Passing));
        let copy =
            |status: &str| StoredBackup { copy: Some(status.to_owned()), ..row(S::Succeeded, Some(before), None) };
        assert!(matches!(state(&copy("stored"), "other", begun), State::Good));
        assert!(matches!(state(&copy("failed"), "other", begun), State::Passing));
        let half = StoredBackup { removed_at: None, ..row(S::Succeeded, Some(before), Some(before)) };
        assert!(matches!(state(&half, "one", begun), State::Passing));
    }
}
