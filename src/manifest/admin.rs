//! Backups of mydb_admin in a bucket: `<instance>/mydb_admin/<time>/`. They are found by their time, because the list
//! of backups is itself in mydb_admin.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::names::InstanceId;
use crate::domain::object_keys;
use crate::manifest::Object;
use crate::objects::{ObjectError, ObjectInfo, Store};

/// Version of the format.
pub const SCHEMA: u32 = 2;
/// Format version of unencrypted backups, which older portals can read too.
pub const PLAIN_SCHEMA: u32 = 1;
/// Name of the manifest object, which is written last.
pub const FILE: &str = "manifest.json";
/// Name of the dump before compression.
pub const DUMP: &str = "mydb_admin.pgdump";
/// Name of the object with the keys, encrypted for the recovery key.
pub const KEYS: &str = "keys.age";
/// Maximum size of a manifest and of the encrypted keys in bytes.
pub const LONGEST: u64 = 1024 * 1024;
/// The manifest of a backup of mydb_admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdminManifest {
    /// Version of the format.
    pub schema: u32,
    /// Instance id of the portal.
    pub instance: String,
    /// The time of the state it contains.
    pub made_at: DateTime<Utc>,
    /// Version of the program that made it.
    pub program: String,
    /// Number of the last migration that had been applied.
    pub migration: i64,
    /// Number of existing databases.
    pub containers: i64,
    /// The object with the dump.
    pub object: Object,
    /// Whether the keys are stored with it.
    pub keys: bool,
    /// SHA-256 of the object with the keys, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_sha256: Option<String>,
}

/// A complete backup of mydb_admin in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAdminBackup {
    /// The time of the state it contains.
    pub made_at: DateTime<Utc>,
    /// Its key prefix.
    pub location: String,
    /// Size of the stored dump in bytes.
    pub bytes: u64,
    /// Whether the keys are stored with it.
    pub keys: bool,
}

/// Objects without a manifest are considered abandoned after this time: their portal was killed.
const ABANDONED: TimeDelta = TimeDelta::hours(1);

/// The complete backups, the newest first.
pub async fn list(store: &Store, instance: &InstanceId) -> Result<Vec<StoredAdminBackup>, ObjectError> {
    let beginning = object_keys::of_admin_backups(instance);
    Ok(whole(&store.list(&beginning).await?, &beginning))
}

/// The complete backups, and the objects of abandoned ones.
pub async fn look(
    store: &Store,
    instance: &InstanceId,
    now: DateTime<Utc>,
) -> Result<(Vec<StoredAdminBackup>, Vec<String>), ObjectError> {
    let beginning = object_keys::of_admin_backups(instance);
    let objects = store.list(&beginning).await?;
    let there = whole(&objects, &beginning);
    let left = left(&objects, &there, &beginning, now);
    Ok((there, left))
}

fn left(objects: &[ObjectInfo], there: &[StoredAdminBackup], beginning: &str, now: DateTime<Utc>) -> Vec<String> {
    let is_left = |key: &str| {
        let Some((location, _)) = key.rsplit_once('/') else { return false };
        let begun = moment(&object_keys::file(location, FILE), beginning);
        begun.is_some_and(|(at, _)| now - at > ABANDONED) && !there.iter().any(|t| t.location == location)
    };
    objects.iter().map(|o| o.key.clone()).filter(|key| is_left(key)).collect()
}

fn whole(objects: &[ObjectInfo], beginning: &str) -> Vec<StoredAdminBackup> {
    let length = |key: String| objects.iter().find(|o| o.key == key).map(|o| o.bytes);
    let there = |(made_at, location): (DateTime<Utc>, String)| StoredAdminBackup {
        made_at,
        bytes: ["zst", "zst.age"].into_iter().find_map(|end| length(format!("{location}/{DUMP}.{end}"))).unwrap_or(0),
        keys: length(object_keys::file(&location, KEYS)).is_some(),
        location,
    };
    let mut found: Vec<StoredAdminBackup> =
        objects.iter().filter_map(|o| moment(&o.key, beginning)).map(there).collect();
    found.sort_by_key(|t| std::cmp::Reverse(t.made_at));
    found
}

fn moment(key: &str, beginning: &str) -> Option<(DateTime<Utc>, String)> {
    object_keys::parse_admin_backup(key, beginning, FILE)
}

#[cfg(test)]
mod tests {
    use crate::manifest::admin::*;

    #[test]
    fn only_complete_backups_with_a_time_are_found() {
        let at = |key: &str| moment(key, "lab/mydb_admin/").map(|(at, _)| at.timestamp());
        assert_eq!(at("lab/mydb_admin/20270115T080000Z/manifest.json"), Some(1_800_000_000));
        for other in
            ["lab/mydb_admin/20270115T080000Z/keys.age", "lab/mydb_admin/x/manifest.json", "lab/x/manifest.json"]
        {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn a_backup_is_recognised_by_the_objects_next_to_its_manifest() {
        let object = |key: &str, bytes| ObjectInfo { key: format!("lab/mydb_admin/{key}"), bytes, etag: String::new() };
        let found = whole(
            &[
                object("20270115T080000Z/keys.age", 7),
                object("20270115T080000Z/manifest.json", 9),
                object("20270115T080000Z/mydb_admin.pgdump.zst", 100),
                object("20270115T090000Z/manifest.json", 9),
                object("20270115T100000Z/mydb_admin.pgdump.zst", 100),
            ],
            "lab/mydb_admin/",
        );
        let said: Vec<_> = found.iter().map(|t| (t.made_at.timestamp(), t.bytes, t.keys)).collect();
        assert_eq!(said, [(1_800_003_600, 0, false), (1_800_000_000, 100, true)]);
    }

    #[test]
    fn leftovers_of_a_killed_portal_are_recognised_after_an_hour() {
        let object = |key: &str| ObjectInfo { key: format!("lab/mydb_admin/{key}"), bytes: 1, etag: String::new() };
        let objects =
            ["20270115T080000Z/mydb_admin.pgdump.zst", "20270115T080000Z/keys.age", "20270115T090000Z/manifest.json"];
        let objects =
            [&objects.map(object)[..], &[object("notes/manifest.txt"), object("20270115T090000Z/keys.age")]].concat();
        let there = whole(&objects, "lab/mydb_admin/");
        let at = |seconds| left(&objects, &there, "lab/mydb_admin/", DateTime::from_timestamp(seconds, 0).unwrap());
        assert_eq!(at(1_800_003_600), Vec::<String>::new(), "it may be under way");
        assert_eq!(at(1_800_003_601), [objects[0].key.as_str(), objects[1].key.as_str()]);
    }
}
