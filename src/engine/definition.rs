//! Definitions of the objects in a server: for each object a name and a hash of the text that defines it. The manifest
//! of a backup contains them, and every restore is compared with them.
//!
//! An engine reports them in one of two ways, on standard error of its dump and on standard output of
//! [`EngineBackup::definitions`](super::backup::EngineBackup::definitions):
//!
//! * A line `db4sci: {"definition":{"database":…,"kind":…,"name":…,"text":…}}` for one object. The portal hashes the
//!   text and stores only the hash. If the text may be long, the engine hashes it and sends `"sha256"` instead of
//!   `"text"`.
//! * Lines that begin with [`SQL_MARK`] and contain the text of a whole schema, which the engine's
//!   [`DefinitionSplitter`] splits into objects.
//!
//! Neither may contain anything that a correct restore changes: positions of sequences, ids, times, versions of tools.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::normalized_sql::loosened;

/// Prefix of the lines that an engine's [`DefinitionSplitter`] reads.
pub const SQL_MARK: &str = "db4sci-sql ";

/// Maximum bytes of a definition that also gets a loose hash.
const LOOSE_MOST: usize = 256 * 1024;
/// Maximum bytes of an object's name; the rest is cut off.
const NAME_MOST: usize = 1024;

/// The definition of an object in a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Definition {
    /// The database that contains it; empty if it belongs to the whole server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// `table`, `role`, `setting` … in lower case.
    pub kind: String,
    /// Its name, as written in the engine's language.
    pub name: String,
    /// The first 128 bits of the SHA-256 of its definition, in hexadecimal.
    pub sha256: String,
    /// The same hash without the parts that a server may write differently after parsing its own text: parentheses and
    /// casts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loose: Option<String>,
}

impl Definition {
    /// Hashes an object's complete definition.
    pub fn of(database: &str, kind: &str, name: &str, text: &str) -> Self {
        let mut hash = DefinitionHasher::default();
        hash.add(text.as_bytes());
        hash.done(database, kind, name)
    }

    /// Kind, name and database, as part of a sentence.
    pub fn named(&self) -> String {
        match self.database.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            database => format!("{} {} in {database}", self.kind, self.name),
        }
    }
}

/// An object as an engine reports it: with its text, or with a hash if the text may be long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReportedDefinition {
    #[serde(default)]
    database: String,
    kind: String,
    name: String,
    text: Option<String>,
    sha256: Option<String>,
}

impl ReportedDefinition {
    /// Reports an object with its text.
    pub fn new(database: &str, kind: String, name: String, text: String) -> Self {
        Self { database: database.to_owned(), kind, name, text: Some(text), sha256: None }
    }

    /// The definition to store. An error if the report contains neither a text nor a hash.
    pub fn definition(self) -> Result<Definition, String> {
        match (&self.text, &self.sha256) {
            (Some(text), _) => Ok(Definition::of(&self.database, &self.kind, &self.name, text)),
            // Hash what was sent, so that it has the usual length whatever it is.
            (None, Some(hash)) => Ok(Definition::of(&self.database, &self.kind, &self.name, hash)),
            (None, None) => Err(format!("The container reported no definition for the {} {}.", self.kind, self.name)),
        }
    }
}

/// Hashes the text of one object as it arrives, so that no long text is held in memory.
#[derive(Debug, Default)]
pub struct DefinitionHasher {
    exact: Sha256,
    /// The text itself, as long as it is short enough for a loose hash.
    text: Vec<u8>,
    long: bool,
}

impl DefinitionHasher {
    /// Adds a chunk of the text.
    pub fn add(&mut self, piece: &[u8]) {
        self.exact.update(piece);
        self.long |= self.text.len() + piece.len() > LOOSE_MOST;
        if self.long {
            self.text = Vec::new();
        } else {
            self.text.extend_from_slice(piece);
        }
    }

