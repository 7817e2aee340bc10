//! Restores a single database or table of a PostgreSQL backup. A table takes two passes over its database's archive:
//! first the schema, from which everything else is removed, then the table's rows.

use secrecy::SecretString;

use crate::engine::backup::EngineBackup;
use crate::engine::part::{Count, Part};
use crate::engine::partial::{CopyTarget, RestoreAsCopy, RestoreStage, Selection, StageInput};
use crate::engine::postgres::psql::{DATABASE as MAKE, NAME, OWNERS, TOLD, content, counted, flag};
use crate::engine::postgres::{Postgres, script};
use crate::engine::spec::{ExecSpec, ServerSpec};

const SCHEMA: &str = include_str!("rebuild/table_schema.sh");
const ROWS: &str = include_str!("rebuild/table_rows.sh");
const KEEP_ONLY: &str = include_str!("rebuild/drop_unselected.sql");
const DATABASE: &str = include_str!("rebuild/copy_database.sh");
const SCRATCH: &str = include_str!("rebuild/copy_scratch.sh");
/// Creates a database with the properties of another one, for both.
const LIKE: &str = include_str!("rebuild/database_like.sql");
const MOVE: &str = include_str!("rebuild/copy_move.sh");
const CLEAR: &str = include_str!("rebuild/copy_cleanup.sh");
/// Creates the temporary role under which data is loaded into a running server.
const LENT: &str = include_str!("rebuild/restore_role.sh");

/// Maximum bytes of a name in the server.
const NAME_BYTES: usize = 63;

/// Parses an identifier at the beginning of a text. Returns it without quotes, and the rest of the text.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at_checked(text.find('.').unwrap_or(text.len()))?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut meant = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '"' {
            meant.push(letter);
        } else if letters.next_if(|(_, next)| *next == '"').is_some() {
            meant.push('"');
        } else {
            return Some((meant, quoted.get(at + 1..)?));
        }
    }
    None
}

/// Parses a table's name as in the counts: its schema, its name, and the name as written.
fn table(text: &str) -> Option<(String, String, &str)> {
    let (schema, rest) = identifier(text)?;
    let written = rest.strip_prefix('.')?;
    let (name, rest) = identifier(written)?;
    rest.is_empty().then_some((schema, name, written))
}

/// A script about one table of a database, which works in the database `into`.
fn about(plan: &ServerSpec<'_>, text: &str, only: &Selection, into: &str, more: &[(&str, &str)]) -> ExecSpec {
    let (schema, name, _) = only.table.as_deref().and_then(table).unwrap_or_default();
    let mut env = vec![
        ("DB4SCI_DATABASE", only.database.as_str()),
        ("DB4SCI_INTO", into),
        ("DB4SCI_SCHEMA", &schema),
        ("DB4SCI_TABLE", &name),
    ];
    env.extend_from_slice(more);
    script(plan, &format!("{NAME}{text}"), &env)
}

/// The stages that restore the selected content of a part into a new server. `told`: this is a second attempt.
pub(super) fn restore_only(plan: &ServerSpec<'_>, part: &Part, only: &Selection, told: bool) -> Vec<RestoreStage> {
    let again = ("DB4SCI_TOLD", if told { "1" } else { "" });
    match (&part.database, &only.table) {
        (Some(database), _) if *database != only.database => Vec::new(),
        (Some(_), Some(_)) => {
            let text = format!("{OWNERS}{MAKE}{}employ\n{SCHEMA}", content());
            let schema = about(plan, &text, only, &only.database, &[("DB4SCI_OPTIONS", "--schema-only"), again]);
            let rows = about(
                plan,
                &format!("{OWNERS}{TOLD}employ\n{ROWS}dismiss \"$DB4SCI_INTO\"\n"),
                only,
                &only.database,
                &[again],
            );
            vec![RestoreStage::new(StageInput::Beginning, schema), RestoreStage::new(StageInput::All, rows)]
        }
        _ => Postgres.restore_stages(plan, part),
    }
}

/// A command that removes the other databases from a new server.
pub(super) fn keep_only(plan: &ServerSpec<'_>, others: &[String]) -> ExecSpec {
    let mut exec = script(plan, &format!("administer postgres -f - <<'SQL'\n{KEEP_ONLY}SQL\n"), &[]);
    let others = serde_json::Value::from(others).to_string();
    exec.env.push(("DB4SCI_OTHERS".to_owned(), SecretString::from(others)));
    exec.env.push(("DB4SCI_OWN".to_owned(), SecretString::from(plan.dbname.as_str())));
    exec
}

/// A name reserved for the portal, unique to a job.
fn of_job(beginning: &str, to: &CopyTarget<'_>) -> String {
    let token = to.token.chars().filter(char::is_ascii_hexdigit);
    beginning.chars().chain(token).take(NAME_BYTES).collect()
}

/// Name of a job's temporary database.
fn scratch(to: &CopyTarget<'_>) -> String {
    of_job("db4sci_restore_", to)
}

