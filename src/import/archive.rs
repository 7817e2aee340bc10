//! Parses the beginning of a `mongodump` archive according to MongoDB's published format: a magic number, a header with
//! the server's version, a document per collection, and a terminator. Documents are BSON.

use std::collections::HashSet;

use bson::RawDocument;

/// Magic number at the beginning of an archive.
pub const MAGIC: [u8; 4] = [0x6d, 0xe2, 0x99, 0x81];
/// Follows the last collection's document.
const TERMINATOR: [u8; 4] = [0xff; 4];
/// The server's own databases.
const OWN: [&str; 3] = ["admin", "config", "local"];

/// Facts from the beginning of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct ArchiveHead {
    /// The version of the server that was dumped.
    pub version: Option<(u32, u32)>,
    /// The databases in the archive, without the server's own.
    pub databases: Vec<String>,
}

/// Reads the server's version and the databases from `head`, the beginning of an archive. If it ends before the list of
/// collections does, the databases read until then are returned.
pub fn look(head: &[u8]) -> Result<ArchiveHead, String> {
    let broken =
        || "The file starts like a mongodump archive, but the rest is damaged. Create the archive again.".to_owned();
    let mut rest = head.strip_prefix(&MAGIC).ok_or_else(broken)?;
    let (header, after) = document(rest).ok_or_else(broken)?;
    rest = after;
    let version = header.get_str("server_version").ok().and_then(crate::domain::version::numbers);
    let (mut databases, mut seen) = (Vec::new(), HashSet::new());
    while !rest.starts_with(&TERMINATOR) {
        let Some((collection, after)) = document(rest) else { break };
        rest = after;
        let name = collection.get_str("db").map_err(|_| broken())?;
        if !OWN.contains(&name) && seen.insert(name) {
            databases.push(name.to_owned());
        }
    }
    if databases.is_empty() && rest.starts_with(&TERMINATOR) {
        return Err("The archive contains no collections.".to_owned());
    }
    Ok(ArchiveHead { version, databases })
}

/// Splits off the document at the beginning.
fn document(bytes: &[u8]) -> Option<(&RawDocument, &[u8])> {
    let length = usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let one = bytes.get(..length)?;
    Some((RawDocument::from_bytes(one).ok()?, bytes.get(length..)?))
}

#[cfg(test)]
mod tests {
    use crate::import::archive::*;
    use bson::{Document, doc};

    fn bytes(document: &Document) -> Vec<u8> {
        document.to_vec().unwrap()
    }

    #[test]
    fn version_and_databases_are_read_from_any_prefix() {
        let header = doc! { "concurrent_collections": 4, "version": "0.1", "server_version": "6.0.5", "tool_version": "100.9.4" };
        let mut archive = [MAGIC.to_vec(), bytes(&header)].concat();
        for db in ["admin", "lab", "lab", "other"] {
            archive.extend(bytes(&doc! { "db": db, "collection": "c", "metadata": "{}", "size": 1 }));
        }
        archive.extend(TERMINATOR);
        let databases = vec!["lab".to_owned(), "other".to_owned()];
        assert_eq!(look(&archive), Ok(ArchiveHead { version: Some((6, 0)), databases }));
        for cut in 0..archive.len() {
            let _ = look(archive.get(..cut).unwrap());
        }
        let empty = [MAGIC.to_vec(), bytes(&header), TERMINATOR.to_vec()].concat();
        assert!(look(&empty).unwrap_err().contains("no collection"));
        assert!(look(&[MAGIC.as_slice(), &[0xff, 0xff, 0xff, 0x7f]].concat()).is_err(), "an impossible length");
    }
}
