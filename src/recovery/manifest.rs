//! What lies in a bucket for a backup of mydb_admin: `<instance>/mydb_admin/<time>/`, found by its time, since the list of
//! backups is in what it is a backup of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::backup::manifest::Object;
use crate::domain::names::InstanceId;
use crate::objects::{ObjectError, Store};

/// Version of the form.
pub const SCHEMA: u32 = 2;
/// Version of the form of one that is not encrypted, which older portals read too.
pub const PLAIN_SCHEMA: u32 = 1;
/// Name of the manifest's object, which is written last.
pub const FILE: &str = "manifest.json";
/// Name of the object with the keys, encrypted to the recovery key.
pub const KEYS: &str = "keys.age";
/// How a time is written in keys: it sorts as the times do.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A backup of mydb_admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdminManifest {
    /// Version of the form.
    pub schema: u32,
    /// Portal it is of.
    pub instance: String,
    /// The moment it shows.
    pub made_at: DateTime<Utc>,
    /// Version of the program that made it.
    pub program: String,
    /// Number of the last migration that its tables have had.
    pub migration: i64,
    /// Databases that lived.
    pub containers: i64,
    /// The dump.
    pub object: Object,
    /// Whether the keys lie beside it.
    pub keys: bool,
}

/// Beginning of the keys of all of an instance.
pub fn beginning(instance: &InstanceId) -> String {
    format!("{instance}/mydb_admin/")
}

/// Beginning of the keys of the one of this moment.
pub fn location(instance: &InstanceId, at: DateTime<Utc>) -> String {
    format!("{}{}", beginning(instance), at.format(TIME))
}

/// The whole ones there are, the newest first: (moment, beginning of the keys).
///
/// # Errors
/// The store's.
pub async fn list(store: &Store, instance: &InstanceId) -> Result<Vec<(DateTime<Utc>, String)>, ObjectError> {
    let beginning = beginning(instance);
    let mut found: Vec<_> = store.list(&beginning).await?.iter().filter_map(|o| moment(&o.key, &beginning)).collect();
    found.sort();
    found.reverse();
    Ok(found)
}

fn moment(key: &str, beginning: &str) -> Option<(DateTime<Utc>, String)> {
    let name = key.strip_prefix(beginning)?.strip_suffix(FILE)?.strip_suffix('/')?;
    let at = chrono::NaiveDateTime::parse_from_str(name, TIME).ok()?.and_utc();
    Some((at, format!("{beginning}{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_ones_with_a_time_are_found() {
        let at = |key: &str| moment(key, "lab/mydb_admin/").map(|(at, _)| at.timestamp());
        assert_eq!(at("lab/mydb_admin/20270115T080000Z/manifest.json"), Some(1_800_000_000));
        for other in
            ["lab/mydb_admin/20270115T080000Z/keys.age", "lab/mydb_admin/x/manifest.json", "lab/x/manifest.json"]
        {
            assert_eq!(at(other), None, "{other}");
        }
    }
}
