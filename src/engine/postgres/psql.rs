//! The scripts that restore a PostgreSQL database, and their building blocks.

use crate::engine::postgres::{observed, script};
use crate::engine::spec::{ExecSpec, ServerSpec};

pub(crate) const OPEN: &str = include_str!("observe/open_database.sh");

/// Creates a database, replacing an existing one.
pub(crate) const DATABASE: &str = include_str!("rebuild/create_database.sh");

/// How a name is passed to `pg_restore`.
pub(crate) const NAME: &str = include_str!("name.sh");

pub(crate) const OWNERS: &str = include_str!("rebuild/owner_sessions.sh");

/// The script that restores the content of a database from its archive on standard input. The scripts before it
/// determine the role of its sessions.
pub(crate) fn content() -> String {
    let read = |sql: &str| sql.replace("@TOC@", READ_CONTENTS);
    format!("{TOLD}{}", CONTENT.replace("@CONTENTS@", &read(CONTENTS)).replace("@EXTENSIONS@", &read(MADE)))
}

/// What scripts do differently in a second attempt.
pub(crate) const TOLD: &str = include_str!("rebuild/second_attempt.sh");

/// Reports the counts of a database, as the observer.
pub(crate) fn counted(plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec {
    let ask = "ask \"$DB4SCI_DATABASE\" -v fingerprints=\"$DB4SCI_FINGERPRINTS\" -f -";
    let text = observed(&format!("{OPEN}enter_database\n{ask} <<'SQL'\nBEGIN;\n{}COMMIT;\nSQL\n", counts()));
    script(plan, &text, &[("DB4SCI_DATABASE", database), ("DB4SCI_FINGERPRINTS", flag(fingerprints))])
}

pub(crate) fn flag(fingerprints: bool) -> &'static str {
    if fingerprints { "1" } else { "0" }
}

pub(crate) const CONTENT: &str = include_str!("rebuild/restore_content.sh");

pub(crate) const CONTENTS: &str = include_str!("rebuild/restore_order.sql");

const READ_CONTENTS: &str = include_str!("rebuild/table_of_contents.sql");

pub(crate) const MADE: &str = include_str!("rebuild/extensions.sql");

/// Whether the table `c` came with an extension that only an administrator can have made: no dump contains it.
const OF_EXTENSION: &str = "EXISTS (SELECT FROM pg_depend d JOIN pg_roles r ON r.oid = c.relowner \
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' AND r.rolsuper)";

/// The statements that report the counts of a database.
pub(crate) fn counts() -> String {
    include_str!("observe/counts.sql").replace("@OF_EXTENSION@", OF_EXTENSION)
}

/// The statements that report the tables that no longer have the file they had in the snapshot.
pub(crate) fn replaced() -> String {
    include_str!("observe/replaced_tables.sql").replace("@OF_EXTENSION@", OF_EXTENSION)
}
