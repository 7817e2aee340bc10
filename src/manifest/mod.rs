//! The manifest of a backup: everything needed to restore it without mydb_admin and without this program.
//! docs/BACKUPS.md documents its format.

pub mod admin;
pub mod dump;
mod object;
pub mod sum;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::engine::EngineKind;
use crate::encryption::Identities;
use crate::engine::definition::Definition;
use crate::engine::part::Count;
use crate::engine::partial::Selection;
pub use crate::manifest::object::Object;

/// Version of the format. Readers reject later versions, because they could not restore what they do not know.
pub const SCHEMA: u32 = 2;
/// Format version of unencrypted backups, which older portals can read too.
pub const PLAIN_SCHEMA: u32 = 1;
/// Name of the manifest object.
pub const FILE: &str = "manifest.json";
/// Name of the object with instructions for a manual restore.
pub const BY_HAND: &str = "RESTORE.txt";
/// `source` of a dump made by the running server.
pub const RUNNING: &str = "running server";
/// `source` of a dump made from a copy of the data directory.
pub const COPY: &str = "frozen copy";
/// Kind of the counts of computed data. Their rows depend on when they were last computed.
pub const COMPUTED: &str = "materialized view";
/// Kind of the count of the current rows of a system-versioned table. Older portals counted only all rows, with their
/// history.
const PRESENT: &str = "present rows";
/// Maximum size of a manifest in bytes, enough for 100,000 tables.
pub const LONGEST: u64 = 64 * 1024 * 1024;

/// The manifest of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub schema: u32,
    /// Id of the backup.
    pub backup: Uuid,
    /// Instance id of the portal that made it.
    pub instance: String,
    /// When the dump began.
    pub started_at: DateTime<Utc>,
    /// When everything was stored.
    pub finished_at: DateTime<Utc>,
    /// `running server` or `frozen copy`.
    pub source: String,
    /// The database that was backed up.
    pub container: BackupSubject,
    /// Names of the databases in it.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Password of the administrator's account in the data, generated for this backup only. Absent if the data does not
    /// contain the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_password: Option<String>,
    /// The same password if the objects are encrypted: encrypted for the same recipients, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_admin_password: Option<String>,
    /// How the objects are encrypted; absent if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The objects, in the order in which they are restored.
    pub objects: Vec<Object>,
    /// Counts of the content, taken at the moment of the dump if `exact_counts`.
    pub counts: Vec<Count>,
    /// Definitions at the moment of the dump. Empty in backups of older portals and of engines that do not report them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<Definition>,
    /// Whether the counts are from exactly the moment of the dump.
    pub exact_counts: bool,
    /// Whether the counts include fingerprints of the content.
    pub fingerprints: bool,
    /// Other facts reported by the server, such as settings and encodings.
    pub facts: serde_json::Value,
    /// Configuration files of the container, by name.
    pub config: BTreeMap<String, String>,
    /// Notes reported by the dump.
    pub notes: Vec<String>,
    /// The part to restore, if not everything. Never written.
    #[serde(skip)]
    pub wanted: Option<WantedPart>,
}

/// The part of a backup to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPart {
    /// The selected database and table.
    pub only: Selection,
    /// The other databases in the backup.
    pub others: Vec<String>,
    /// Definitions that belong to no database. If the data contains the accounts of the whole server, they are compared
    /// whatever part is selected.
    pub accounts: Vec<Definition>,
}

/// How the objects of a backup are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `age`.
    pub method: String,
    /// The recipients that can decrypt them.
    pub recipients: Vec<String>,
}

/// The database that a backup was made of, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSubject {
    /// Its key in mydb_admin.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Engine.
    pub engine: EngineKind,
    /// Image, as named in the catalog.
    pub image: String,
    /// Digest of the image.
    pub digest: String,
    /// Version, as reported by the server.
    pub version: String,
    /// The user's database.
    pub dbname: String,
    /// The user's role.
    pub dbuser: String,
    /// The owner's account.
    pub owner: String,
    /// Contact for questions about it.
    pub contact: String,
    /// Department.
    pub department: String,
    /// Its purpose.
    pub description: String,
    /// Storage tier.
    pub storage: String,
    /// Memory limit in bytes.
    pub memory_bytes: i64,
    /// CPU limit in thousandths of a CPU.
    pub millicpus: i32,
    /// Backup policy.
    pub backup_freq: String,
    /// Extensions selected when it was created.
    pub extensions: Vec<String>,
    /// When it was to expire, if ever. Older portals did not record this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The cores its owner asked for, if not all: a list, or `auto:` and a number. Older portals did not record this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpuset: Option<String>,
}

impl Manifest {
    /// Parses a manifest and checks that it belongs to the expected backup.
    pub fn read(bytes: &[u8], backup: Uuid) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let wrong = |e: serde_json::Error| format!("The manifest of this backup is damaged: {e}.");
        let version: Version = serde_json::from_slice(bytes).map_err(wrong)?;
        if version.schema > SCHEMA {
            return Err(format!(
                "The manifest of this backup has format version {}, but this portal supports versions up to {SCHEMA}. \
                 It was made by a newer portal; use that version to restore it.",
                version.schema
            ));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        if read.backup != backup {
            return Err(format!(
                "The manifest belongs to another backup, {}, of {}.",
                read.backup, read.container.name
            ));
        }
        if read.objects.is_empty() {
            return Err("The manifest lists no objects.".to_owned());
        }
        values::check(read.container.engine, &read.objects, read.sealed_admin_password.as_deref())?;
        Ok(read)
    }

    /// The recipients that can decrypt its objects; empty if they are not encrypted.
    pub fn recipients(&self) -> &[String] {
        self.encryption.as_ref().map(|e| e.recipients.as_slice()).unwrap_or_default()
    }

