//! What the form for a new database has more where that is made from a dump.

use crate::domain::engine::EngineKind;
use crate::import::choice::{ALL, can_have_all, shown};
use crate::manifest::dump::Format;
use crate::web::forms::dump::{KeptDump, SOURCE};
use crate::web::views::{Choice, Field};

/// The question which database of a dump is wanted.
pub(crate) fn source_field(kept: &KeptDump, asked: &str, fault: Option<String>) -> Option<Field> {
    let names = &kept.dump.databases;
    let mut choices: Vec<Choice> = names.iter().map(|name| Choice::new(shown(name), shown(name), asked)).collect();
    if can_have_all(kept.dump.format) {
        let note = match kept.dump.format {
            Format::PgPlain => "Each becomes a database of its own on your server, called as in the dump.",
            _ => "Each becomes a database of its own, called like yours with its name behind it.",
        };
        choices.push(Choice::new(ALL, "All of them", asked).note(note));
    }
    (names.len() > 1).then(|| Field::radios(SOURCE, "Which database of the dump", choices).error(fault).required())
}

/// What dumps of an engine can be brought.
pub(crate) fn what(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => {
            "Made with pg_dump -Fc, or statements as pg_dump writes them, also packed with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Mariadb => {
            "Statements as mariadb-dump or mysqldump write them, also packed with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Mongodb => {
            "Made with mongodump --archive, of one database (--db), also packed with gzip, zstd, bzip2, xz or zip."
        }
        EngineKind::Neo4j => "Made with neo4j-admin database dump, of a version that is not newer.",
    }
}
