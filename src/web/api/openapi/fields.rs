//! Parameters and fields of requests. A name means the same in every operation.

use serde_json::{Value, json};

use crate::web::api::body::{FLAGS, LISTS, NUMBERS};

/// Parameters of the query.
const QUERY: &[(&str, &str)] = &[
    ("as", "`plain` (decrypted and decompressed) or `stored`; default: `plain` if the portal has the key."),
    ("confirm", "The name, to confirm the deletion."),
    ("container", "Only backups of this database."),
    ("cursor", "The value of `next` from the previous response."),
    ("file", "Name of a single object to download."),
    ("limit", "Number of rows, 1 to 200; default: 50."),
    ("no_backup", "`true`: deletes without a final backup."),
    ("owner", "Only databases of this user (administrators)."),
    ("q", "Only databases whose name, description or database contains this text."),
    ("state", "Only databases in this state."),
    (
        "wait",
        "Seconds to wait for the job, 1 to 300. If it ends in time, the response is its result instead of the job.",
    ),
];

/// Fields of bodies.
const BODY: &[(&str, &str)] = &[
    ("backup_freq", "`Daily`, `Weekly`, `Never`, or a cron expression such as `30 2 * * 1-5 Europe/Berlin`."),
    ("beside", "`true`: restores the part named by `only` as a copy on the same server (PostgreSQL)."),
    ("confirm", "The name of the database, to confirm."),
    ("contact", "Contact."),
    ("cpus", "Number of cores it may use."),
    (
        "cpuset",
        "Cores to run on: a list such as `0,2-3`, or a number of cores to choose, such as `auto:2`; empty: all.",
    ),
    ("days", "Days until the snapshot is deleted; default: it is kept."),
    ("dbname", "Name of the database in the server."),
    ("dbuser", "Database user."),
    ("dbuserpass", "Password of the database user; without it, one is generated and returned once."),
    ("department", "Department."),
    ("description", "Description."),
    ("dump", "The dump, as a file. It may be compressed."),
    ("engine", "`postgres`, `mariadb`, `mongodb` or `neo4j`; default: the first engine in the catalog."),
    ("extensions", "Extensions to install (PostgreSQL)."),
    ("file", "Name of the dump."),
    ("image", "Image from the catalog, or its version; default: the default of the engine."),
    ("in_place", "`true`: replaces the data of the database; its current data is kept for undo."),
    ("memory", "Memory limit: bytes, or a text such as `1g`."),
    ("name", "Name of the new database or template."),
    ("no_backup", "`true`: deletes without a final backup."),
    ("note", "Note."),
    ("only", "The part to restore: `database`, and optionally `table`."),
    ("owner", "User name of the owner (administrators)."),
    ("snapshot", "Id of the snapshot; default: the current data."),
    ("backup", "Id of the backup; default: the current data."),
    (
        "source",
        "Of a dump with several databases: the name of the one to load; `*`: all. Of a template: `{\"database\": NAME}`, `{\"snapshot\": ID}`, `{\"backup\": ID}` or `{\"object\": {\"target\": TARGET, \"key\": KEY}}`.",
    ),
    ("storage", "Storage tier; default: the first one you may use, or that of the database a backup was made of."),
    ("ttl", "Time to live: `8h`, `7d`, a number of seconds, or a date; empty: the database does not expire."),
    ("upload", "Id of a dump that was sent before, instead of the file."),
    ("users", "Users who may use the template; empty: everybody."),
];

fn find(table: &[(&str, &'static str)], name: &str) -> &'static str {
    table.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// What a parameter of the query means.
pub fn parameter(name: &str) -> &'static str {
    find(QUERY, name)
}

/// What a field of a body means.
pub fn field(name: &str) -> &'static str {
    find(BODY, name)
}

/// The schema of a field of a body.
pub fn schema(name: &str) -> Value {
    let kind = match name {
        "only" => {
            json!({ "type": "object", "properties": { "database": { "type": "string" }, "table": { "type": "string" } } })
        }
        "source" => json!({ "type": ["string", "object"] }),
        "dump" => json!({ "type": "string", "format": "binary" }),
        _ if FLAGS.contains(&name) => json!({ "type": "boolean" }),
        _ if NUMBERS.contains(&name) => json!({ "type": ["string", "number"] }),
        _ if LISTS.contains(&name) => json!({ "type": "array", "items": { "type": "string" } }),
        _ => json!({ "type": "string" }),
    };
    let Value::Object(mut kind) = kind else { return kind };
    kind.insert("description".to_owned(), field(name).into());
    Value::Object(kind)
}
