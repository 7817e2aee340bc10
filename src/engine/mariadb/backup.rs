//! Backups of MariaDB: first the users as statements, then every database as a `mariadb-dump` script with counts taken
//! at the same moment, and last the privileges on single tables and routines, which must exist before they are granted.

use secrecy::SecretString;

use super::session::{administer, ask, observe};
use super::{Mariadb, restore};
use crate::engine::backup::{EngineBackup, Inventory, LoadPlan, NOBODY, dump_script};
use crate::engine::mariadb::restore::{WHAT, above};
use crate::engine::mariadb::session::{CLIENT, DUMPER};
use crate::engine::part::Part;
use crate::engine::partial::{RestoreStage, Selection, SmallestPart};
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin, Tool};

const INVENTORY: &str = include_str!("observe/inventory.sql");
const GAINED: &str = include_str!("administer/rights_gained.sql");
/// Local accounts that images and Debian create with all rights, and that came with the files of a copy.
const IMAGE_ACCOUNTS: &str = ", 'mysql', 'healthcheck'";
const USERS: &str = include_str!("observe/accounts.sh");
const QUESTIONS: &str = include_str!("observe/account_statements.sql");
const DUMP: &str = include_str!("observe/dump.sh");
const LISTED: &str = include_str!("observe/check_dump.sh");
const CHECK: &str = include_str!("observe/check_tables.sh");
const TABLES: &str = include_str!("observe/check_tables.sql");
/// Statements for the session that counts, in this order.
const LIST: &str = include_str!("observe/list_objects.sql");
const LOOK: &str = include_str!("observe/dump_remarks.sql");
const LOCK: &str = include_str!("observe/lock_writes.sql");
const BEGUN: &str = include_str!("observe/unlock_writes.sql");
const COUNTS: &str = include_str!("observe/counts.sql");
/// Reports definitions, object by object.
const DEFINE: &str = include_str!("observe/definitions.sh");
/// Queries the definitions of a database.
const DEFINE_DATABASE: &str = include_str!("observe/definitions.sql");
/// Queries the definitions of the server.
const DEFINE_SERVER: &str = include_str!("observe/server_definitions.sql");
/// Statements for the session that ends a wait for a lock.
const WATCH: &str = include_str!("observe/lock_timeout.sql");
const EXCHANGED: &str = include_str!("observe/exchanged_names.sql");
/// Statements that find out whether definitions change.
const ALTERED: &str = include_str!("observe/altered.sql");
/// Statements for the session that keeps tables without transactions unchanged.
const KEEP: &str = include_str!("observe/lock_plain_tables.sql");

/// Users and roles, with their privileges on whole databases.
pub(super) const WHO: &str = "accounts.sql";
/// Last line of both parts with accounts.
const USERS_END: &str = "-- end of users and roles";
/// Contained in the last line of a dump.
const DUMP_END: &str = "-- Dump completed";

/// Dumps of MySQL before version 8 and of older versions of MariaDB omit the collation that was their default. Later
/// versions have another default.
const COLLATIONS: &str =
    " /*M!110600 , character_set_collations = 'utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci' */";

