//! Recognises the format of a dump from its first bytes.

use std::io::Read;

use crate::catalog::CatalogImage;
use crate::domain::engine::EngineKind;
use crate::domain::version::numbers;
use crate::import::archive;
use crate::import::text_dialect::SqlText;
use crate::import::unsupported::{broken_by_redirection, describe};
use crate::manifest::dump::{Dump, Format, Packing};
use crate::sql::Dialect;

/// Bytes to examine at the beginning: an archive of `mongodump` starts with a list of all its collections.
pub const LOOK: u64 = 4 * 1024 * 1024;
/// Bytes to examine if the dump is text.
const LOOK_AT_TEXT: usize = 64 * 1024;

/// Completion markers in the last lines of a complete dump.
pub const ENDS: [&str; 3] =
    ["-- PostgreSQL database dump complete", "-- PostgreSQL database cluster dump complete", "-- Dump completed"];

/// Recognises a dump from its beginning, decompressed and decoded. Statements that any engine would accept are
/// attributed to `wanted`.
///
/// # Errors
/// A sentence explaining why the file cannot be used. [`fit`] checks engine and version.
pub fn of_head(head: &[u8], packing: Packing, wanted: Option<EngineKind>) -> Result<Dump, String> {
    if head.is_empty() {
        return Err("The file is empty.".to_owned());
    }
    if let Some(broken) = broken_by_redirection(head) {
        return Err(broken);
    }
    let dump = |format, version| Dump {
        packing,
        format,
        version,
        says_its_end: false,
        databases: Vec::new(),
        told: Vec::new(),
    };
    if head.starts_with(b"PGDMP") {
        return match head.get(10) {
            Some(1) => Ok(dump(Format::PgCustom, archive_version(head))),
            // The table of contents of a directory, without the rest of it.
            Some(5) => {
                Err("This is toc.dat of a pg_dump directory. Send a tar archive of the whole directory.".to_owned())
            }
            _ => Err(
                "This is toc.dat, one of the files of a pg_dump directory. Send a tar archive of the whole directory."
                    .to_owned(),
            ),
        };
    }
    if head.starts_with(&archive::MAGIC) {
        let archive::ArchiveHead { version, databases } = archive::look(head)?;
        return Ok(Dump { databases, ..dump(Format::MongoArchive, version) });
    }
    if let Some(found) = neo4j(head, packing) {
        return found;
    }
    let first = head.get(..LOOK_AT_TEXT).unwrap_or(head);
    let text = String::from_utf8_lossy(first);
    if wanted == Some(EngineKind::Mongodb) && !first.contains(&0) && is_collection(&text) {
        return Ok(dump(Format::MongoFiles, None));
    }
    let sql = SqlText::split(&text);
    if first.contains(&0) || !sql.is_sql() {
        return Err(describe(head));
    }
    let header = sql.header;
    let whose = |line: &str| header.lines().find_map(|l| l.trim().strip_prefix(line).map(str::to_owned));
    let assumed = if wanted == Some(EngineKind::Mariadb) { Dialect::Mysql } else { Dialect::Postgres };
    if sql.dialect().unwrap_or(assumed) == Dialect::Mysql {
        // Other makers number their versions differently.
        let version = whose("-- Server version").filter(|v| v.contains("MariaDB")).and_then(|v| numbers(&v));
        let says_its_end =
            ["-- MariaDB dump", "-- MySQL dump"].iter().any(|w| header.contains(w)) && header.contains("-- Host:");
        return Ok(Dump { says_its_end, ..dump(Format::MariaSql, version) });
    }
    // In a dump of a whole server, this follows the first statements.
    let version = text.lines().find_map(|l| l.strip_prefix("-- Dumped from database version")).and_then(numbers);
    let says_its_end =
        ["-- PostgreSQL database dump", "-- PostgreSQL database cluster dump"].iter().any(|w| header.contains(w));
    Ok(Dump { says_its_end, ..dump(Format::PgPlain, version) })
}