    /// Whether `keys` can decrypt the objects.
    pub fn opens(&self, keys: &Identities) -> bool {
        self.encryption.is_none() || keys.open(self.recipients())
    }

    /// The password of the administrator's account in the data.
    pub fn admin(&self, keys: &Identities) -> Result<Option<SecretString>, String> {
        match (&self.sealed_admin_password, &self.admin_password) {
            (Some(sealed), _) => keys.text(sealed).map(Some),
            (None, plain) => Ok(plain.clone().map(SecretString::from)),
        }
    }

    /// Total stored size in bytes.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|o| o.stored.bytes).sum()
    }

    /// Names of its databases.
    pub fn databases(&self) -> Vec<&str> {
        if self.databases.is_empty() {
            // Older portals did not write the names.
            return self.objects.iter().filter_map(|o| o.database.as_deref()).collect();
        }
        self.databases.iter().map(String::as_str).collect()
    }

    /// The manifest reduced to the objects and counts of the selected part.
    pub fn reduced(mut self, only: &Selection) -> Result<Self, String> {
        let (mine, others) = self.databases().into_iter().map(str::to_owned).partition(|name| *name == only.database);
        self.databases = mine;
        if self.databases.is_empty() {
            return Err(format!("This backup has no database “{}”.", only.database));
        }
        self.objects.retain(|o| o.database.as_ref().is_none_or(|database| *database == only.database));
        self.counts.retain(|count| only.holds(count));
        // For a single table only its rows are compared: what it depends on is restored with it, what depends on it is
        // not.
        let (accounts, mut definitions): (Vec<_>, Vec<_>) =
            self.definitions.into_iter().partition(|d| d.database.is_empty());
        definitions.retain(|d| only.table.is_none() && d.database == only.database);
        self.definitions = definitions;
        if let Some(table) = &only.table
            && self.counts.is_empty()
        {
            return Err(format!("The database “{}” of this backup has no “{table}”.", only.database));
        }
        self.wanted = Some(WantedPart { only: only.clone(), others, accounts });
        Ok(self)
    }

    /// Differences between these counts and those of the manifest, as sentences.
    pub fn differences(&self, counts: &[Count]) -> Vec<String> {
        let key = |c: &Count| (c.database.clone(), c.kind.clone(), c.name.clone());
        let wanted = |c: &&Count| self.wanted.as_ref().is_none_or(|w| w.only.holds(c));
        // If definitions are known, they say more than the number of objects of a kind. Fingerprints of content are in
        // no definition.
        let counts_for = |c: &&Count| self.definitions.is_empty() || c.kind != "object" || c.fingerprint.is_some();
        let known: BTreeSet<_> = self.counts.iter().map(key).collect();
        let now: BTreeMap<_, _> = counts.iter().filter(wanted).map(|c| (key(c), c)).collect();
        let then: BTreeMap<_, _> = self.counts.iter().filter(counts_for).map(|c| (key(c), c)).collect();
        // Older portals counted computed rows like those of tables.
        let computed = |c: &Count| now.contains_key(&(c.database.clone(), COMPUTED.to_owned(), c.name.clone()));
        let named = |c: &Count| format!("{} {} in {}", c.kind, c.name, c.database);
        let mut found = Vec::new();
        for (key, was) in &then {
            match now.get(key) {
                None if was.rows == 0 && was.kind == "object" => {}
                None if was.kind == "table" && computed(was) => {}
                // A materialized view that could not be computed exists and is empty. The restore notes that.
                None if was.kind == COMPUTED && !self.definitions.is_empty() => {}
                // A restore recomputes them.
                Some(_) if was.kind == COMPUTED => {}
                None => found.push(format!("{} is missing; it had {}.", named(was), was.rows)),
                Some(is) if is.rows != was.rows => {
                    found.push(format!("{} has {} where the backup had {}.", named(was), is.rows, was.rows));
                }
                Some(is) => {
                    if let (Some(a), Some(b)) = (&is.fingerprint, &was.fingerprint)
                        && a != b
                    {
                        found.push(format!("The content of {} differs from the backup.", named(was)));
                    }
                }
            }
        }
        found.extend(
            now.iter()
                .filter(|(key, is)| !known.contains(*key) && is.rows != 0 && is.kind != COMPUTED && counts_for(is))
                .filter(|(_, is)| is.kind != PRESENT)
                .map(|(_, is)| format!("{} exists, with {}, but was not in the backup.", named(is), is.rows)),
        );
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::BackupSubject;

    /// The description of a database as portals wrote it before they recorded its expiry and its cores.
    const OLDER: &str = r#"{"id":"01990c3e-7d53-7c70-a3a4-1f0d6f4f2b11","name":"lab","engine":"postgres",
        "image":"docker.io/library/postgres:17","digest":"","version":"17.6","dbname":"trial","dbuser":"ada","owner":"ada",
        "contact":"","department":"","description":"","storage":"standard","memory_bytes":1,"millicpus":1,
        "backup_freq":"Daily","extensions":[]}"#;

    #[test]
    fn expiry_and_cores_are_kept_and_manifests_without_them_are_read() {
        let mut subject: BackupSubject = serde_json::from_str(OLDER).unwrap();
        assert_eq!((subject.expires_at, subject.cpuset.as_deref()), (None, None));
        let written = serde_json::to_value(&subject).unwrap();
        assert!(written.get("expires_at").is_none() && written.get("cpuset").is_none(), "{written}");
        subject.expires_at = chrono::DateTime::from_timestamp(1_800_000_000, 0);
        subject.cpuset = Some("auto:2".to_owned());
        let written = serde_json::to_string(&subject).unwrap();
        assert_eq!(serde_json::from_str::<BackupSubject>(&written).unwrap(), subject);
    }
}
