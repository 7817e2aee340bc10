//! The manifest of a backup: all that is needed to restore it, without mydb_admin and without this program.
//! Its form is documented in docs/BACKUPS.md.

pub mod admin;
pub mod dump;
pub mod sum;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::engine::EngineKind;
use crate::encryption::Identities;
use crate::engine::definition::Definition;
use crate::engine::part::{Count, Part};
use crate::engine::partial::Selection;
use crate::manifest::sum::Sum;

/// Version of the form. A reader refuses later ones: what it does not know it can't restore.
pub const SCHEMA: u32 = 2;
/// Version of the form of one that is not encrypted, which older portals read too.
pub const PLAIN_SCHEMA: u32 = 1;
/// Name of the manifest's object.
pub const FILE: &str = "manifest.json";
/// Name of the object with the commands for people.
pub const BY_HAND: &str = "RESTORE.txt";
/// Source of a dump that the running server made.
pub const RUNNING: &str = "running server";
/// Source of a dump that was made from a copy of the data.
pub const COPY: &str = "frozen copy";
/// Kind of the counts of what is computed from other data: how much of it there is depends on when that was done.
pub const COMPUTED: &str = "materialized view";
/// Longest manifest that is read: 100,000 tables fit.
pub const LONGEST: u64 = 64 * 1024 * 1024;

/// A backup's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form.
    pub schema: u32,
    /// The backup.
    pub backup: Uuid,
    /// Portal it was made by.
    pub instance: String,
    /// When the dump began.
    pub started_at: DateTime<Utc>,
    /// When all of it was stored.
    pub finished_at: DateTime<Utc>,
    /// `running server` or `frozen copy`.
    pub source: String,
    /// The database it is of.
    pub container: BackupSubject,
    /// Its databases.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Password of the administrator's account in the data: made for this backup only. Absent where the account is not
    /// in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_password: Option<String>,
    /// The same where the objects are encrypted: encrypted to the same recipients, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_admin_password: Option<String>,
    /// How the objects are encrypted; absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Its objects, in the order in which they are restored.
    pub objects: Vec<Object>,
    /// What was in it, counted in the moment of the dump if `exact_counts`.
    pub counts: Vec<Count>,
    /// What was defined in it, in the moment of the dump. None in a backup of an older portal, or of an engine that does
    /// not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<Definition>,
    /// Whether the counts are of the very moment of the dump.
    pub exact_counts: bool,
    /// Whether the counts have fingerprints of the content.
    pub fingerprints: bool,
    /// What else the server said about itself: settings, encodings.
    pub facts: serde_json::Value,
    /// Configuration files of the container, by name.
    pub config: BTreeMap<String, String>,
    /// Remarks of the dump.
    pub notes: Vec<String>,
    /// What of it is wanted, if not all; never written.
    #[serde(skip)]
    pub wanted: Option<WantedPart>,
}

/// What of a backup is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPart {
    /// That.
    pub only: Selection,
    /// The other databases of the backup.
    pub others: Vec<String>,
    /// What of the backup is defined in no database: where data brings the accounts of the whole server with it, they are
    /// compared whatever is wanted.
    pub accounts: Vec<Definition>,
}

/// How the objects of a backup are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `age`.
    pub method: String,
    /// Whose keys open them.
    pub recipients: Vec<String>,
}

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSubject {
    /// Key in mydb_admin.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Engine.
    pub engine: EngineKind,
    /// Image, as in the catalog.
    pub image: String,
    /// Digest of the image.
    pub digest: String,
    /// The server's version, in its own words.
    pub version: String,
    /// The user's database.
    pub dbname: String,
    /// The user's role.
    pub dbuser: String,
    /// Owner's account.
    pub owner: String,
    /// Whom to ask about it.
    pub contact: String,
    /// Department.
    pub department: String,
    /// What it is for.
    pub description: String,
    /// Storage tier.
    pub storage: String,
    /// Memory limit in bytes.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
    /// Backup policy.
    pub backup_freq: String,
    /// Extensions chosen when it was made.
    pub extensions: Vec<String>,
}

