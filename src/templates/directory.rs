//! The directory of dumps: which file belongs to which template.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::manifest::dump::Format;

/// Files of at most this many bytes are not dumps, but an error message or the start of a transfer.
pub const SMALLEST: u64 = 100;

/// Endings of dumps, longest first, and the engine if the ending says it.
const ENDINGS: &[(&str, Option<EngineKind>)] = &[
    (".ndjson.zst", Some(EngineKind::Mongodb)),
    (".archive.gz", Some(EngineKind::Mongodb)),
    (".jsonl.zst", Some(EngineKind::Mongodb)),
    (".ndjson.gz", Some(EngineKind::Mongodb)),
    (".jsonl.gz", Some(EngineKind::Mongodb)),
    (".json.zst", Some(EngineKind::Mongodb)),
    (".json.gz", Some(EngineKind::Mongodb)),
    (".csv.zst", Some(EngineKind::Mongodb)),
    (".tar.bz2", None),
    (".tar.zst", None),
    (".csv.gz", Some(EngineKind::Mongodb)),
    (".ndjson", Some(EngineKind::Mongodb)),
    (".tar.gz", None),
    (".tar.xz", None),
    (".jsonl", Some(EngineKind::Mongodb)),
    (".json", Some(EngineKind::Mongodb)),
    (".csv", Some(EngineKind::Mongodb)),
    (".tgz", None),
    (".tar", None),
    (".cypher.gz", Some(EngineKind::Neo4j)),
    (".dump.zst", None),
    (".pgdump", Some(EngineKind::Postgres)),
    (".archive", Some(EngineKind::Mongodb)),
    (".sql.zst", None),
    (".sql.bz2", None),
    (".cypher", Some(EngineKind::Neo4j)),
    (".dump.gz", None),
    (".sql.gz", None),
    (".sql.xz", None),
    (".dump", None),
    (".sql", None),
    (".js", Some(EngineKind::Mongodb)),
];

/// Endings of the scripts that are run before a version is complete.
const HOOKS: &[&str] = &[".post.sql", ".post.js", ".post.cypher"];

/// A dump in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpFile {
    /// Name of the template.
    pub template: TemplateName,
    /// Name of the file.
    pub file: String,
    /// The engine, if the ending says it.
    pub engine: Option<EngineKind>,
}

/// A file that cannot become a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Name of the file.
    pub file: String,
    /// Why; a sentence.
    pub why: String,
}

/// What an entry of the directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    /// A regular file of so many bytes.
    File(u64),
    /// A directory, which may contain the files of one dump.
    Directory,
    /// A link, a socket or anything else.
    Other,
}

/// What the directory contains.
#[derive(Debug, Default)]
pub struct Listing {
    /// The dumps, by the name of their template.
    pub dumps: Vec<DumpFile>,
    /// Files that cannot become templates.
    pub unusable: Vec<Unusable>,
}

/// Reads the directory. Hidden files are ignored: transfers in progress have such names.
///
/// # Errors
/// A sentence, if the directory cannot be read.
pub async fn list(dir: &Path) -> Result<Listing, String> {
    let failed = |e: std::io::Error| format!("The directory of dumps {} cannot be read: {e}.", dir.display());
    let mut entries = tokio::fs::read_dir(dir).await.map_err(failed)?;
    let mut files = BTreeMap::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let Ok(about) = tokio::fs::symlink_metadata(entry.path()).await else { continue };
        match entry.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => drop(files.insert(name, kind(&about))),
            Err(name) => drop(files.insert(name.to_string_lossy().into_owned(), EntryKind::Other)),
        }
    }
    Ok(sort(&files))
}

fn kind(about: &std::fs::Metadata) -> EntryKind {
    match (about.is_file(), about.is_dir()) {
        (true, _) => EntryKind::File(about.len()),
        (_, true) => EntryKind::Directory,
        _ => EntryKind::Other,
    }
}

/// Assigns entries to templates.
fn sort(files: &BTreeMap<String, EntryKind>) -> Listing {
    let mut listing = Listing::default();
    for (name, kind) in files {
        if is_hook(name) {
            continue;
        }
        match dump(name, *kind) {
            Ok(found) => match listing.dumps.iter().find(|other| other.template == found.template) {
                Some(other) => {
                    let why = format!("The template “{}” is made from {}.", found.template, other.file);
                    listing.unusable.push(Unusable { file: name.clone(), why });
                }
                None => listing.dumps.push(found),
            },
            Err(why) => listing.unusable.push(Unusable { file: name.clone(), why }),
        }
    }
    listing
}

fn dump(name: &str, kind: EntryKind) -> Result<DumpFile, String> {
    let (stem, engine) = match kind {
        // A directory has the name of the template; its files say what they are.
        EntryKind::Directory => (name, None),
        _ => ENDINGS
            .iter()
            .find_map(|(ending, engine)| Some((name.strip_suffix(ending)?, *engine)))
            .ok_or_else(|| "The ending of its name is not that of a dump.".to_owned())?,
    };
    match kind {
        EntryKind::Other => return Err("It is not a regular file.".to_owned()),
        EntryKind::File(0) => return Err("The file is empty.".to_owned()),
        EntryKind::File(bytes) if bytes <= SMALLEST => {
            return Err(format!("It has only {bytes} bytes, so it is not a dump."));
        }
        EntryKind::File(_) | EntryKind::Directory => {}
    }
    let template = TemplateName::parse(stem).map_err(|e| e.to_string())?;
    Ok(DumpFile { template, file: name.to_owned(), engine })
}

