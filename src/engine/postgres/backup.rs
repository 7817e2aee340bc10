//! How PostgreSQL is backed up: roles as statements, every database as an archive of `pg_dump`, counted in its snapshot.

use secrecy::SecretString;

use super::{PSQL, Postgres, alone, definitions, programs};
use crate::engine::alone::{Alone, Beside, Only, Stage};
use crate::engine::backup::{Backup, Inventory, LIB, Load, NOBODY, Part};
use crate::engine::definition::Split;
use crate::engine::{ExecSpec, Plan, Tool};

const PG_DUMP: Tool = Tool { names: &["pg_dump"] };
const PG_RESTORE: Tool = Tool { names: &["pg_restore"] };

const INVENTORY: &str = include_str!("inventory.sql");
const ROLES: &str = include_str!("roles.sql");
pub(super) const COUNTS: &str = include_str!("counts.sql");
const CHECK: &str = include_str!("check.sql");
const DUMP: &str = include_str!("dump.sh");
const BLOCKED: &str = include_str!("blocked.sql");
/// Makes a database anew.
pub(super) const MAKE: &str = include_str!("make.sh");
/// How a name is passed to `pg_restore`.
pub(super) const NAME: &str = include_str!("name.sh");
const RESTORE: &str = include_str!("restore.sh");

/// Last line of the roles' statements.
const ROLES_END: &str = "-- end of roles and databases";

/// A script for `sh` in the container, with what it needs to know in its environment.
pub(super) fn script(plan: &Plan<'_>, text: String, env: &[(&str, &str)]) -> ExecSpec {
    let mut all = vec![
        ("PGCLIENTENCODING".to_owned(), SecretString::from("UTF8")),
        programs(plan),
        ("DB4SCI_ADMIN".to_owned(), SecretString::from(plan.admin_user)),
    ];
    all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))));
    ExecSpec { argv: vec!["sh".to_owned(), "-c".to_owned(), text], env: all, stdin: None, user: Some(plan.owner()) }
}