/// Decompressed beginning of a `neo4j-admin` dump of version 4: a word, the format version, numbers of files and bytes.
const NEO4J_4: &[u8] = b"zstd\0\0\0\x01";
/// Magic number of zstd.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Recognises a dump of `neo4j-admin`; `None` if it is something else. Dumps of version 5 have their own header. Dumps of version
/// 4 are compressed as a whole; the tool decompresses them, not the portal.
fn neo4j(head: &[u8], packing: Packing) -> Option<Result<Dump, String>> {
    let dump = |packing, version| {
        let (format, version) = (Format::Neo4jDump, Some(version));
        Some(Ok(Dump { packing, format, version, says_its_end: false, databases: Vec::new(), told: Vec::new() }))
    };
    if head.starts_with(b"DZV1") || head.starts_with(b"DGV1") {
        return dump(packing, (5, 0));
    }
    if packing == Packing::Zstd && head.starts_with(NEO4J_4) {
        return dump(Packing::None, (4, 0));
    }
    if head.starts_with(ZSTD) {
        let mut inside = Vec::new();
        // Fails at the end of the examined bytes, which is ignored.
        let _ = zstd::stream::read::Decoder::new(head).ok()?.take(64).read_to_end(&mut inside);
        return inside.starts_with(NEO4J_4).then(|| dump(packing, (4, 0))).flatten();
    }
    let tar = head.get(257..262) == Some(b"ustar".as_slice());
    (tar && head.windows(9).any(|w| w == b"neostore.")).then(|| {
        Err("This is a Neo4j 3 graph or a copy of its files. Load it into Neo4j 4.4, create a dump there and upload \
             that."
            .to_owned())
    })
}

/// Whether a text starts like JSON lines, like an array of documents, or like CSV with the names of fields.
fn is_collection(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let separated = first.contains(',') || first.contains([';', '\t']) && !SqlText::split(text).is_sql();
    first.starts_with('{')
        || is_array(text)
        || (separated && !first.starts_with(['<', '[', '%', '-', '#', '/']) && !first.ends_with(';'))
}

/// Whether a text begins like an array of documents, or like an empty one.
fn is_array(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('[').map(str::trim_start);
    inside.is_some_and(|inside| inside.is_empty() || inside.starts_with(['{', ']']))
}

/// The server's version in the header of a pg_dump archive.
pub(super) fn archive_version(head: &[u8]) -> Option<(u32, u32)> {
    let minor = *head.get(6)?;
    let width = usize::from(*head.get(8)?);
    let mut at = 11;
    let number = |at: &mut usize| -> Option<usize> {
        let digits = head.get(*at + 1..*at + 1 + width)?;
        *at += 1 + width;
        digits.iter().rev().try_fold(0usize, |n, d| n.checked_mul(256)?.checked_add(usize::from(*d)))
    };
    // Compression: one byte since archive version 1.15, a number before.
    if minor >= 15 {
        at += 1;
    } else {
        number(&mut at)?;
    }
    for _ in 0..7 {
        number(&mut at)?;
    }
    // The database's name, then the server's version.
    let name = number(&mut at)?;
    at = at.checked_add(name)?;
    let length = number(&mut at)?;
    numbers(std::str::from_utf8(head.get(at..at.checked_add(length)?)?).ok()?)
}