/// Statements that set the variables of the others. Values are in hexadecimal, so that no name needs quoting.
fn set(plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> String {
    format!(
        "SET @database = CONVERT(X'{}' USING utf8mb4), @admin = CONVERT(X'{}' USING utf8mb4), @observer = 'db4sci_observer', @fingerprints = {};\n",
        hex::encode(database),
        hex::encode(plan.admin_user),
        i32::from(fingerprints)
    )
}

impl EngineBackup for Mariadb {
    fn load(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> ExecSpec {
        let mut argv = vec![plan.tools.name(CLIENT)];
        // In binary mode the client's own commands, which could read files and run programs, are disabled.
        let fixed = [
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--skip-ssl",
            // In routines and triggers too: without this, the client removes them.
            "--comments",
            "--binary-mode",
            "--local-infile=0",
            "--batch",
            "--force",
        ];
        argv.extend(fixed.map(str::to_owned));
        argv.extend(["--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--silent"].map(str::to_owned));
        argv.push(format!(
            "--init-command=SET SESSION foreign_key_checks = 0, check_constraint_checks = 0{COLLATIONS}"
        ));
        argv.push(format!("--user={}", plan.dbuser));
        argv.push(format!("--database={}", load.database));
        let env = vec![("MYSQL_PWD".to_owned(), load.password.clone())];
        ExecSpec { argv, env, stdin: Stdin::Closed, user: Some(NOBODY.to_owned()) }
    }

    fn create_extra_database(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> Option<ExecSpec> {
        let mut exec = self.load(plan, &LoadPlan { database: plan.dbname.as_str(), ..*load });
        // The new database gets the same default as the main one.
        exec.argv.retain(|a| a != "--force" && !a.starts_with("--init-command="));
        // In hexadecimal, so that no name needs quoting.
        exec.stdin = Stdin::Text(SecretString::from(format!(
            "SET @name = CONVERT(X'{}' USING utf8mb4);\nEXECUTE IMMEDIATE CONCAT('CREATE DATABASE `', REPLACE(@name, '`', '``'), '` CHARACTER SET utf8mb4');\n",
            hex::encode(load.database)
        )));
        Some(exec)
    }

    fn loaded(&self, code: i64, words: &str) -> bool {
        // With --force, the client exits with 1 if the last statement failed. An error that belongs to no statement means
        // that the client could not go on.
        (code == 0 || code == 1) && !words.lines().any(|line| line.starts_with("ERROR "))
    }

    fn tools(&self) -> &'static [Tool] {
        &[CLIENT, DUMPER]
    }

    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        ask(plan, INVENTORY.to_owned())
    }

    fn parts(&self, inventory: &Inventory) -> Vec<Part> {
        let server = |file: &str, what: &'static str| Part { file: file.to_owned(), database: None, what };
        let mut parts = vec![server(WHO, "users and roles with their database privileges")];
        parts.extend(inventory.databases.iter().enumerate().map(|(i, name)| Part {
            // Numbered, because a database's name may contain characters that a file name cannot.
            file: format!("database-{}.sql", i + 1),
            database: Some(name.clone()),
            what: "a database, as a mariadb-dump script",
        }));
        parts.push(server(WHAT, "privileges of users and roles on single tables and routines"));
        parts
    }

    fn dump(&self, plan: &ServerSpec<'_>, part: &Part, fingerprints: bool) -> ExecSpec {
        match &part.database {
            None => {
                let wanted = if part.file == WHO { "who" } else { "what" };
                let set = set(plan, "", false);
                let env = [
                    ("DB4SCI_SET", set.as_str()),
                    ("DB4SCI_ACCOUNTS", QUESTIONS),
                    ("DB4SCI_WANTED", wanted),
                    ("DB4SCI_DEFINE", DEFINE_SERVER),
                ];
                observe(plan, &dump_script(&format!("{DEFINE}{USERS}")), &env)
            }
            Some(database) => observe(
                plan,
                &dump_script(&format!("{DEFINE}{DUMP}")),
                &[
                    ("DB4SCI_DATABASE", database),
                    ("DB4SCI_SET", &set(plan, database, fingerprints)),
                    ("DB4SCI_LIST", LIST),
                    ("DB4SCI_ALTERED", ALTERED),
                    ("DB4SCI_LOOK", LOOK),
                    ("DB4SCI_LOCK", LOCK),
                    ("DB4SCI_BEGUN", BEGUN),
                    ("DB4SCI_EXCHANGED", EXCHANGED),
                    ("DB4SCI_COUNTS", COUNTS),
                    ("DB4SCI_KEEP", KEEP),
                    ("DB4SCI_WATCH", WATCH),
                    ("DB4SCI_DEFINE", DEFINE_DATABASE),
                ],
            ),
        }
    }

    fn end_mark(&self, part: &Part) -> Option<&'static str> {
        Some(if part.database.is_none() { USERS_END } else { DUMP_END })
    }

    fn exact_counts(&self) -> bool {
        true
    }

    fn list(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        let text = match part.database {
            None => format!("set -eu\ntail -n 1 | grep -qxF -e '{USERS_END}'\n"),
            Some(_) => LISTED.to_owned(),
        };
        administer(plan, &text, &[])
    }

    fn restore(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        match &part.database {
            None => restore::accounts(plan, true),
            Some(_) => restore::load(plan),
        }
    }

    fn restore_stages(&self, plan: &ServerSpec<'_>, part: &Part) -> Vec<RestoreStage> {
        restore::stages(plan, part, true)
    }

    fn second_attempt(
        &self,
        plan: &ServerSpec<'_>,
        parts: &[Part],
        only: Option<&Selection>,
    ) -> Vec<(usize, RestoreStage)> {
        restore::second_attempt(plan, parts, only.is_none())
    }

    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec {
        let set = set(plan, database, fingerprints);
        ask(plan, format!("{set}{LIST}START TRANSACTION WITH CONSISTENT SNAPSHOT;\nEXECUTE tables;\n{COUNTS}"))
    }

    fn gained(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        let mut exec = administer(plan, "client --raw\n", &[]);
        exec.stdin = Stdin::Text(SecretString::from(GAINED.replace("@ABOVE@", &above(IMAGE_ACCOUNTS))));
        Some(exec)
    }

    fn definitions(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<ExecSpec> {
        let (ask, questions) = match database {
            Some(_) => ("define_database", DEFINE_DATABASE),
            None => ("define_server", DEFINE_SERVER),
        };
        let set = set(plan, database.unwrap_or_default(), false);
        let env = [("DB4SCI_SET", set.as_str()), ("DB4SCI_DEFINE", questions)];
        Some(observe(plan, &format!("{DEFINE}{ask} \"$DB4SCI_DEFINE\"\n"), &env))
    }

    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec {
        let set = set(plan, database, false);
        observe(plan, CHECK, &[("DB4SCI_SET", &set), ("DB4SCI_CHECK", TABLES)])
    }

    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Database
    }

    fn restore_only(&self, plan: &ServerSpec<'_>, part: &Part, only: &Selection) -> Vec<RestoreStage> {
        match &part.database {
            Some(database) if *database != only.database => Vec::new(),
            // Privileges on databases that were not selected cannot be granted.
            _ => restore::stages(plan, part, false),
        }
    }

    fn by_hand(&self, part: &Part) -> Vec<String> {
        let client = "mariadb --comments --protocol=tcp --host=\"$HOST\" --port=\"$PORT\" --user=\"$ADMIN\" --default-character-set=utf8mb4 --max-allowed-packet=1G";
        match &part.database {
            None if part.file == WHO => vec![
                "# Users, roles and their database privileges; existing ones are recreated.".to_owned(),
                // Values in a backup may be longer than a new server accepts by default.
                format!("{client} --execute='SET GLOBAL max_allowed_packet = 1073741824'"),
                format!("{client} <\"$file\""),
            ],
            None => {
                vec!["# Their privileges on single tables and routines.".to_owned(), format!("{client} <\"$file\"")]
            }
            Some(database) => vec![
                format!("# The database {}. Existing tables are recreated.", database.replace(['\n', '\r'], " ")),
                format!(
                    "{client} --init-command='SET SESSION foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0' <\"$file\""
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::described;

    #[test]
    fn a_backup_contains_users_databases_and_grants_in_order() {
        let inventory = Inventory { databases: vec!["a b".to_owned(), "x'`y".to_owned()], ..Inventory::default() };
        described(&Mariadb, "docker.io/library/mariadb:11.8", |plan| {
            let parts = EngineBackup::parts(&Mariadb, &inventory);
            assert_eq!(
                parts.iter().map(|p| p.file.as_str()).collect::<Vec<_>>(),
                ["accounts.sql", "database-1.sql", "database-2.sql", "grants.sql"]
            );
            let specs = parts.iter().flat_map(|p| [Mariadb.dump(plan, p, true), Mariadb.restore(plan, p)]);
            for spec in specs.chain([Mariadb.count(plan, "x'`y", true), Mariadb.check(plan, "x'`y")]) {
                assert!(spec.argv.iter().all(|a| !a.contains("x'`y")), "names go by environment");
                assert!(spec.argv.iter().all(|a| !a.contains("admin-secret")), "and so does the password");
            }
        });
    }
}
