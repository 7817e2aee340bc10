//! Backups of MongoDB: the data directory as an archive, taken from a frozen copy on which a server was started,
//! recovered and stopped cleanly. This way a backup captures all databases at one moment, needs no tool that an image
//! may lack, and restores the users too.

use secrecy::{ExposeSecret, SecretString};

use super::Mongodb;
use super::shell::{administer, administer_with, as_user, observe};
use crate::engine::backup::{EngineBackup, Inventory, LIB, LoadPlan, NOBODY};
use crate::engine::connect::url_encode;
use crate::engine::mongodb::shell::SHELL;
use crate::engine::part::{DumpMode, Part};
use crate::engine::partial::{Selection, SmallestPart};
use crate::engine::spec::{ExecSpec, ServerSpec, Tool};

const TAR: Tool = Tool { names: &["tar"] };
const RESTORER: Tool = Tool { names: &["mongorestore"] };

const INVENTORY: &str = include_str!("inventory.js");
const COUNTS: &str = include_str!("counts.js");
const DEFINITIONS: &str = include_str!("definitions.js");
const CHECK: &str = include_str!("check.js");
const KEEP_ONLY: &str = include_str!("keep_only.js");
const ADOPT: &str = include_str!("adopt.js");
const GAINED: &str = include_str!("gained.js");
const LOAD: &str = include_str!("load.sh");
const INDEXES: &str = include_str!("indexes.js");
/// First file of the archive, so that its beginning identifies it.
const FIRST: &str = "./WiredTiger.turtle";

/// A script for `sh` in a container in which no server runs.
fn script(plan: &ServerSpec<'_>, text: String) -> ExecSpec {
    let env = vec![("DB4SCI_DATA".to_owned(), SecretString::from(plan.image.data.clone()))];
    ExecSpec { argv: vec!["sh".to_owned(), "-c".to_owned(), text], env, stdin: None, user: Some(plan.owner()) }
}

/// Adds the variables of a script about one database.
fn about(mut exec: ExecSpec, database: &str, fingerprints: bool) -> ExecSpec {
    let flag = if fingerprints { "1" } else { "0" };
    exec.env.push(("DB4SCI_COUNTED".to_owned(), SecretString::from(database)));
    exec.env.push(("DB4SCI_FINGERPRINTS".to_owned(), SecretString::from(flag)));
    exec
}

/// Escapes a name for the tools' patterns, in which a star matches anything.
fn literally(name: &str) -> String {
    name.replace('\\', "\\\\").replace('*', "\\*")
}

