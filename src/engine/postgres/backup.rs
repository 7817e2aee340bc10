//! Backups of PostgreSQL: server-wide records as JSON lines, and every database as a `pg_dump` archive with counts
//! taken in its snapshot.

use secrecy::SecretString;

use super::{PSQL, Postgres, definitions, observed, script};
use crate::engine::backup::{EngineBackup, Inventory, LIB, LoadForm, LoadPlan, NOBODY};
use crate::engine::definition::DefinitionSplitter;
use crate::engine::part::Part;
use crate::engine::partial::{RestoreAsCopy, RestoreStage, Selection, SmallestPart, StageInput, Transform};
use crate::engine::postgres::partial;
use crate::engine::postgres::psql::{DATABASE, NAME, OPEN, OWNERS, content, counted, counts, flag, replaced};
use crate::engine::postgres::session::programs;
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin, Tool};

const PG_DUMP: Tool = Tool { names: &["pg_dump"] };
const PG_RESTORE: Tool = Tool { names: &["pg_restore"] };

const INVENTORY: &str = include_str!("observe/inventory.sql");
const ROLES: &str = include_str!("observe/server_records.sh");
const RECORDS: &str = include_str!("rebuild/restore_server_records.sh");
const SETTLE: &str = include_str!("rebuild/settle_roles.sql");
const SETTLED: &str = include_str!("rebuild/check_rights.sql");
const LARGEST: &str = include_str!("observe/largest_values.sql");
const GAINED: &str = concat!(include_str!("administer/each_database.sh"), include_str!("administer/rights_gained.sh"));
/// Ends a restore that gave somebody additional privileges.
const NOBODY_GAINED: &str = r#"found=$(gained)
[ -z "$found" ] || {
  printf 'After the restore, somebody has more privileges than in the backup. The backup may come from an attacked server.\n%s\n' "$found" >&2
  exit 1
}
"#;
const BY_HAND: &str = include_str!("rebuild/restore_by_hand.sql");
const CHECK: &str = include_str!("observe/check_tables.sh");
const REMARKS: &str = include_str!("observe/remarks.sql");
const SNAPSHOT: &str = include_str!("observe/snapshot.sh");
const DUMP: &str = include_str!("observe/dump.sh");
const BLOCKED: &str = include_str!("observe/locked_tables.sql");
/// Last line of the server-wide records, and their last line in backups of older portals.
const ROLES_END: &str = "{\"end\":true}";
const ROLES_END_BEFORE: &str = "-- end of roles and databases";

/// Restores a database; in a second attempt, reports the objects that cannot be restored by name.
fn restored(plan: &ServerSpec<'_>, database: &str, told: &str) -> ExecSpec {
    let env = [("DB4SCI_DATABASE", database), ("DB4SCI_TOLD", told)];
    script(plan, &format!("{NAME}{OWNERS}{DATABASE}{}", content()), &env)
}

/// The stage that restores a part.
fn stage(plan: &ServerSpec<'_>, part: &Part, told: &str) -> RestoreStage {
    match &part.database {
        Some(database) => RestoreStage::new(StageInput::All, restored(plan, database, told)),
        None => {
            let older = part.file.strip_suffix(".sql").is_some();
            RestoreStage::changed(script(plan, &observed(RECORDS), &[]), Transform::Records { older })
        }
    }
}

/// Runs statements written by others. Meta-commands could reach the server's files and its administrator, so they are
/// disabled; the script first tests that this works.
const STATEMENTS: &str = r#"set -eu
open=$(printf '\\restrict %s\n\\echo open\n\\unrestrict %s\n' "$DB4SCI_LOCK" "$DB4SCI_LOCK" | psql -X -q -A -t -h 127.0.0.1 2>/dev/null)
[ -z "$open" ] || { echo "The psql of this image can't lock its meta-commands. Send an archive: pg_dump -Fc." >&2; exit 9; }
exec psql -X -q -o /dev/null -h 127.0.0.1 -v ON_ERROR_STOP=0 -f -
"#;

/// Runs the tool given as arguments on a directory, which arrives as a tar archive.
const DIRECTORY: &str = concat!(
    "set -eu\numask 077\n",
    include_str!("../backup/scratch.sh"),
    r#"dir=$(scratch)
trap 'rm -rf "$dir"' EXIT
tar -x -f - -C "$dir"
code=0
"$@" "$dir" || code=$?
exit "$code"
"#
);

/// Creates a further database, as the user would.
const FURTHER: &str = r"\getenv name DB4SCI_FURTHER
SELECT pg_catalog.format('CREATE DATABASE %I', :'name') \gexec
";

