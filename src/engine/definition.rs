//! What is defined in a server, object by object: a name and a hash of the text that defines it. A backup's manifest keeps
//! them, and whatever is restored from it is compared with them.
//!
//! An engine reports them in one of two ways, on standard error of its dump and on standard output of
//! [`EngineBackup::definitions`](super::backup::EngineBackup::definitions):
//!
//! * A line `db4sci: {"definition":{"database":…,"kind":…,"name":…,"text":…}}` for one object. The portal hashes the text and
//!   keeps the hash only. Where the text would be long, the engine hashes it and sends `"sha256"` instead of `"text"`.
//! * Lines that begin with [`SQL_MARK`], the text of a whole schema, which the [`DefinitionSplitter`] of the engine takes apart.
//!
//! Both have to be free of what a good restore changes: positions of sequences, ids, times, versions of tools.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::loose::loosened;

/// Begins the lines that an engine's [`DefinitionSplitter`] reads.
pub const SQL_MARK: &str = "db4sci-sql ";

/// Longest text of an object that is also compared loosely.
const LOOSE_MOST: usize = 256 * 1024;
/// Longest name that is kept of an object.
const NAME_MOST: usize = 1024;

/// An object that is defined in a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Definition {
    /// The database it is in; empty: it belongs to the whole server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// `table`, `role`, `setting` … in lower case.
    pub kind: String,
    /// Its name, as people write it.
    pub name: String,
    /// The first 128 bits of the SHA-256 of what defines it, in hexadecimal.
    pub sha256: String,
    /// The same without what a server may write differently once it has read it back: parentheses and casts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loose: Option<String>,
}

impl Definition {
    /// An object, by the whole text that defines it.
    pub fn of(database: &str, kind: &str, name: &str, text: &str) -> Self {
        let mut hash = DefinitionHasher::default();
        hash.add(text.as_bytes());
        hash.done(database, kind, name)
    }

    /// What it is called, as a part of a sentence.
    pub fn named(&self) -> String {
        match self.database.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            database => format!("{} {} in {database}", self.kind, self.name),
        }
    }
}

/// An object as an engine reports it: with its text, or a hash where that would be long.
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
    /// An object, by the text that defines it.
    pub fn new(database: &str, kind: String, name: String, text: String) -> Self {
        Self { database: database.to_owned(), kind, name, text: Some(text), sha256: None }
    }

    /// What is kept of it.
    pub fn definition(self) -> Result<Definition, String> {
        match (&self.text, &self.sha256) {
            (Some(text), _) => Ok(Definition::of(&self.database, &self.kind, &self.name, text)),
            // Whatever it sent: as long as a hash.
            (None, Some(hash)) => Ok(Definition::of(&self.database, &self.kind, &self.name, hash)),
            (None, None) => Err(format!("The container reported no definition for the {} {}.", self.kind, self.name)),
        }
    }
}

/// Hashes the text of one object as it comes, so that none is held as a whole.
#[derive(Debug, Default)]
pub struct DefinitionHasher {
    exact: Sha256,
    /// The text itself, while it is short enough.
    text: Vec<u8>,
    long: bool,
}

impl DefinitionHasher {
    /// Takes a piece of the text.
    pub fn add(&mut self, piece: &[u8]) {
        self.exact.update(piece);
        self.long |= self.text.len() + piece.len() > LOOSE_MOST;
        if self.long {
            self.text = Vec::new();
        } else {
            self.text.extend_from_slice(piece);
        }
    }

    /// The object, once all of its text was taken.
    pub fn done(self, database: &str, kind: &str, name: &str) -> Definition {
        let exact: [u8; 32] = self.exact.finalize().into();
        let text = String::from_utf8_lossy(&self.text);
        // Without a cast there is nothing that a server writes in two ways.
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

/// Takes the text with which an engine defines what is in a database apart into its objects.
pub trait DefinitionSplitter: Send {
    /// Reads a piece of the text. `begins`: it is the beginning of a line; a very long line comes in several pieces.
    fn read(&mut self, piece: &[u8], begins: bool, found: &mut Vec<Definition>);
    /// Ends the last object.
    fn end(&mut self, found: &mut Vec<Definition>);
}

/// Sorts definitions, and makes one of those that have the same name: in whichever order they came.
pub fn settle(definitions: &mut Vec<Definition>) {
    definitions.sort_unstable();
    definitions.dedup_by(|next, kept| {
        let same = (&next.database, &next.kind, &next.name) == (&kept.database, &kept.kind, &kept.name);
        if same {
            let both = format!("{} {}", kept.sha256, next.sha256);
            kept.sha256 = short(&Sha256::digest(both).into());
            // The order of the loose ones is not that of the exact ones, so they are added up.
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
    fn pieces_make_the_same_as_the_whole() {
        let whole = Definition::of("d", "view", "v", "SELECT 'a'::text");
        let mut hash = DefinitionHasher::default();
        hash.add(b"SELECT 'a'");
        hash.add(b"::text");
        assert_eq!(hash.done("d", "view", "v"), whole);
        assert_eq!((whole.sha256.len(), whole.loose.map(|l| l.len())), (32, Some(32)));
        assert_eq!(Definition::of("d", "view", "v", "SELECT 1").loose, None);
    }

    #[test]
    fn a_very_long_text_costs_no_memory_and_is_still_told_apart() {
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
    fn those_of_one_name_are_one_in_any_order() {
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
    fn what_is_reported_needs_something_that_defines_it() {
        let read = |json: &str| serde_json::from_str::<ReportedDefinition>(json).unwrap().definition();
        let text = read(r#"{"kind":"role","name":"ada","text":"login"}"#).unwrap();
        assert_eq!((text.named().as_str(), text.database.as_str()), ("role ada", ""));
        assert!(read(r#"{"database":"d","kind":"index","name":"i","sha256":"ab"}"#).is_ok());
        assert!(read(r#"{"kind":"role","name":"ada"}"#).is_err());
    }
}