    /// The definition, once the whole text has been added.
    pub fn done(self, database: &str, kind: &str, name: &str) -> Definition {
        let exact: [u8; 32] = self.exact.finalize().into();
        let text = String::from_utf8_lossy(&self.text);
        // A server writes a text in two ways only if it contains a cast.
        let loose = (!self.long && text.contains("::")).then(|| short(&Sha256::digest(loosened(&text)).into()));
        let mut name = name.to_owned();
        if name.len() > NAME_MOST {
            name.truncate(name.floor_char_boundary(NAME_MOST));
            name.push('…');
        }
        Definition { database: database.to_owned(), kind: kind.to_owned(), name, sha256: short(&exact), loose }
    }
}

/// The first 128 bits of a hash.
fn short(hash: &[u8; 32]) -> String {
    hex::encode(hash.get(..16).unwrap_or(hash))
}

/// Splits the text with which an engine defines the content of a database into definitions of its objects.
pub trait DefinitionSplitter: Send {
    /// Reads a chunk of the text. `begins`: the chunk is the beginning of a line; very long lines come in several
    /// chunks.
    fn read(&mut self, piece: &[u8], begins: bool, found: &mut Vec<Definition>);
    /// Completes the last object.
    fn end(&mut self, found: &mut Vec<Definition>);
}

/// Sorts definitions and merges those of the same name into one. The result does not depend on their order.
pub fn settle(definitions: &mut Vec<Definition>) {
    definitions.sort_unstable();
    definitions.dedup_by(|next, kept| {
        let same = (&next.database, &next.kind, &next.name) == (&kept.database, &kept.kind, &kept.name);
        if same {
            let both = format!("{} {}", kept.sha256, next.sha256);
            kept.sha256 = short(&Sha256::digest(both).into());
            // Loose hashes are not ordered like the exact ones. Adding them makes the result independent of the order.
            kept.loose = kept.loose.take().zip(next.loose.take()).and_then(|(a, b)| added(&a, &b));
        }
        same
    });
}

fn added(a: &str, b: &str) -> Option<String> {
    let number = |text: &str| u128::from_str_radix(text, 16).ok();
    Some(format!("{:032x}", number(a)?.wrapping_add(number(b)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_in_chunks_equals_hashing_at_once() {
        let whole = Definition::of("d", "view", "v", "SELECT 'a'::text");
        let mut hash = DefinitionHasher::default();
        hash.add(b"SELECT 'a'");
        hash.add(b"::text");
        assert_eq!(hash.done("d", "view", "v"), whole);
        assert_eq!((whole.sha256.len(), whole.loose.map(|l| l.len())), (32, Some(32)));
        assert_eq!(Definition::of("d", "view", "v", "SELECT 1").loose, None);
    }

    #[test]
    fn very_long_texts_are_hashed_without_being_held_in_memory() {
        let of = |last: &[u8]| {
            let mut hash = DefinitionHasher::default();
            for _ in 0..1000 {
                hash.add(&[b':'; 4096]);
            }
            hash.add(last);
            assert!(hash.text.capacity() == 0);
            hash.done("d", "function", "f()")
        };
        assert_ne!(of(b"a").sha256, of(b"b").sha256);
        assert_eq!(of(b"a").loose, None);
    }

    #[test]
    fn definitions_of_one_name_are_merged_in_any_order() {
        let a = Definition::of("d", "grant", "x", "one::text");
        let b = Definition::of("d", "grant", "x", "two::text");
        let c = Definition::of("d", "grant", "y", "two::text");
        let (mut one, mut other) = (vec![a.clone(), b.clone(), c.clone()], vec![c, b, a]);
        settle(&mut one);
        settle(&mut other);
        assert_eq!(one, other);
        assert_eq!(one.len(), 2);
        assert!(one.iter().all(|d| d.loose.is_some()));
    }

    #[test]
    fn a_reported_definition_needs_a_text_or_a_hash() {
        let read = |json: &str| serde_json::from_str::<ReportedDefinition>(json).unwrap().definition();
        let text = read(r#"{"kind":"role","name":"ada","text":"login"}"#).unwrap();
        assert_eq!((text.named().as_str(), text.database.as_str()), ("role ada", ""));
        assert!(read(r#"{"database":"d","kind":"index","name":"i","sha256":"ab"}"#).is_ok());
        assert!(read(r#"{"kind":"role","name":"ada"}"#).is_err());
    }
}
