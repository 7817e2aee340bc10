//! Neo4j Community in the official image: one database `neo4j`, and one user `neo4j` for its owner.

mod backup;
mod snippets;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::connect::{Endpoint, Snippet, Tls};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::{Engine, FixedNames};
use crate::engine::spec::{
    AdminRecovery, DIR, EnginePort, ExecSpec, InnerPort, Recipe, ServerCert, ServerSpec, Stdin, Tool, VersionFile,
};
use crate::engine::survey::{Survey, SurveyedDatabase, SurveyedObject, SurveyedRole};

const ADMIN: &str = "db4sci_admin";
const OWNER: &str = "neo4j";
/// A user that exists only while a server is started in advance.
const WARM_UP: &str = "db4sci_warm_up";
const BASH: Tool = Tool { names: &["bash"] };
const BASE64: Tool = Tool { names: &["base64"] };
const ASK: &str = include_str!("neo4j/ask.sh");
/// Shared by the scripts that query the server's content.
const HTTP: &str = include_str!("neo4j/http.sh");
const CUT_OFF: &str = include_str!("neo4j/cut_off.sh");
/// Paths for transactions on the user's database and on the database with the users.
const GRAPH: &str = "/db/neo4j/tx/commit";
const SYSTEM: &str = "/db/system/tx/commit";

/// The engine.
pub(super) struct Neo4j;

impl Neo4j {
    /// Requests to the server's HTTP interface, which responds in milliseconds, while its shell takes seconds to start.
    fn ask(plan: &ServerSpec<'_>, requests: &[(&str, Value)]) -> ExecSpec {
        let lines: Vec<String> = requests.iter().map(|(path, body)| format!("{path}\t{body}\n")).collect();
        ExecSpec {
            argv: ["bash", "-c", ASK].map(str::to_owned).to_vec(),
            env: vec![
                ("DB4SCI_ADMIN".to_owned(), SecretString::from(plan.admin_user)),
                ("DB4SCI_ADMIN_PASSWORD".to_owned(), plan.admin_secret()),
                ("DB4SCI_FRESH".to_owned(), SecretString::from(if plan.fresh { "1" } else { "" })),
            ],
            stdin: Stdin::Text(SecretString::from(lines.concat())),
            user: Some(plan.owner()),
        }
    }

    /// A single query, of which only the first value is printed.
    fn ask_value(plan: &ServerSpec<'_>, query: &str) -> ExecSpec {
        let mut exec = Self::ask(plan, &[(GRAPH, statements(&[query]))]);
        exec.env.push(("DB4SCI_VALUE".to_owned(), SecretString::from("1")));
        exec
    }
}

/// A request about a user and their password. The name is a parameter too, so that the server compiles a statement once
/// for all users.
fn about(statement: &str, user: &str, password: &SecretString) -> (&'static str, Value) {
    let parameters = json!({ "user": user, "password": password.expose_secret() });
    (SYSTEM, json!({ "statements": [{ "statement": statement, "parameters": parameters }] }))
}

/// Creates a user, unless it exists.
fn created(user: &str, password: &SecretString) -> (&'static str, Value) {
    about(
        "CREATE USER $user IF NOT EXISTS SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED",
        user,
        password,
    )
}

/// Creates a user, in place of one that exists. Only for users that nobody has used yet. A server that has just started
/// compiles this in a tenth of the time that its first `ALTER USER` takes.
fn replaced(user: &str, password: &SecretString) -> (&'static str, Value) {
    about(
        "CREATE OR REPLACE USER $user SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED",
        user,
        password,
    )
}

/// Changes a user's password.
fn altered(user: &str, password: &SecretString) -> (&'static str, Value) {
    about("ALTER USER $user SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED", user, password)
}

fn statements(list: &[&str]) -> Value {
    json!({ "statements": list.iter().map(|s| json!({ "statement": s })).collect::<Vec<_>>() })
}

