//! An object of a backup: one part of the dump, as stored.

use serde::{Deserialize, Serialize};

use crate::engine::part::Part;
use crate::manifest::sum::Sum;

/// An object of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name, next to the manifest.
    pub file: String,
    /// Name of the dump before compression.
    pub plain: String,
    /// The database it contains; absent if it belongs to the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Description for people.
    pub what: String,
    /// Size and checksum of the dump as it left the container.
    pub dumped: Sum,
    /// Size and checksum of the object as stored.
    pub stored: Sum,
    /// `zstd`.
    pub compression: String,
    /// `age`, applied after compression; absent if it is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
}

impl Object {
    /// Its name after decryption.
    pub fn compressed(&self) -> &str {
        match self.encryption {
            Some(_) => self.file.strip_suffix(".age").unwrap_or(&self.file),
            None => &self.file,
        }
    }

    /// The part of the dump it contains.
    pub fn part(&self) -> Part {
        Part { file: self.plain.clone(), database: self.database.clone(), what: "" }
    }
}