/// A dump of this name and size that is not in the directory.
///
/// # Errors
/// A sentence, if it cannot become a template.
pub fn named(file: &str, bytes: u64) -> Result<DumpFile, String> {
    dump(file, EntryKind::File(bytes))
}

/// The ending of the file of a received dump: that of the name it was sent with, if its engine has such dumps.
pub fn ending(sent_as: &str, format: Format) -> &'static str {
    let is_usual = |engine: Option<EngineKind>| engine.is_none_or(|engine| engine == format.engine());
    // A tar archive contains the files of a dump that consists of several.
    let fits = |ending: &str| format.is_files() || !(ending.starts_with(".tar") || ending == ".tgz");
    let own = ENDINGS.iter().find(|(ending, engine)| sent_as.ends_with(ending) && is_usual(*engine) && fits(ending));
    own.map_or(
        match format {
            Format::PgPlain | Format::MariaSql => ".sql",
            Format::PgCustom => ".pgdump",
            Format::MongoArchive => ".archive",
            Format::PgDirectory | Format::MariaDirectory => ".tar",
            Format::MongoFiles => ".jsonl",
            Format::Neo4jDump => ".dump",
        },
        |(ending, _)| ending,
    )
}

/// Whether a file is a script that is run before a version is complete.
pub fn is_hook(file: &str) -> bool {
    HOOKS.iter().any(|hook| file.ends_with(hook))
}

/// The script for the dump `file` that is run before a version is complete, if there is one.
pub async fn hook(dir: &Path, file: &str) -> Option<PathBuf> {
    let stem = ENDINGS.iter().find_map(|(ending, _)| file.strip_suffix(ending));
    hook_named(dir, stem.unwrap_or(file)).await
}

/// The script of this name, without its ending.
pub async fn hook_named(dir: &Path, stem: &str) -> Option<PathBuf> {
    for ending in HOOKS {
        let path = dir.join(format!("{stem}{ending}"));
        if tokio::fs::symlink_metadata(&path).await.is_ok_and(|about| about.is_file()) {
            return Some(path);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_dump_keeps_an_ending_of_its_engine() {
        assert_eq!(ending("shop.SQL dump.sql.gz", Format::PgPlain), ".sql.gz");
        assert_eq!(ending("shop.dump", Format::PgCustom), ".dump");
        assert_eq!(ending("shop.archive", Format::PgCustom), ".pgdump");
        assert_eq!(ending("shop", Format::MariaSql), ".sql");
        assert_eq!(ending("shop.tar", Format::MongoArchive), ".archive");
        assert_eq!(ending("shop.tar.gz", Format::MongoFiles), ".tar.gz");
        assert_eq!(ending("mice.csv.zst", Format::MongoFiles), ".csv.zst");
        assert_eq!(ending("shop", Format::PgDirectory), ".tar");
        assert!(is_hook("shop.post.sql") && !is_hook("shop.sql"));
    }

    #[test]
    fn templates_are_named_after_their_files() {
        let files = [
            ("shop.sql", true, 500),
            ("shop.post.sql", true, 20),
            ("shop.sql.gz", true, 500),
            ("Mice-2.dump", true, 500),
            ("graph.cypher", true, 500),
            ("empty.sql", true, 0),
            ("short.sql", true, 100),
            ("-x.sql", true, 500),
            ("link.sql", false, 500),
            ("notes.txt", true, 500),
            ("cats.csv.gz", true, 500),
        ];
        let entry = |regular, bytes| if regular { EntryKind::File(bytes) } else { EntryKind::Other };
        let files = files.into_iter().map(|(name, regular, bytes)| (name.to_owned(), entry(regular, bytes)));
        let mut files: BTreeMap<_, _> = files.collect();
        files.insert("rats".to_owned(), EntryKind::Directory);
        files.insert("a b".to_owned(), EntryKind::Directory);
        let listing = sort(&files);
        let dumps: Vec<_> = listing.dumps.iter().map(|d| (d.template.as_str(), d.file.as_str(), d.engine)).collect();
        assert_eq!(
            dumps,
            [
                ("Mice-2", "Mice-2.dump", None),
                ("cats", "cats.csv.gz", Some(EngineKind::Mongodb)),
                ("graph", "graph.cypher", Some(EngineKind::Neo4j)),
                ("rats", "rats", None),
                ("shop", "shop.sql", None),
            ]
        );
        let unusable: Vec<_> = listing.unusable.iter().map(|u| u.file.as_str()).collect();
        assert_eq!(unusable, ["-x.sql", "a b", "empty.sql", "link.sql", "notes.txt", "shop.sql.gz", "short.sql"]);
    }
}