impl EngineBackup for Mongodb {
    fn load_tools(&self) -> &'static [Tool] {
        &[RESTORER]
    }

    fn load(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> ExecSpec {
        let database = plan.dbname.as_str();
        let source = load.source.unwrap_or(database);
        let mut argv = ["sh", "-c", LOAD, "sh"].map(str::to_owned).to_vec();
        argv.extend([plan.tools.name(SHELL), plan.tools.name(RESTORER), "--archive".to_owned()]);
        // Server-wide content such as users is not accepted from an uploaded dump.
        argv.push(format!("--nsInclude={}.*", literally(source)));
        if source != database {
            argv.push(format!("--nsFrom={}.*", literally(source)));
            argv.push(format!("--nsTo={}.*", literally(database)));
        }
        let (user, password) = (url_encode(plan.dbuser.as_str()), url_encode(load.password.expose_secret()));
        let at = format!("127.0.0.1:{}/?directConnection=true", plan.port("mongodb"));
        let config = format!("uri: \"mongodb://{user}:{password}@{at}&authSource={}\"", url_encode(database));
        let (address, script) = (format!("mongodb://{at}"), as_user(INDEXES));
        let env = [
            ("DB4SCI_TOOL_CONFIG", config.as_str()),
            ("DB4SCI_ADDRESS", &address),
            ("DB4SCI_SCRIPT", &script),
            ("DB4SCI_SOURCE", source),
            ("DB4SCI_DATABASE", database),
            ("DB4SCI_USER", plan.dbuser.as_str()),
            ("DB4SCI_USER_PASSWORD", load.password.expose_secret()),
            ("HOME", "/tmp"),
            ("MONGOSH_FORCE_DISABLE_TELEMETRY_FOR_TESTING", "1"),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value))).collect();
        ExecSpec { argv, env, stdin: None, user: Some(NOBODY.to_owned()) }
    }

    fn dump_mode(&self) -> DumpMode {
        DumpMode::Stopped
    }

    fn adopt(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Option<ExecSpec> {
        let mut exec = administer_with(plan, ADOPT, password);
        exec.env.push(("DB4SCI_NEW_PASSWORD".to_owned(), password.clone()));
        Some(exec)
    }

    fn tools(&self) -> &'static [Tool] {
        &[SHELL, TAR]
    }

    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, INVENTORY)
    }

    fn parts(&self, _inventory: &Inventory) -> Vec<Part> {
        vec![Part {
            file: "data.tar".to_owned(),
            database: None,
            what: "the data directory with all databases and users",
        }]
    }

    fn dump(&self, plan: &ServerSpec<'_>, _part: &Part, _fingerprints: bool) -> ExecSpec {
        // Lock files, diagnostics and the dot files of shells belong to the server that ran, not to the data.
        let text = format!(
            "{LIB}cd \"$DB4SCI_DATA\"\ndumped tar -c -f - --exclude=./mongod.lock --exclude=./WiredTiger.lock \
             --exclude=./diagnostic.data --exclude='./.[!.]*' {FIRST} .\n"
        );
        script(plan, text)
    }

    fn exact_counts(&self) -> bool {
        true
    }

    fn list(&self, plan: &ServerSpec<'_>, _part: &Part) -> ExecSpec {
        // The input may end before the archive does. tar then fails, which is ignored: checksums are verified
        // elsewhere.
        let text = format!(
            "set -eu\nfirst=$(tar -t -f - 2>/dev/null | sed -n 1p)\n\
             [ \"$first\" = {FIRST} ] || {{ echo \"it begins with “$first”\" >&2; exit 1; }}\n"
        );
        script(plan, text)
    }

    fn restore(&self, plan: &ServerSpec<'_>, _part: &Part) -> ExecSpec {
        let text = "set -eu\ncd \"$DB4SCI_DATA\"\nfind . -mindepth 1 -delete\nexec tar -x -f - --no-same-owner\n";
        script(plan, text.to_owned())
    }

    fn gained(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        Some(administer(plan, GAINED))
    }

    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec {
        about(observe(plan, COUNTS), database, fingerprints)
    }

    fn definitions(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<ExecSpec> {
        Some(about(observe(plan, DEFINITIONS), database.unwrap_or_default(), false))
    }

    fn own_database<'a>(&self, _plan: &'a ServerSpec<'_>) -> Option<&'a str> {
        None
    }

    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec {
        about(observe(plan, CHECK), database, false)
    }

    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Table
    }

    fn is_servers_own(&self, database: &str) -> bool {
        database == "admin"
    }

    /// The archive contains everything; what is not selected is removed once a server runs on it.
    fn keep_only(&self, plan: &ServerSpec<'_>, only: &Selection, _others: &[String]) -> Option<ExecSpec> {
        let mut exec = about(administer(plan, KEEP_ONLY), &only.database, false);
        let table = serde_json::Value::from(only.table.as_deref()).to_string();
        exec.env.push(("DB4SCI_WANTED".to_owned(), SecretString::from(table)));
        Some(exec)
    }

    fn by_hand(&self, _part: &Part) -> Vec<String> {
        [
            "# All databases and users.",
            "mkdir -p \"$DATA\"",
            "tar -x -f \"$file\" -C \"$DATA\" --no-same-owner",
            "# The user that the server runs as in the official image; set OWNER to change it.",
            "chown -R \"${OWNER:-999:999}\" \"$DATA\"",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::described;

    #[test]
    fn it_moves_as_a_whole_while_stopped() {
        described(&Mongodb, "docker.io/library/mongo:6.0", |plan| {
            let parts = EngineBackup::parts(&Mongodb, &Inventory::default());
            assert_eq!(
                (Mongodb.dump_mode(), Mongodb.check_mode(), parts.len()),
                (DumpMode::Stopped, DumpMode::Running, 1)
            );
            let adopt = Mongodb.adopt(plan, &SecretString::from("new and secret"));
            assert!(adopt.is_some_and(|e| e.argv.iter().all(|a| !a.contains("new and secret"))));
        });
    }
}
