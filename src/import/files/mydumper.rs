//! A directory of mydumper: a file with the definition of each table, and files with its rows.

use std::collections::BTreeMap;

use super::list::Member;

/// Compressions of its files.
const PACKED: [&str; 2] = [".gz", ".zst"];

/// What a file contains, in the order of loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A sequence, which the defaults of tables refer to.
    Sequence,
    /// The definition of a table, or of a table in the place of a view.
    Table,
    /// Rows.
    Rows,
    /// A view.
    View,
    /// Triggers, which must not see the rows being loaded.
    Trigger,
    /// Routines and events.
    Routines,
}

/// A file to load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlFile {
    /// What it contains.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// The database that it belongs to.
    pub database: String,
    /// The file with its rows, if it contains only the statement that loads them.
    pub rows: Option<String>,
}

fn plain(name: &str) -> &str {
    PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Whether these are the files of mydumper.
pub fn is_one(members: &[Member]) -> bool {
    members.iter().any(|(name, _)| plain(name).strip_suffix(".sql").is_some_and(|stem| stem.contains("-schema")))
}

/// The files to load, in their order.
///
/// # Errors
/// A sentence with the name of a file that cannot be loaded.
pub fn files(members: &[Member]) -> Result<Vec<SqlFile>, String> {
    let mut files = Vec::new();
    // By the name that both have before their ending.
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, _) in members {
        if let Some(stem) = plain(name).strip_suffix(".dat") {
            rows.insert(stem, name);
        }
    }
    for (name, _) in members {
        if name == "metadata.partial" {
            return Err(
                "There is a file metadata.partial: mydumper did not finish this dump. Create it again.".to_owned()
            );
        }
        // The database is the one that the dump is loaded into.
        let creates = plain(name).ends_with("-schema-create.sql");
        if is_about(plain(name)) || creates || plain(name).strip_suffix(".dat").is_some() {
            continue;
        }
        let mut found = file(name).ok_or_else(|| {
            format!(
                "{name} cannot be loaded. Of mydumper’s files those named DATABASE.TABLE.sql, DATABASE.TABLE.dat and \
                 DATABASE.TABLE-schema.sql are, also compressed with gzip or zstd."
            )
        })?;
        if found.role == Role::Rows {
            let stem = plain(name).strip_suffix(".sql").unwrap_or(name);
            found.rows = rows.remove(stem).map(str::to_owned);
        }
        files.push(found);
    }
    if let Some((stem, name)) = rows.first_key_value() {
        return Err(format!("{name} cannot be loaded: the file {stem}.sql, which says how to load it, is missing."));
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether a file describes the dump or its files. Files of SQL and rows never do, whatever their table is called.
fn is_about(name: &str) -> bool {
    let holds_data = [".sql", ".dat"].iter().any(|ending| name.ends_with(ending));
    let describes = name == "metadata" || name.starts_with("metadata.") || name.ends_with("-metadata");
    !holds_data && (describes || name.contains("-checksum"))
}

/// What a file contains; `None` if it is not an SQL file.
fn file(name: &str) -> Option<SqlFile> {
    let stem = plain(name).strip_suffix(".sql")?;
    let roles = [
        ("-schema-sequence", Role::Sequence),
        ("-schema-view", Role::View),
        ("-schema-triggers", Role::Trigger),
        ("-schema-post", Role::Routines),
        ("-schema", Role::Table),
    ];
    let found = roles.iter().find_map(|(ending, role)| Some((stem.strip_suffix(ending)?, *role)));
    let (object, role) = found.unwrap_or((stem, Role::Rows));
    let (database, table) = object.split_once('.').unwrap_or((object, ""));
    let needs_table = matches!(role, Role::Sequence | Role::Table | Role::Rows | Role::View);
    if database.is_empty() || database.contains('`') || (needs_table && table.is_empty()) {
        return None;
    }
    Some(SqlFile { role, name: name.to_owned(), database: database.to_owned(), rows: None })
}
