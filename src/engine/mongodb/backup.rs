//! Backups of MongoDB: the data directory as an archive, taken from a frozen copy on which a server was started,
//! recovered and stopped cleanly. This way a backup captures all databases at one moment, needs no tool that an image
//! may lack, and restores the users too.

use secrecy::{ExposeSecret, SecretString};

use super::Mongodb;
use super::administer::OtherPasswords;
use super::observe::{CheckCollections, Counts, Definitions, InventoryFacts};
use super::rebuild::{CheckRights, DropUnselected, InsertDocuments};
use super::session::{administer, administer_with, as_owner, observe};
use crate::engine::backup::{DefinitionsCommand, EngineBackup, Inventory, LIB, LoadPlan, NOBODY};
use crate::engine::connect::url_encode;
use crate::engine::documents::Documents;
use crate::engine::part::{DumpMode, Part};
use crate::engine::partial::{Selection, SmallestPart};
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin, Tool};

/// Creates the indexes of an archive.
const SHELL: Tool = Tool { names: &["mongosh"] };
const TAR: Tool = Tool { names: &["tar"] };
const RESTORER: Tool = Tool { names: &["mongorestore"] };

const LOAD: &str = include_str!("rebuild/load_archive.sh");
const INDEXES: &str = include_str!("rebuild/create_indexes.js");
/// First file of the archive, so that its beginning identifies it.
const FIRST: &str = "./WiredTiger.turtle";

/// A script for `sh` in a container in which no server runs.
fn script(plan: &ServerSpec<'_>, text: String) -> ExecSpec {
    let env = vec![("DB4SCI_DATA".to_owned(), SecretString::from(plan.image.data.clone()))];
    ExecSpec { argv: vec!["sh".to_owned(), "-c".to_owned(), text], env, stdin: Stdin::Closed, user: Some(plan.owner()) }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Escapes a name for the tools' patterns, in which a star matches anything.
fn literally(name: &str) -> String {
    name.replace('\\', "\\\\").replace('*', "\\*")
}

impl EngineBackup for Mongodb {
    fn load_tools(&self) -> &'static [Tool] {
        &[RESTORER, SHELL]
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
        let (address, script) = (format!("mongodb://{at}"), INDEXES);
        let env = [
            ("DB4SCI_TOOL_CONFIG", config.as_str()),
            ("DB4SCI_ADDRESS", &address),
            ("DB4SCI_SCRIPT", script),
            ("DB4SCI_SOURCE", source),
            ("DB4SCI_DATABASE", database),
            ("DB4SCI_USER", plan.dbuser.as_str()),
            ("DB4SCI_USER_PASSWORD", load.password.expose_secret()),
            ("HOME", "/tmp"),
            ("MONGOSH_FORCE_DISABLE_TELEMETRY_FOR_TESTING", "1"),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value))).collect();
        ExecSpec { argv, env, stdin: Stdin::Closed, user: Some(NOBODY.to_owned()) }
    }

    fn load_documents(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>, documents: Documents) -> Option<ExecSpec> {
        let script = InsertDocuments { database: load.database.to_owned(), documents };
        Some(as_owner(plan, load.password, script))
    }

    fn script(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Option<ExecSpec> {
        let (user, database) = (url_encode(plan.dbuser.as_str()), url_encode(plan.dbname.as_str()));
        let password = url_encode(password.expose_secret());
        let url = format!(
            "mongodb://{user}:{password}@127.0.0.1:{}/{database}?directConnection=true&authSource={database}",
            plan.port("mongodb")
        );
        // The shell reads statements from its standard input one by one and continues after errors, but a file as a whole.
        // The address with the password is not an argument, which others could see.
        let text = "set -eu\numask 077\nfile=$(mktemp -d)/script.js\ncat >\"$file\"\n\
                    printf 'db = connect(process.env.DB4SCI_URL);\\n' >\"$file.connect\"\n\
                    exec \"$1\" --nodb --quiet --norc --file \"$file.connect\" --file \"$file\" >/dev/null\n";
        let mut argv = owned(&["sh", "-c", text, "sh"]);
        argv.push(plan.tools.name(SHELL));
        let env =
            [("DB4SCI_URL", url.as_str()), ("HOME", "/tmp"), ("MONGOSH_FORCE_DISABLE_TELEMETRY_FOR_TESTING", "1")];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value))).collect();
        Some(ExecSpec { argv, env, stdin: Stdin::Closed, user: Some(NOBODY.to_owned()) })
    }

    fn dump_mode(&self) -> DumpMode {
        DumpMode::Stopped
    }

    fn adopt(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Option<ExecSpec> {
        Some(administer_with(plan, OtherPasswords(password.clone()), password))
    }

    fn tools(&self) -> &'static [Tool] {
        &[TAR]
    }

    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, InventoryFacts)
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
        Some(administer(plan, CheckRights))
    }

    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec {
        observe(plan, Counts { databases: owned(&[database]), fingerprints })
    }

    fn count_all(&self, plan: &ServerSpec<'_>, databases: &[&str], fingerprints: bool) -> Vec<ExecSpec> {
        vec![observe(plan, Counts { databases: owned(databases), fingerprints })]
    }

    fn definitions(&self, plan: &ServerSpec<'_>, database: Option<&str>) -> Option<ExecSpec> {
        Some(observe(plan, Definitions { databases: vec![database.map(str::to_owned)] }))
    }

    fn definitions_all<'a>(&self, plan: &ServerSpec<'_>, databases: &[Option<&'a str>]) -> Vec<DefinitionsCommand<'a>> {
        let all = databases.iter().map(|one| one.map(str::to_owned)).collect();
        let exec = observe(plan, Definitions { databases: all });
        vec![DefinitionsCommand { databases: databases.to_vec(), exec, split: None }]
    }

    fn own_database<'a>(&self, _plan: &'a ServerSpec<'_>) -> Option<&'a str> {
        None
    }

    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec {
        observe(plan, CheckCollections { databases: owned(&[database]) })
    }

    fn check_all(&self, plan: &ServerSpec<'_>, databases: &[&str]) -> Vec<ExecSpec> {
        vec![observe(plan, CheckCollections { databases: owned(databases) })]
    }

    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Table
    }

    fn is_servers_own(&self, database: &str) -> bool {
        database == "admin"
    }

    /// The archive contains everything; what is not selected is removed once a server runs on it.
    fn keep_only(&self, plan: &ServerSpec<'_>, only: &Selection, _others: &[String]) -> Option<ExecSpec> {
        let selected = DropUnselected { database: only.database.clone(), collection: only.table.clone() };
        Some(administer(plan, selected))
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
    fn a_mongodb_is_dumped_as_one_archive_while_stopped() {
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