impl EngineBackup for Postgres {
    fn load(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> ExecSpec {
        let text = |value: &str| SecretString::from(value);
        let (user, database) = (plan.dbuser.as_str(), load.database);
        let restore = ["pg_restore", "-h", "127.0.0.1", "--no-owner", "--no-privileges", "-d", plan.dbname.as_str()];
        let argv: Vec<String> = match load.form {
            LoadForm::Statements => ["sh", "-c", STATEMENTS].map(str::to_owned).to_vec(),
            LoadForm::Archive => restore.map(str::to_owned).to_vec(),
            LoadForm::Directory => {
                ["sh", "-c", DIRECTORY, "sh"].iter().chain(&restore).map(|&a| a.to_owned()).collect()
            }
        };
        let env = [
            ("PGUSER", text(user)),
            ("PGDATABASE", text(database)),
            ("PGPASSWORD", load.password.clone()),
            ("PGCONNECT_TIMEOUT", text("10")),
            ("DB4SCI_LOCK", text(load.lock)),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).chain([programs(plan)]).collect();
        ExecSpec { argv, env, stdin: Stdin::Closed, user: Some(NOBODY.to_owned()) }
    }

    fn create_extra_database(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> Option<ExecSpec> {
        let mut exec =
            self.load(plan, &LoadPlan { form: LoadForm::Statements, database: plan.dbname.as_str(), ..*load });
        let fixed = ["psql", "-X", "-q", "-o", "/dev/null", "-h", "127.0.0.1", "-v", "ON_ERROR_STOP=1", "-f", "-"];
        exec.argv = fixed.map(str::to_owned).to_vec();
        exec.env.push(("DB4SCI_FURTHER".to_owned(), SecretString::from(load.database)));
        exec.stdin = Stdin::Text(SecretString::from(FURTHER));
        Some(exec)
    }

    fn loaded(&self, code: i64, words: &str) -> bool {
        // pg_restore continues after errors of the server, and reports at the end that it did.
        code == 0 || (code == 1 && words.contains("errors ignored on restore"))
    }

    fn tools(&self) -> &'static [Tool] {
        &[PSQL, PG_DUMP, PG_RESTORE]
    }

    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        script(plan, &observed(&format!("ask postgres -f - <<'SQL'\n{INVENTORY}SQL\n")), &[])
    }

    fn parts(&self, inventory: &Inventory) -> Vec<Part> {
        let mut parts =
            vec![Part { file: "roles.json".to_owned(), database: None, what: "roles, databases and their settings" }];
        parts.extend(inventory.databases.iter().enumerate().map(|(i, name)| Part {
            // Numbered, because a database's name may contain characters that a file name cannot.
            file: format!("database-{}.pgdump", i + 1),
            database: Some(name.clone()),
            what: "a database, as a pg_dump archive",
        }));
        parts
    }

    fn dump(&self, plan: &ServerSpec<'_>, part: &Part, fingerprints: bool) -> ExecSpec {
        match &part.database {
            None => script(plan, &format!("{LIB}{OPEN}{}", ROLES.replace("@GLOBALS@", definitions::GLOBALS)), &[]),
            Some(database) => script(
                plan,
                &format!("{LIB}{OPEN}{SNAPSHOT}{DUMP}"),
                &[
                    ("DB4SCI_DATABASE", database),
                    ("DB4SCI_FINGERPRINTS", flag(fingerprints)),
                    ("DB4SCI_MEMORY", &plan.memory.0.to_string()),
                    ("DB4SCI_LARGEST", LARGEST),
                    ("DB4SCI_COUNTS", &counts()),
                    ("DB4SCI_REPLACED", &replaced()),
                    ("DB4SCI_REMARKS", REMARKS),
                    ("DB4SCI_MORE", definitions::MORE),
                    ("DB4SCI_BLOCKED", BLOCKED),
                ],
            ),
        }
    }