/// `psql` on one database, with statements on its standard input.
pub(super) fn psql(plan: &Plan<'_>, database: &str, statements: &str, variables: &[&str]) -> ExecSpec {
    let mut exec = Postgres::psql(plan, &["-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    // The name goes by environment, where no part of it is taken for a connection string.
    exec.argv.retain(|a| a != "-d" && a != "postgres");
    exec.env.push(("PGDATABASE".to_owned(), SecretString::from(database)));
    for variable in variables {
        exec.argv.extend(["-v".to_owned(), (*variable).to_owned()]);
    }
    exec.argv.extend(["-f".to_owned(), "-".to_owned()]);
    exec.stdin = Some(SecretString::from(statements));
    exec
}

pub(super) fn flag(fingerprints: bool) -> &'static str {
    if fingerprints { "1" } else { "0" }
}

/// Reads statements of others. Meta-commands could reach the server's files and its administrator, so they are locked,
/// which is tried first.
const STATEMENTS: &str = r#"set -eu
open=$(printf '\\restrict %s\n\\echo open\n\\unrestrict %s\n' "$DB4SCI_LOCK" "$DB4SCI_LOCK" | psql -X -q -A -t -h 127.0.0.1 2>/dev/null)
[ -z "$open" ] || { echo "The psql of this image can't lock its meta-commands. Send an archive: pg_dump -Fc." >&2; exit 9; }
exec psql -X -q -o /dev/null -h 127.0.0.1 -v ON_ERROR_STOP=0 -f -
"#;

/// Makes a further database of the user's, which nobody else may enter.
const FURTHER: &str = r"\getenv name DB4SCI_FURTHER
SELECT pg_catalog.format('CREATE DATABASE %I', :'name') \gexec
SELECT pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
";

impl Backup for Postgres {
    fn load(&self, plan: &Plan<'_>, load: &Load<'_>) -> ExecSpec {
        let text = |value: &str| SecretString::from(value);
        let (user, database) = (plan.dbuser.as_str(), load.database);
        let argv = if load.archive {
            let fixed = ["pg_restore", "-h", "127.0.0.1", "--no-owner", "--no-privileges", "-d", plan.dbname.as_str()];
            fixed.map(str::to_owned).to_vec()
        } else {
            ["sh", "-c", STATEMENTS].map(str::to_owned).to_vec()
        };
        let env = [
            ("PGUSER", text(user)),
            ("PGDATABASE", text(database)),
            ("PGPASSWORD", load.password.clone()),
            ("PGCONNECT_TIMEOUT", text("10")),
            ("DB4SCI_LOCK", text(load.lock)),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).chain([programs(plan)]).collect();
        ExecSpec { argv, env, stdin: None, user: Some(NOBODY.to_owned()) }
    }

    fn make_further(&self, plan: &Plan<'_>, load: &Load<'_>) -> Option<ExecSpec> {
        let mut exec = self.load(plan, &Load { archive: false, database: plan.dbname.as_str(), ..*load });
        let fixed = ["psql", "-X", "-q", "-o", "/dev/null", "-h", "127.0.0.1", "-v", "ON_ERROR_STOP=1", "-f", "-"];
        exec.argv = fixed.map(str::to_owned).to_vec();
        exec.env.push(("DB4SCI_FURTHER".to_owned(), SecretString::from(load.database)));
        exec.stdin = Some(SecretString::from(FURTHER));
        Some(exec)
    }

    fn loaded(&self, code: i64, words: &str) -> bool {
        // pg_restore goes on after what the server refuses, and says at the end that it did.
        code == 0 || (code == 1 && words.contains("errors ignored on restore"))
    }

    fn tools(&self) -> &'static [Tool] {
        &[PSQL, PG_DUMP, PG_RESTORE]
    }

    fn inventory(&self, plan: &Plan<'_>) -> ExecSpec {
        psql(plan, "postgres", INVENTORY, &[])
    }

    fn parts(&self, inventory: &Inventory) -> Vec<Part> {
        let mut parts =
            vec![Part { file: "roles.sql".to_owned(), database: None, what: "roles, databases and their settings" }];
        parts.extend(inventory.databases.iter().enumerate().map(|(i, name)| Part {
            // Numbered: a database's name may have characters that a file's name can't.
            file: format!("database-{}.pgdump", i + 1),
            database: Some(name.clone()),
            what: "a database, as an archive of pg_dump",
        }));
        parts
    }

    fn dump(&self, plan: &Plan<'_>, part: &Part, fingerprints: bool) -> ExecSpec {
        match &part.database {
            None => {
                let text = format!(
                    "{LIB}PGDATABASE=postgres dumped psql -X -q -A -t -v ON_ERROR_STOP=1 -U \"$DB4SCI_ADMIN\" -c '' -f /dev/fd/3 3<<'SQL'\n\
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{ROLES}\\o |cat >&2\n{}\\o\nCOMMIT;\nSQL\n",
                    definitions::GLOBALS
                );
                script(plan, text, &[])
            }
            Some(database) => script(
                plan,
                format!("{LIB}{DUMP}"),
                &[
                    ("DB4SCI_DATABASE", database),
                    ("DB4SCI_FINGERPRINTS", flag(fingerprints)),
                    ("DB4SCI_COUNTS", COUNTS),
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

    fn list(&self, plan: &Plan<'_>, part: &Part) -> ExecSpec {
        let text = match part.database {
            None => format!("set -eu\ntail -n 1 | grep -qxF -e '{ROLES_END}'\n"),
            // Reads the table of contents at the head of the archive.
            Some(_) => "set -eu\npg_restore --list >/dev/null\ncat >/dev/null\n".to_owned(),
        };
        script(plan, text, &[])
    }

    fn restore(&self, plan: &Plan<'_>, part: &Part) -> ExecSpec {
        match &part.database {
            None => {
                let text = "exec psql -X -q -A -t -v ON_ERROR_STOP=1 -U \"$DB4SCI_ADMIN\" -d postgres -f -\n";
                script(plan, text.to_owned(), &[])
            }
            Some(database) => script(plan, format!("{MAKE}{NAME}{RESTORE}"), &[("DB4SCI_DATABASE", database)]),
        }
    }

    fn count(&self, plan: &Plan<'_>, database: &str, fingerprints: bool) -> ExecSpec {
        psql(plan, database, COUNTS, &[&format!("fingerprints={}", flag(fingerprints))])
    }

    fn definitions(&self, plan: &Plan<'_>, database: Option<&str>) -> Option<ExecSpec> {
        Some(definitions::command(plan, database))
    }

    fn split(&self, plan: &Plan<'_>, database: Option<&str>) -> Option<Box<dyn Split>> {
        Some(Box::new(definitions::Schema::new(database?, plan.admin_user)))
    }

    fn check(&self, plan: &Plan<'_>, database: &str) -> ExecSpec {
        psql(plan, database, CHECK, &[])
    }

    fn alone(&self) -> Alone {
        Alone::Table
    }

    fn restore_only(&self, plan: &Plan<'_>, part: &Part, only: &Only) -> Vec<Stage> {
        alone::restore_only(plan, part, only)
    }

    fn keep_only(&self, plan: &Plan<'_>, _only: &Only, others: &[String]) -> Option<ExecSpec> {
        Some(alone::keep_only(plan, others))
    }

    fn beside(&self) -> Option<&'static dyn Beside> {
        Some(&alone::Aside)
    }

    fn by_hand(&self, part: &Part) -> Vec<String> {
        let host = "-h \"$HOST\" -p \"$PORT\" -U \"$ADMIN\"";
        match &part.database {
            None => vec![
                "# Roles and databases. The server must have none of them yet.".to_owned(),
                format!("psql -X -q -v ON_ERROR_STOP=1 {host} -d postgres -f \"$file\""),
            ],
            Some(database) => {
                let quoted = database.replace('\'', "'\\''");
                vec![
                    format!("# The database {}", database.replace(['\n', '\r'], " ")),
                    format!(
                        "PGDATABASE='{quoted}' pg_restore {host} --exit-on-error -f - \"$file\" | PGDATABASE='{quoted}' psql -X -q -v ON_ERROR_STOP=1 {host}"
                    ),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::described;

    #[test]
    fn a_backup_has_the_roles_and_every_database() {
        let inventory = Inventory { databases: vec!["a b".to_owned(), "x'y".to_owned()], ..Inventory::default() };
        described(&Postgres, "docker.io/library/postgres:17", |plan| {
            let parts = Backup::parts(&Postgres, &inventory);
            assert_eq!(
                parts.iter().map(|p| p.file.as_str()).collect::<Vec<_>>(),
                ["roles.sql", "database-1.pgdump", "database-2.pgdump"]
            );
            for part in &parts {
                let dump = Postgres.dump(plan, part, true);
                assert!(dump.argv.iter().all(|a| !a.contains("x'y")), "names go by environment");
            }
        });
    }
}