/// An object of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name, beside the manifest.
    pub file: String,
    /// Name of the dump before compression.
    pub plain: String,
    /// The database it holds; absent for what belongs to the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What it is, for people.
    pub what: String,
    /// The dump as it left the container.
    pub dumped: Sum,
    /// The object as it lies in the store.
    pub stored: Sum,
    /// `zstd`.
    pub compression: String,
    /// `age`, after compression; absent: it is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
}

impl Object {
    /// Its name once it is decrypted.
    pub fn compressed(&self) -> &str {
        match self.encryption {
            Some(_) => self.file.strip_suffix(".age").unwrap_or(&self.file),
            None => &self.file,
        }
    }

    /// The part it holds.
    pub fn part(&self) -> Part {
        Part { file: self.plain.clone(), database: self.database.clone(), what: "" }
    }
}

impl Manifest {
    /// Reads one and checks that it is of what was asked for.
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
        let strange = |o: &&Object| o.file.contains('/') || o.file.is_empty();
        if let Some(object) = read.objects.iter().find(strange) {
            return Err(format!("The manifest refers to an object elsewhere: {}.", object.file));
        }
        Ok(read)
    }

    /// Whose keys open its objects; none where they are not encrypted.
    pub fn recipients(&self) -> &[String] {
        self.encryption.as_ref().map(|e| e.recipients.as_slice()).unwrap_or_default()
    }

    /// Whether the objects can be read with `keys`.
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

    /// Bytes stored in all.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|o| o.stored.bytes).sum()
    }

    /// Its databases.
    pub fn databases(&self) -> Vec<&str> {
        if self.databases.is_empty() {
            // Of a portal that did not write them down.
            return self.objects.iter().filter_map(|o| o.database.as_deref()).collect();
        }
        self.databases.iter().map(String::as_str).collect()
    }

    /// The same with nothing but what is wanted: its objects and counts.
    pub fn reduced(mut self, only: &Selection) -> Result<Self, String> {
        let (mine, others) = self.databases().into_iter().map(str::to_owned).partition(|name| *name == only.database);
        self.databases = mine;
        if self.databases.is_empty() {
            return Err(format!("This backup has no database “{}”.", only.database));
        }
        self.objects.retain(|o| o.database.as_ref().is_none_or(|database| *database == only.database));
        self.counts.retain(|count| only.holds(count));
        // Of one table nothing is compared but its rows: what it needs comes with it, and whatever needs it does not.
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

    /// Differences between these counts and its own, as sentences.
    pub fn differences(&self, counts: &[Count]) -> Vec<String> {
        let key = |c: &Count| (c.database.clone(), c.kind.clone(), c.name.clone());
        let wanted = |c: &&Count| self.wanted.as_ref().is_none_or(|w| w.only.holds(c));
        // How many of a kind there are says less than which ones, where that is known; what is in them is in no definition.
        let counts_for = |c: &&Count| self.definitions.is_empty() || c.kind != "object" || c.fingerprint.is_some();
        let known: BTreeSet<_> = self.counts.iter().map(key).collect();
        let now: BTreeMap<_, _> = counts.iter().filter(wanted).map(|c| (key(c), c)).collect();
        let then: BTreeMap<_, _> = self.counts.iter().filter(counts_for).map(|c| (key(c), c)).collect();
        // Portals of before counted the rows that are computed like others.
        let computed = |c: &Count| now.contains_key(&(c.database.clone(), COMPUTED.to_owned(), c.name.clone()));
        let named = |c: &Count| format!("{} {} in {}", c.kind, c.name, c.database);
        let mut found = Vec::new();
        for (key, was) in &then {
            match now.get(key) {
                None if was.rows == 0 && was.kind == "object" => {}
                None if was.kind == "table" && computed(was) => {}
                // One that could not be computed is there, and empty: that is noted by the restore.
                None if was.kind == COMPUTED && !self.definitions.is_empty() => {}
                // A restore computes them anew.
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
                .map(|(_, is)| format!("{} exists, with {}, but was not in the backup.", named(is), is.rows)),
        );
        found
    }
}
