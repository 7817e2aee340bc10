//! Backups of Neo4j Community: `neo4j-admin` dumps of the user's graph and of the database with the users.
//! `neo4j-admin` requires a server that was stopped cleanly, so the dumps are taken from a frozen copy on which a
//! server was started and stopped.

use secrecy::SecretString;

use super::{ADMIN, BASE64, BASH, HTTP, Neo4j, altered};
use crate::engine::backup::{EngineBackup, Inventory, LIB, LoadPlan};
use crate::engine::part::{DumpMode, Part};
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin, Tool};

const TOOL: Tool = Tool { names: &["neo4j-admin"] };
const COUNT: &str = include_str!("count.sh");
const DEFINITIONS: &str = include_str!("definitions.sh");

/// The name of the database in a part.
fn name(part: &Part) -> &str {
    part.database.as_deref().unwrap_or("system")
}

/// A part that contains a graph.
fn graph(name: &str) -> Part {
    Part { file: format!("{name}.dump"), database: Some(name.to_owned()), what: "the graph, as a neo4j-admin dump" }
}

/// A script that loads a dump from standard input into a database.
fn restored(name: &str) -> String {
    format!(
        "set -eu\nneo4j-admin database load --from-stdin --overwrite-destination=true {name} >/tmp/db4sci-load 2>&1 || \
         {{ grep -v '^Files: ' /tmp/db4sci-load >&2; exit 1; }}\ncat >/dev/null\n"
    )
}

/// A script for `sh` in a container in which no server runs.
fn script(plan: &ServerSpec<'_>, text: String) -> ExecSpec {
    ExecSpec {
        argv: vec!["sh".to_owned(), "-c".to_owned(), text],
        env: Vec::new(),
        stdin: Stdin::Closed,
        user: Some(plan.owner()),
    }
}

impl EngineBackup for Neo4j {
    fn load_mode(&self) -> DumpMode {
        DumpMode::Stopped
    }

