//! Recognises a dump of several files by their names.

use std::path::Path;

use super::list::{DumpFiles, Member};
use super::{collections, mydumper, pg_directory};
use crate::domain::engine::EngineKind;
use crate::import::format::archive_version;
use crate::manifest::dump::{Dump, Format, Packing};

/// Recognises the dump in a directory.
///
/// # Errors
/// A sentence, if it does not contain a dump.
pub fn directory(dir: &Path) -> Result<Dump, String> {
    let files = DumpFiles::list(dir)?;
    let start = |name: &str| pg_directory::head(&dir.join(name)).map_err(|e| format!("{name} cannot be read: {e}."));
    known(&files.members, Packing::None, start)
}

/// Recognises a dump by the names of its files; `start` returns the first bytes of one.
///
/// # Errors
/// A sentence with the name of the file that belongs to no dump.
pub fn known(
    members: &[Member],
    packing: Packing,
    start: impl FnOnce(&str) -> Result<Vec<u8>, String>,
) -> Result<Dump, String> {
    let has = |name: &str| members.iter().any(|(member, _)| member == name);
    let dump = |format, version, databases| Dump {
        packing,
        format,
        version,
        says_its_end: false,
        databases,
        told: Vec::new(),
    };
    if members.is_empty() {
        return Err("There are no files in it.".to_owned());
    }
    if has(pg_directory::TOC) {
        pg_directory::complete(members)?;
        let head = start(pg_directory::TOC)?;
        if !head.starts_with(b"PGDMP") {
            return Err(format!("{} is not the table of contents of pg_dump.", pg_directory::TOC));
        }
        return Ok(dump(Format::PgDirectory, archive_version(&head), Vec::new()));
    }
    if mydumper::is_one(members) {
        let files = mydumper::files(members)?;
        let mut databases: Vec<String> = files.into_iter().map(|file| file.database).collect();
        databases.sort_unstable();
        databases.dedup();
        return Ok(dump(Format::MariaDirectory, None, databases));
    }
    collections::names(members)?;
    Ok(dump(Format::MongoFiles, None, Vec::new()))
}

/// The engine that a file with this name is for, if its content does not say it: collections as JSON lines or CSV.
pub fn engine_of_name(name: &str) -> Option<EngineKind> {
    collections::collection(name).map(|_| EngineKind::Mongodb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Dump, String> {
        let members: Vec<Member> = names.iter().map(|name| ((*name).to_owned(), 10)).collect();
        let start = if names.contains(&"1.dat") { "no table of contents" } else { "PGDMP" };
        known(&members, Packing::None, |_| Ok(start.into()))
    }

    #[test]
    fn a_dump_is_recognised_by_its_files_and_unknown_files_are_named() {
        let format = |names: &[&str]| of(names).map(|dump| (dump.format, dump.databases));
        assert_eq!(
            format(&["toc.dat", "3456.dat.gz", "blobs.toc", "blob_7.dat", "restore.sql"]),
            Ok((Format::PgDirectory, vec![]))
        );
        let two =
            ["shop-schema-create.sql", "shop.t-schema.sql", "lab.t-schema.sql", "lab.t.00000.sql.zst", "metadata"];
        let databases = vec!["lab".to_owned(), "shop".to_owned()];
        assert_eq!(format(&two), Ok((Format::MariaDirectory, databases)));
        assert_eq!(format(&["mice.csv", "rats.jsonl.gz", "cats.json"]), Ok((Format::MongoFiles, vec![])));
        for (names, words) in [
            (&["toc.dat", "run.sh"][..], "run.sh"),
            (&["toc.dat", "1.dat"], "toc.dat is not"),
            (&["shop.t-schema.sql", "shop.t.00000.dat"], "shop.t.00000.sql"),
            (&["shop.t-schema.sql", "metadata.partial"], "did not finish"),
            (&["mice.csv", "mice.jsonl"], "“mice”"),
            (&["mice.csv", "notes.txt"], "notes.txt"),
            (&["mice.csv", "system.users.csv"], "system.users"),
            (&[], "no files"),
        ] {
            let said = of(names).unwrap_err();
            assert!(said.contains(words), "{names:?}: {said}");
        }
    }
}
