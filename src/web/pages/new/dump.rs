//! The additional fields of the form for a new database from a dump.

use crate::domain::engine::EngineKind;
use crate::import::selection::{ALL, can_have_all, shown};
use crate::manifest::dump::Format;
use crate::web::forms::dump::{KeptDump, SOURCE};
use crate::web::views::{Choice, Field};

/// The field that asks which database of a dump to load.
pub(crate) fn source_field(kept: &KeptDump, asked: &str, fault: Option<String>) -> Option<Field> {
    let names = &kept.dump.databases;
    let mut choices: Vec<Choice> = names.iter().map(|name| Choice::new(shown(name), shown(name), asked)).collect();
    if can_have_all(kept.dump.format) {
        let note = match kept.dump.format {
            Format::PgPlain => "Each becomes a separate database on your server, with the same name as in the dump.",
            _ => "Each becomes a separate database, named after yours with its own name appended.",
        };
        choices.push(Choice::new(ALL, "All databases", asked).note(note));
    }
    (names.len() > 1).then(|| Field::radios(SOURCE, "Database in the dump", choices).error(fault).required())
}

/// The dump formats an engine accepts.
pub(crate) fn what(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => {
            "A pg_dump archive (-Fc), a tar archive of a pg_dump directory (-Fd), or an SQL script, optionally compressed \
             with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Mariadb => {
            "An SQL script from mariadb-dump or mysqldump, or a tar archive of a mydumper directory, optionally compressed \
             with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Mongodb => {
            "An archive of one database (mongodump --archive --db), a collection as JSON lines or CSV, or a tar archive with \
             such a file for each collection, optionally compressed with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Neo4j => "A dump from neo4j-admin database dump, made by the same or an older version.",
    }
}