    fn load_tools(&self) -> &'static [Tool] {
        &[TOOL]
    }

    fn load(&self, plan: &ServerSpec<'_>, _load: &LoadPlan<'_>) -> ExecSpec {
        // Loads the graph whatever its name was when it was dumped. Migration leaves a graph of this version unchanged.
        let text = "neo4j-admin database migrate --force-btree-indexes-to-range neo4j >/tmp/db4sci-migrate 2>&1 || \
                    {\n  echo 'The graph could not be migrated to this version of Neo4j:' >&2\n  tail -n 5 \
                    /tmp/db4sci-migrate >&2\n  exit 1\n}\n";
        script(plan, restored("neo4j") + text)
    }

    fn script(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Option<ExecSpec> {
        let text = "exec cypher-shell --fail-fast --format plain --non-interactive >/dev/null\n";
        let address = "bolt://127.0.0.1:7687".to_owned();
        let env = [
            ("NEO4J_ADDRESS", SecretString::from(address)),
            ("NEO4J_USERNAME", SecretString::from(plan.dbuser.as_str())),
            ("NEO4J_PASSWORD", password.clone()),
            ("HOME", SecretString::from("/tmp")),
        ];
        Some(ExecSpec {
            argv: ["sh", "-c", text].map(str::to_owned).to_vec(),
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            stdin: Stdin::Closed,
            // The program is only for the server's own user.
            user: Some(plan.owner()),
        })
    }

    fn dump_mode(&self) -> DumpMode {
        DumpMode::Stopped
    }

    fn check_mode(&self) -> DumpMode {
        DumpMode::Stopped
    }

    fn adopt(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Option<ExecSpec> {
        Some(Self::ask(plan, &[altered(ADMIN, password)]))
    }

    fn tools(&self) -> &'static [Tool] {
        &[BASH, BASE64, TOOL]
    }

    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let query = "CALL dbms.components() YIELD versions RETURN versions[0]";
        let mut exec = Self::ask_value(plan, query);
        // The version is the only value not known beforehand.
        exec.argv = vec![
            "bash".to_owned(),
            "-c".to_owned(),
            r#"version=$(bash -c "$0") || exit 1; printf '{"version":"%s","databases":["neo4j"],"facts":{}}' "$version""#
                .to_owned(),
            super::ASK.to_owned(),
        ];
        exec
    }

    fn parts(&self, inventory: &Inventory) -> Vec<Part> {
        let mut parts = vec![Part { file: "system.dump".to_owned(), database: None, what: "the users" }];
        parts.extend(inventory.databases.iter().map(|name| graph(name)));
        parts
    }

    fn dump(&self, plan: &ServerSpec<'_>, part: &Part, _fingerprints: bool) -> ExecSpec {
        // Progress messages are dropped: they would hide the reason of a failure.
        let text = format!(
            "{LIB}put_out() {{ neo4j-admin database dump {} --to-stdout 2>\"$work/said\"; }}\n\
             dumped put_out || {{ grep -v '^Files: ' \"$work/said\" >&2; exit 1; }}\n",
            name(part)
        );
        script(plan, text)
    }

    fn exact_counts(&self) -> bool {
        true
    }

    fn list(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        // Reads the header of the archive.
        let text = format!(
            "set -eu\nneo4j-admin database load --info --from-stdin {0} >/tmp/db4sci-info\n\
             grep -q '^Database: {0}$' /tmp/db4sci-info\ncat >/dev/null\n",
            name(part)
        );
        script(plan, text)
    }

    fn restore(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec {
        script(plan, restored(name(part)))
    }

    fn count(&self, plan: &ServerSpec<'_>, _database: &str, fingerprints: bool) -> ExecSpec {
        let mut exec = Self::ask(plan, &[]);
        exec.argv = vec!["bash".to_owned(), "-c".to_owned(), [HTTP, COUNT].concat()];
        exec.stdin = Stdin::Closed;
        let flag = if fingerprints { "1" } else { "0" };
        exec.env.push(("DB4SCI_FINGERPRINTS".to_owned(), SecretString::from(flag)));
        exec
    }

    fn gained(&self, _plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        // The edition has no roles: every user may do the same, and the portal removes or locks all but its own.
        None
    }

    fn definitions(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<ExecSpec> {
        let mut exec = Self::ask(plan, &[]);
        exec.argv = vec!["bash".to_owned(), "-c".to_owned(), [HTTP, DEFINITIONS].concat()];
        exec.stdin = Stdin::Closed;
        exec.env.push(("DB4SCI_COUNTED".to_owned(), SecretString::from(database.unwrap_or_default())));
        Some(exec)
    }

    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec {
        let text = format!(
            "set -u\nif neo4j-admin database check --report-path=/tmp {database} >/tmp/db4sci-check 2>&1; then exit 0; fi\n\
             grep -v '^[.]* *[0-9]*%$' /tmp/db4sci-check | tail -n 20 >&2\nexit 1\n"
        );
        script(plan, text)
    }

    fn by_hand(&self, part: &Part) -> Vec<String> {
        let what = if part.database.is_none() { "# The users." } else { "# The graph." };
        vec![
            what.to_owned(),
            format!("neo4j-admin database load --from-stdin --overwrite-destination=true {} < \"$file\"", name(part)),
            "# The user that the server runs as in the official image; set OWNER to change it.".to_owned(),
            "chown -R \"${OWNER:-7474:7474}\" \"$DATA\"".to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::described;

    #[test]
    fn a_neo4j_is_dumped_as_two_dumps_while_stopped() {
        let inventory = Inventory { databases: vec!["neo4j".to_owned()], ..Inventory::default() };
        described(&Neo4j, "docker.io/library/neo4j:5.26-community", |plan| {
            let parts = EngineBackup::parts(&Neo4j, &inventory);
            assert_eq!(parts.iter().map(name).collect::<Vec<_>>(), ["system", "neo4j"]);
            let adopt = Neo4j.adopt(plan, &SecretString::from("new and secret"));
            assert!(adopt.is_some_and(|e| e.argv.iter().all(|a| !a.contains("new and secret"))));
        });
    }
}