    fn end_mark(&self, part: &Part) -> Option<&'static str> {
        part.database.is_none().then_some(ROLES_END)
    }

    fn exact_counts(&self) -> bool {
        true
    }

    fn list(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        let text = match part.database {
            None => format!("tail -n 1 | grep -qxF -e '{ROLES_END}' -e '{ROLES_END_BEFORE}'\n"),
            // Reads the table of contents at the beginning of the archive.
            Some(_) => "pg_restore --list >/dev/null\ncat >/dev/null\n".to_owned(),
        };
        script(plan, &text, &[])
    }

    fn restore(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        stage(plan, part, "").exec
    }

    fn restore_stages(&self, plan: &ServerSpec<'_>, part: &Part) -> Vec<RestoreStage> {
        vec![stage(plan, part, "")]
    }

    fn second_attempt(
        &self,
        plan: &ServerSpec<'_>,
        parts: &[Part],
        only: Option<&Selection>,
    ) -> Vec<(usize, RestoreStage)> {
        let stages = |part| match only {
            Some(only) if only.table.is_some() => partial::restore_only(plan, part, only, true),
            _ => vec![stage(plan, part, "1")],
        };
        let numbered = parts.iter().enumerate();
        numbered.flat_map(|(n, part)| stages(part).into_iter().map(move |stage| (n, stage))).collect()
    }

    fn settle(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        let settle = format!("administer postgres -f - <<'SQL'\n{SETTLE}{SETTLED}SQL\n");
        Some(script(plan, &format!("{settle}{GAINED}{NOBODY_GAINED}"), &[]))
    }

    fn gained(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        Some(script(plan, &format!("{GAINED}gained\n"), &[]))
    }

    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec {
        counted(plan, database, fingerprints)
    }

    fn definitions(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<ExecSpec> {
        Some(definitions::command(plan, database))
    }

    fn split(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<Box<dyn DefinitionSplitter>> {
        Some(Box::new(definitions::SchemaSplitter::new(database?, plan.admin_user, plan.dbuser.as_str())))
    }

    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec {
        script(plan, &observed(&format!("{OPEN}enter_database\n{CHECK}")), &[("DB4SCI_DATABASE", database)])
    }

    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Table
    }

    fn restore_only(&self, plan: &ServerSpec<'_>, part: &Part, only: &Selection) -> Vec<RestoreStage> {
        partial::restore_only(plan, part, only, false)
    }

    fn keep_only(&self, plan: &ServerSpec<'_>, _only: &Selection, others: &[String]) -> Option<ExecSpec> {
        Some(partial::keep_only(plan, others))
    }

    fn restore_as_copy(&self) -> Option<&'static dyn RestoreAsCopy> {
        Some(&partial::CopyPlan)
    }

    fn by_hand(&self, part: &Part) -> Vec<String> {
        let host = "-h \"$HOST\" -p \"$PORT\" -U \"$ADMIN\"";
        match &part.database {
            None => {
                let psql = format!("psql -X -q -v ON_ERROR_STOP=1 {host} -d postgres -f - <<'SQL'\n{BY_HAND}SQL");
                vec!["# Roles and databases. None of them may exist on the server yet.".to_owned(), psql]
            }
            Some(database) => {
                let quoted = database.replace('\'', "'\\''");
                vec![
                    format!(
                        "# The database {}. Functions of its owner may run as $ADMIN, so the server should contain",
                        database.replace(['\n', '\r'], " ")
                    ),
                    "# nothing else, and nobody else should have access to it.".to_owned(),
                    format!(
                        "PGDATABASE='{quoted}' pg_restore {host} --exit-on-error -f - \"$file\" | PGDATABASE='{quoted}' psql -X -q -v ON_ERROR_STOP=1 {host}"
                    ),
                ]
            }
        }
    }

    fn by_hand_end(&self) -> Vec<String> {
        let host = "-h \"$HOST\" -p \"$PORT\" -U \"$ADMIN\"";
        let psql = format!("psql -X -q -A -t -v ON_ERROR_STOP=1 {host} -d postgres -f - <<'SQL'\n{SETTLE}");
        vec![
            "# Privileges, passwords and settings.".to_owned(),
            format!(
                "DB4SCI_ADMIN=\"$ADMIN\" DB4SCI_USER= {psql}SELECT text FROM note;\nDROP SCHEMA db4sci CASCADE;\nSQL"
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::described;

    #[test]
    fn a_backup_contains_the_roles_and_every_database() {
        let inventory = Inventory { databases: vec!["a b".to_owned(), "x'y".to_owned()], ..Inventory::default() };
        described(&Postgres, "docker.io/library/postgres:17", |plan| {
            let parts = EngineBackup::parts(&Postgres, &inventory);
            assert_eq!(
                parts.iter().map(|p| p.file.as_str()).collect::<Vec<_>>(),
                ["roles.json", "database-1.pgdump", "database-2.pgdump"]
            );
            for part in &parts {
                let dump = Postgres.dump(plan, part, true);
                assert!(dump.argv.iter().all(|a| !a.contains("x'y")), "names go by environment");
            }
        });
    }
}