/// The settings of a configuration file as environment variables of the image. The image documents these for settings
/// in addition to its own file, whose options for the JVM must be kept.
fn settings(text: &str) -> impl Iterator<Item = (String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| {
        (format!("NEO4J_{}", name.trim().replace('_', "__").replace('.', "_")), value.trim().to_owned())
    })
}

/// Maximum MiB that the JVM takes in addition to heap and page cache: classes, compiled code and connection buffers, as
/// limited in `neo4j.conf`, and 128 for threads and the garbage collector.
const JAVA: i64 = 192 + 96 + 96 + 128;

/// Heap and page cache in MiB: 70 % and 20 % of what the JVM leaves of the limit. The remaining tenth grows with the
/// heap, as the needs of the garbage collector do.
fn memory(limit: ByteSize) -> (i64, i64) {
    let left = limit.0 / MIB - JAVA;
    ((left * 7 / 10).max(256), (left / 5).max(64))
}

impl Engine for Neo4j {
    fn label(&self) -> &'static str {
        "Neo4j"
    }

    fn tagline(&self) -> &'static str {
        "Graphs: nodes, relationships, Cypher."
    }

    fn ports(&self) -> &'static [EnginePort] {
        &[
            EnginePort { purpose: "bolt", inside: InnerPort::Fixed(7687) },
            EnginePort { purpose: "http", inside: InnerPort::Fixed(7473) },
        ]
    }

    fn database_rules(&self) -> NameRules {
        NameRules { max_bytes: 63, reserved: &["system"], reserved_prefixes: &["db4sci_"] }
    }

    fn user_rules(&self) -> NameRules {
        self.database_rules()
    }

    fn fixed_names(&self) -> Option<FixedNames> {
        Some(FixedNames { dbname: "neo4j", dbuser: OWNER })
    }

    fn admin_user(&self) -> &'static str {
        ADMIN
    }

    fn tools(&self) -> &'static [Tool] {
        &[BASH, BASE64]
    }

    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe {
        let (heap, cache) = memory(plan.memory);
        let values = [
            ("@HEAP@", format!("{heap}m")),
            ("@PAGE_CACHE@", format!("{cache}m")),
            ("@BOLT@", format!("{}:{}", plan.host, plan.port("bolt"))),
            ("@HTTPS@", format!("{}:{}", plan.host, plan.port("http"))),
        ];
        // Version 4 has other names for the settings.
        let wanted = if plan.image.version.starts_with("4.") { "neo4j-4.conf" } else { "neo4j.conf" };
        let text = config.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.clone()).unwrap_or_default();
        let text = values.iter().fold(text, |text, (name, value)| text.replace(name, value));
        let mut env: Vec<_> = settings(&text).collect();
        if plan.fresh && plan.seed_password.is_none() {
            // Only if there are no users yet: with this variable, the image starts a second JVM before the server.
            env.push(("NEO4J_AUTH_PATH".to_owned(), format!("{DIR}/auth")));
        }
        let files = vec![
            plan.file("auth", 0o400, format!("{OWNER}/{}", plan.admin_password.expose_secret())),
            plan.file("ssl/server.crt", 0o400, cert.cert.clone()),
            plan.file("ssl/server.key", 0o400, cert.key.clone()),
        ];
        Recipe {
            env,
            cmd: vec!["neo4j".to_owned()],
            files,
            stop_signal: "SIGTERM",
            stop_seconds: 60,
            // KILL: the image's init remains root and forwards the stop signal to a server that is not root.
            capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"],
            shm: ByteSize(64 * MIB),
            hosts: Vec::new(),
        }
    }

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        Self::ask_value(plan, "CALL dbms.components() YIELD versions RETURN versions[0]")
    }

    fn regain(&self, plan: &ServerSpec<'_>) -> Option<AdminRecovery> {
        let password = plan.admin_password;
        let commands = vec![Self::ask(plan, &[created(ADMIN, password), altered(ADMIN, password)])];
        // As documented by Neo4j for a lost password: authentication is turned off, which is harmless in a sealed
        // container.
        Some(AdminRecovery {
            env: vec![("NEO4J_dbms_security_auth__enabled".to_owned(), "false".to_owned())],
            commands,
        })
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString, _is_new: bool) -> Vec<ExecSpec> {
        let admin = created(ADMIN, plan.admin_password);
        let steps = if plan.fresh {
            vec![admin, replaced(OWNER, password)]
        } else {
            // The owner may have dropped their own user.
            vec![admin, created(OWNER, password), altered(OWNER, password)]
        };
        let mut exec = Self::ask(plan, &steps);
        exec.env.push(("DB4SCI_OWN_PASSWORD".to_owned(), plan.admin_password.clone()));
        vec![exec]
    }

    fn warm_up(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        // The first statements about users take seconds.
        let password = plan.admin_secret();
        let removed = about("DROP USER $user IF EXISTS", WARM_UP, &password);
        vec![Self::ask(plan, &[created(OWNER, &password), replaced(WARM_UP, &password), removed])]
    }

    fn flush(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        Some(Self::ask(plan, &[(GRAPH, statements(&["CALL db.checkpoint()"]))]))
    }

    fn cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        let mut exec = Self::ask(plan, &[]);
        exec.argv = vec!["bash".to_owned(), "-c".to_owned(), [HTTP, CUT_OFF].concat()];
        exec.stdin = Stdin::Closed;
        exec.env.push(("DB4SCI_OWNER".to_owned(), SecretString::from(OWNER)));
        exec.env.push(("DB4SCI_LOCKED".to_owned(), plan.locked_password()));
        vec![exec]
    }

    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let query = format!("CALL dbms.listConnections() YIELD username WHERE username = '{OWNER}' RETURN count(*)");
        Self::ask_value(plan, &query)
    }

    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let facts = [
            "CALL dbms.components() YIELD versions RETURN versions[0]",
            "CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes RETURN attributes.Uptime.value",
            "CALL dbms.listConnections() YIELD connectionId RETURN count(*)",
            "CALL db.stats.retrieve('GRAPH COUNTS') YIELD data RETURN data",
        ];
        Self::ask(plan, &[(GRAPH, statements(&facts)), (SYSTEM, statements(&["SHOW USERS YIELD user RETURN user"]))])
    }

    fn read_survey(&self, printed: &str) -> Result<Survey, String> {
        let mut answers = Vec::new();
        for line in printed.lines().filter(|l| !l.trim().is_empty()) {
            let answer: Value =
                serde_json::from_str(line).map_err(|e| format!("cannot parse the server's response: {e}"))?;
            answers.push(answer);
        }
        let [graph, system] = answers.as_slice() else {
            return Err(format!("the server returned {} results instead of 2", answers.len()));
        };
        let first = |n: usize| graph.pointer(&format!("/results/{n}/data/0/row/0"));
        let users = system.pointer("/results/0/data").and_then(Value::as_array).into_iter().flatten();
        let name = |row: &Value| row.pointer("/row/0").and_then(Value::as_str).map(str::to_owned);
        Ok(Survey {
            version: first(0).and_then(Value::as_str).unwrap_or_default().to_owned(),
            uptime_seconds: first(1).and_then(Value::as_i64).map(|ms| ms / 1000),
            connections: first(2).and_then(Value::as_i64),
            // Community has no roles: every user has all privileges.
            roles: users.filter_map(name).map(|name| SurveyedRole { name, admin: true }).collect(),
            databases: vec![SurveyedDatabase {
                name: "neo4j".to_owned(),
                bytes: None,
                entries: nodes(first(3)),
                objects: counts(first(3)),
            }],
            ..Survey::default()
        })
    }

    fn version_file(&self, _image: &CatalogImage) -> Option<VersionFile> {
        // Neo4j has no file with the version in plain text.
        None
    }

    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        Some(&Neo4j)
    }

    fn snippets(&self, e: &Endpoint<'_>, tls: Tls<'_>) -> Vec<Snippet> {
        snippets::snippets(e, tls, &self.url(e, None), &self.tls_url(e, tls, None))
    }

    fn password_variable(&self) -> &'static str {
        "NEO4J_PASSWORD"
    }

    fn url(&self, e: &Endpoint<'_>, _password: Option<&str>) -> String {
        // Neo4j's drivers reject a URL that contains a user or a password.
        format!("neo4j://{}:{}", e.host, e.port("bolt"))
    }

    fn tls_url(&self, e: &Endpoint<'_>, tls: Tls<'_>, password: Option<&str>) -> String {
        self.url(e, password).replace("neo4j://", snippets::scheme(tls))
    }
}