/// Checks that a dump can be loaded into a server of `image`.
pub fn fit(dump: &Dump, image: &CatalogImage) -> Result<(), String> {
    let (is, wanted) = (dump.format.engine(), image.engine);
    if is != wanted {
        return Err(format!(
            "This is {}, which {} cannot load. Choose {} above.",
            dump.format.label(),
            wanted.label(),
            is.label()
        ));
    }
    let ours = numbers(&image.version);
    let newer = |(major, minor): (u32, u32), (m, n): (u32, u32)| match wanted {
        EngineKind::Postgres => major > m,
        _ => (major, minor) > (m, n),
    };
    match (dump.version, ours) {
        (Some(theirs), Some(ours)) if newer(theirs, ours) => Err(format!(
            "This dump was made by {} {}.{}, but the selected version is {}. Choose the version of the dump or a \
             later one.",
            wanted.label(),
            theirs.0,
            theirs.1,
            image.version
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::import::format::*;

    fn of(text: &str) -> Result<Dump, String> {
        of_head(text.as_bytes(), Packing::None, None)
    }

    #[test]
    fn dumps_are_recognised_by_their_beginning() {
        let pg = of("--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 17.2 (Debian)\n\nSET statement_timeout = 0;\n").unwrap();
        assert_eq!((pg.format, pg.version, pg.says_its_end), (Format::PgPlain, Some((17, 2)), true));
        let maria = of("/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.8.2-MariaDB, for x\n--\n-- Host: localhost    Database: d\n-- Server version\t11.8.2-MariaDB\n\n/*!40101 SET NAMES utf8mb4 */;\n").unwrap();
        assert_eq!((maria.format, maria.version, maria.says_its_end), (Format::MariaSql, Some((11, 8)), true));
        let mysql =
            of("-- MySQL dump 10.13  Distrib 8.0.36\n--\n-- Server version\t8.0.36\n/*!40101 SET NAMES utf8mb4 */;\n")
                .unwrap();
        assert_eq!((mysql.format, mysql.version), (Format::MariaSql, None));
        assert_eq!(of("create table t (i int);\ninsert into t values (1);").unwrap().format, Format::PgPlain);
        assert_eq!(of("CREATE TABLE `t` (i int AUTO_INCREMENT);").unwrap().format, Format::MariaSql);
        assert_eq!(of("create table `t` (i int);").unwrap().format, Format::MariaSql);
        assert_eq!(of("create table t (i int) engine=InnoDB;").unwrap().format, Format::MariaSql);
        assert_eq!(of("insert into t values ('engine=1');").unwrap().format, Format::PgPlain);
        let of_mongo =
            |text: &str| of_head(text.as_bytes(), Packing::None, Some(EngineKind::Mongodb)).map(|d| d.format);
        for text in [
            "name,age\nada,36\n",
            "name;age\nada;36\n",
            "name\tage\nada\t36\n",
            "{\"a\": 1}\n",
            "[{\"a\": 1}]",
            " [\n  {\"a\": 1},\n",
            "\"name\",\"age\"\nada,36\n",
        ] {
            assert_eq!(of_mongo(text), Ok(Format::MongoFiles), "{text}");
        }
        for text in [
            "[1, 2]",
            "[section]",
            "select 1; select 2",
            "<html>",
            "-- a comment\nselect 1;",
            "create table t (i int);",
        ] {
            assert_ne!(of_mongo(text), Ok(Format::MongoFiles), "{text}");
        }
        let neutral = |engine| of_head(b"create table t (i int);", Packing::None, Some(engine)).unwrap().format;
        assert_eq!(neutral(EngineKind::Mariadb), Format::MariaSql);
        assert_eq!(neutral(EngineKind::Postgres), Format::PgPlain);
        for other in ["name,age\nada,36\n", "hello", "%PDF-1.4", "PGDMP", "{\"a\": 1}", "a\0b", "\u{1f418}"] {
            assert!(of(other).is_err(), "{other}");
        }
        assert!(of_head(&[0x6d, 0xe2, 0x99, 0x81, 0, 0], Packing::None, None).is_err(), "it has no head");
        assert_eq!(of_head(b"DZV1rest", Packing::None, None).unwrap().format, Format::Neo4jDump);
        let four = of_head(b"zstd\0\0\0\x01\0\0\0\0", Packing::Zstd, None).unwrap();
        assert_eq!((four.packing, four.version), (Packing::None, Some((4, 0))), "the tool undoes its compression");
        let twice = zstd::encode_all(b"zstd\0\0\0\x01rest".as_slice(), 1).unwrap();
        let four = of_head(&twice, Packing::Gzip, None).unwrap();
        assert_eq!((four.packing, four.format), (Packing::Gzip, Format::Neo4jDump));
        assert!(of_head(&zstd::encode_all(b"other".as_slice(), 1).unwrap(), Packing::Gzip, None).is_err());
        let mut three = vec![0; 600];
        three[..12].copy_from_slice(b"neostore.idx");
        three[257..262].copy_from_slice(b"ustar");
        assert!(of_head(&three, Packing::Gzip, None).unwrap_err().contains("Neo4j 3"));
    }

    #[test]
    fn the_server_version_is_read_from_an_archive() {
        let mut head = b"PGDMP\x01\x10\x00\x04\x08\x01\x00".to_vec();
        let number = |n: u8| vec![0, n, 0, 0, 0];
        head.extend((0..7).flat_map(|_| number(1)));
        for text in ["trial", "17.2 (Debian 17.2-1)", "17.2"] {
            head.extend(number(u8::try_from(text.len()).unwrap()));
            head.extend(text.as_bytes());
        }
        assert_eq!(archive_version(&head), Some((17, 2)));
        for cut in 0..head.len() - 6 {
            let _ = archive_version(&head[..cut]);
        }
    }
}