/// Name of the temporary role under which a job loads data into a running server.
fn lent(to: &CopyTarget<'_>) -> String {
    of_job("db4sci_as_", to)
}

fn clear(plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>, unfinished: bool) -> ExecSpec {
    let (into, place) = match &only.table {
        None => (to.name.to_owned(), ""),
        Some(_) => (scratch(to), to.name),
    };
    let lent = lent(to);
    let unfinished = flag(unfinished);
    let more = [
        ("DB4SCI_TOKEN", to.token),
        ("DB4SCI_PLACE", place),
        ("DB4SCI_UNFINISHED", unfinished),
        ("DB4SCI_LENT", &lent),
    ];
    about(plan, &format!("{LENT}{CLEAR}"), only, &into, &more)
}

/// Restores a selection as a copy into a running server.
pub(super) struct CopyPlan;

impl RestoreAsCopy for CopyPlan {
    fn name(&self, only: &Selection, moment: &str) -> String {
        if only.table.is_some() {
            return format!("restored_{moment}");
        }
        let end = format!("_restored_{moment}");
        let mut name = only.database.clone();
        while name.len() + end.len() > NAME_BYTES {
            name.pop();
        }
        name.push_str(&end);
        name
    }

    fn put(
        &self,
        plan: &ServerSpec<'_>,
        part: &Part,
        only: &Selection,
        to: &CopyTarget<'_>,
        told: bool,
    ) -> Vec<RestoreStage> {
        if part.database.as_ref() != Some(&only.database) {
            return Vec::new();
        }
        let lent = lent(to);
        let again = ("DB4SCI_TOLD", if told { "1" } else { "" });
        if only.table.is_none() {
            let more =
                [("DB4SCI_TOKEN", to.token), ("DB4SCI_LENT", &lent), ("DB4SCI_OPTIONS", "--no-privileges"), again];
            let text = format!("{LENT}{}{}", DATABASE.replace("@LIKE@", LIKE), content());
            return vec![RestoreStage::new(StageInput::All, about(plan, &text, only, to.name, &more))];
        }
        let into = scratch(to);
        let more = [
            ("DB4SCI_TOKEN", to.token),
            ("DB4SCI_PLACE", to.name),
            // Roles of the backup may no longer exist, so the copy belongs to the database's owner.
            ("DB4SCI_OPTIONS", "--schema-only --no-privileges"),
            ("DB4SCI_LENT", &lent),
            again,
        ];
        let schema = format!("{LENT}{}{}{SCHEMA}", SCRATCH.replace("@LIKE@", LIKE), content());
        vec![
            RestoreStage::new(StageInput::Beginning, about(plan, &schema, only, &into, &more)),
            RestoreStage::new(StageInput::All, about(plan, &format!("{LENT}{TOLD}{ROWS}"), only, &into, &more)),
            RestoreStage::new(StageInput::Nothing, about(plan, &format!("{LENT}{TOLD}{MOVE}"), only, &into, &more)),
            RestoreStage::new(StageInput::Nothing, clear(plan, only, to, false)),
        ]
    }

    fn clear(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>) -> ExecSpec {
        clear(plan, only, to, true)
    }

    fn count(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>, fingerprints: bool) -> ExecSpec {
        let Some((_, _, written)) = only.table.as_deref().and_then(table) else {
            return counted(plan, to.name, fingerprints);
        };
        let mut exec = counted(plan, &only.database, fingerprints);
        exec.env.push(("DB4SCI_ONLY".to_owned(), SecretString::from(format!("{}.{written}", to.name))));
        exec
    }

    fn original(&self, only: &Selection, to: &CopyTarget<'_>, mut count: Count) -> Option<Count> {
        match &only.table {
            None => only.database.clone_into(&mut count.database),
            Some(name) => {
                let (_, _, written) = table(name)?;
                if count.name != format!("{}.{written}", to.name) {
                    return None;
                }
                count.name.clone_from(name);
            }
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::postgres::partial::*;

    #[test]
    fn names_are_parsed_as_the_server_writes_them() {
        for (text, schema, name) in [
            ("public.child", "public", "child"),
            (r#""odd schema"."it's ""quoted""""#, "odd schema", "it's \"quoted\""),
            (r#"public."a.b""#, "public", "a.b"),
            (r#""a.""b"."größe""#, "a.\"b", "größe"),
        ] {
            let found = table(text).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str()), (schema, name), "{text}");
            assert!(text.ends_with(found.2), "{text}");
        }
        for wrong in ["", "child", "public.", r#""open.x"#, "a.b.c", r#"a."b"c"#] {
            assert_eq!(table(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_new_name_is_never_too_long() {
        let only = Selection { database: "ü".repeat(31), table: None };
        let name = CopyPlan.name(&only, "20261125_021000");
        assert!(name.len() <= NAME_BYTES && name.ends_with("ü_restored_20261125_021000"), "{name}");
        let to = CopyTarget { name: &name, token: "01a2-b3c4" };
        assert_eq!(scratch(&to), "db4sci_restore_01a2b3c4");
    }
}