/// The number of nodes, each counted once: a node with two labels is counted under both of them.
fn nodes(data: Option<&Value>) -> Option<i64> {
    let all = data?.get("nodes")?.as_array()?.iter().find(|n| n.get("label").is_none())?;
    all.get("count")?.as_i64()
}

/// Labels and relationship types with their counts, as maintained by the store itself.
fn counts(data: Option<&Value>) -> Vec<SurveyedObject> {
    let list = |key: &str| data.and_then(|d| d.get(key)).and_then(Value::as_array).cloned().unwrap_or_default();
    let object = |entry: &Value, key: &str, kind: &str| {
        let name = entry.get(key)?.as_str()?.to_owned();
        Some(SurveyedObject {
            name,
            kind: kind.to_owned(),
            rows: entry.get("count")?.as_i64(),
            exact: true,
            bytes: None,
        })
    };
    let mut found: Vec<SurveyedObject> = list("nodes").iter().filter_map(|n| object(n, "label", "label")).collect();
    // Relationships are counted once per type, and again for each label at either end.
    let relationships = list("relationships");
    let plain = relationships.iter().filter(|r| r.get("startLabel").is_none() && r.get("endLabel").is_none());
    found.extend(plain.filter_map(|r| object(r, "relationshipType", "relationship type")));
    found.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    found.truncate(200);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{described, no_secret_shows, whole};

    const IMAGE: &str = "docker.io/library/neo4j:5.26-community";

    #[test]
    fn the_whole_description() {
        described(&Neo4j, IMAGE, |plan| insta::assert_debug_snapshot!(whole(&Neo4j, plan)));
    }

    #[test]
    fn no_secret_is_an_argument_or_printed() {
        described(&Neo4j, IMAGE, |plan| no_secret_shows(&Neo4j, plan));
    }

    #[test]
    fn settings_become_the_environment_that_the_image_documents() {
        let found: Vec<_> = settings("# a comment\n\ndb.tx_log.rotation.retention_policy=2 days\n").collect();
        assert_eq!(found, [("NEO4J_db_tx__log_rotation_retention__policy".to_owned(), "2 days".to_owned())]);
    }

    #[test]
    fn store_counts_become_labels_and_relationship_types() {
        let graph = json!({"results": [
            {"data": [{"row": ["5.26.0"]}]}, {"data": [{"row": [61000]}]}, {"data": [{"row": [2]}]},
            {"data": [{"row": [{
                "nodes": [{"count": 9}, {"count": 7, "label": "Gene"}],
                "relationships": [{"count": 4}, {"count": 4, "relationshipType": "BINDS"},
                                  {"count": 3, "relationshipType": "BINDS", "startLabel": "Gene"}],
            }]}]},
        ], "errors": []});
        let users = json!({"results": [{"data": [{"row": ["neo4j"]}]}], "errors": []});
        let survey = Neo4j.read_survey(&format!("{graph}\n{users}\n")).unwrap();
        assert_eq!((survey.version.as_str(), survey.uptime_seconds, survey.connections), ("5.26.0", Some(61), Some(2)));
        let objects: Vec<_> = survey.databases[0].objects.iter().map(|o| (o.name.as_str(), o.rows)).collect();
        assert_eq!(objects, [("Gene", Some(7)), ("BINDS", Some(4))]);
        assert_eq!(survey.databases[0].entries(), Some(9), "every node once");
        assert!(Neo4j.read_survey("").is_err());
    }
}
