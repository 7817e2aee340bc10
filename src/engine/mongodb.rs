//! MongoDB in the official image: a replica set with one member, so that transactions and change streams work.

mod backup;
mod shell;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use self::shell::{administer, administer_with, observe};
use super::connect::{Endpoint, Snippet, snippet as s, url_encode};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::Engine;
use crate::engine::mongodb::shell::SHELL;
use crate::engine::spec::{
    DIR, EnginePort, ExecSpec, InjectedFile, InnerPort, Recipe, ServerCert, ServerSpec, Tool, VersionFile,
};

const ADMIN: &str = "db4sci_admin";
const BASH: Tool = Tool { names: &["bash"] };
const READY: &str = include_str!("mongodb/ready.js");
const ACCOUNTS: &str = include_str!("mongodb/accounts.js");
const SESSIONS: &str = include_str!("mongodb/sessions.js");
const SURVEY: &str = include_str!("mongodb/survey.js");
/// Starts the shell, which takes a second, only if the port is open. `$0` is the port. `ready.js` detects the temporary
/// server that an image starts to create the administrator.
const WHEN_LISTENING: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$0" || exit 1; exec 3>&-; exec "$@""#;

/// The engine.
pub(super) struct Mongodb;

/// Cache size of the storage engine: half of what the memory limit leaves after 256 MiB for the server itself, and at
/// least the 0.25 GB that the server accepts.
fn cache_gb(memory: ByteSize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a limit in MiB is far below 2^52")]
    let gib = (memory.0 / MIB - 256) as f64 / 1024.0;
    (gib / 2.0).max(0.25)
}

impl Engine for Mongodb {
    fn label(&self) -> &'static str {
        "MongoDB"
    }

    fn tagline(&self) -> &'static str {
        "Documents of any shape, JSON in and out."
    }

    fn ports(&self) -> &'static [EnginePort] {
        // Drivers connect to the address that the server advertises, so it listens on the published port.
        &[EnginePort { purpose: "mongodb", inside: InnerPort::Published }]
    }

    fn database_rules(&self) -> NameRules {
        NameRules {
            max_bytes: 63,
            reserved: &["admin", "local", "config", "test", "mydb_admin"],
            reserved_prefixes: &["db4sci_", "system_"],
        }
    }

    fn user_rules(&self) -> NameRules {
        NameRules { max_bytes: 63, reserved: &["root", "admin", "mydb_admin"], reserved_prefixes: &["db4sci_", "__"] }
    }

    fn password_fault(&self, password: &str) -> Option<&'static str> {
        // Server and drivers prepare a password according to RFC 4013, which supports no character added after 2002.
        stringprep::saslprep(password).is_err().then_some(
            "MongoDB passwords cannot contain emoji or other characters added to Unicode after 2002. Use letters, \
             digits and punctuation.",
        )
    }

    fn admin_user(&self) -> &'static str {
        ADMIN
    }

    fn tools(&self) -> &'static [Tool] {
        &[SHELL, BASH]
    }

    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe {
        let cache = format!("{:.2}", cache_gb(plan.memory));
        let mut files: Vec<InjectedFile> =
            config.iter().map(|(name, text)| plan.file(name, 0o644, text.replace("@CACHE_GB@", &cache))).collect();
        // A replica set with one member never uses its key between machines. The key only has to exist and never
        // change.
        let key = Sha256::digest(format!("replica set {}", plan.admin_password.expose_secret()));
        let certificate = format!("{}\n{}", cert.cert.trim_end(), cert.key.expose_secret());
        files.extend([
            plan.file("keyfile", 0o400, hex::encode(key)),
            plan.file("server.pem", 0o400, certificate),
            plan.file("ca.pem", 0o444, cert.authority.clone()),
            plan.file("admin_password", 0o400, plan.admin_password.clone()),
        ]);
        let port = plan.port("mongodb").to_string();
        // With the directory given here, the entry point need not start the shell to find it.
        let paths = ["mongod", "--config", &format!("{DIR}/mongod.conf"), "--dbpath", &plan.image.data];
        let net = ["--bind_ip_all", "--port", &port];
        let set = ["--replSet", "rs0", "--keyFile", &format!("{DIR}/keyfile")];
        // The server must be able to connect to itself under the name that its clients use.
        let own_name = plan.host != "localhost" && plan.host.parse::<std::net::IpAddr>().is_err();
        Recipe {
            env: [
                ("MONGO_INITDB_ROOT_USERNAME", plan.admin_user.to_owned()),
                ("MONGO_INITDB_ROOT_PASSWORD_FILE", format!("{DIR}/admin_password")),
                // The entry point's shell writes files to its home directory, which must not be among the data.
                ("HOME", "/tmp".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            cmd: paths.iter().chain(&net).chain(&set).map(|a| (*a).to_owned()).collect(),
            files,
            stop_signal: "SIGTERM",
            stop_seconds: 60,
            capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
            shm: ByteSize(64 * MIB),
            hosts: own_name.then(|| (plan.host.to_owned(), "127.0.0.1".to_owned())).into_iter().collect(),
        }
    }

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let mut exec = self.initialised(plan);
        let member = format!("{}:{}", plan.host, plan.port("mongodb"));
        exec.env.push(("DB4SCI_MEMBER".to_owned(), SecretString::from(member)));
        exec
    }

    fn initialised(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let mut exec = administer(plan, READY);
        let wrapped = ["bash", "-c", WHEN_LISTENING, &plan.port("mongodb").to_string()].map(str::to_owned);
        exec.argv.splice(0..0, wrapped);
        exec
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Vec<ExecSpec> {
        let mut exec = administer_with(plan, ACCOUNTS, plan.admin_password);
        exec.env.push(("DB4SCI_USER_PASSWORD".to_owned(), password.clone()));
        if plan.seed_password.is_some() {
            exec.env.push(("DB4SCI_OWN_PASSWORD".to_owned(), plan.admin_password.clone()));
        }
        vec![exec]
    }

    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, SESSIONS)
    }

    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, SURVEY)
    }

    fn version_file(&self, _image: &CatalogImage) -> Option<VersionFile> {
        // MongoDB has no file with the version in plain text.
        None
    }

    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        Some(&Mongodb)
    }

    fn snippets(&self, e: &Endpoint<'_>) -> Vec<Snippet> {
        let (host, port, db, user) = (e.host, e.port("mongodb"), e.dbname, e.dbuser);
        let url = self.url(e, None);
        vec![
            s(
                "mongosh",
                "mongosh",
                "sh",
                "Run in a terminal. It prompts for the password.",
                format!("mongosh \"{url}\""),
            ),
            s(
                "url",
                "URL",
                "url",
                "For programs that take a connection URL. Add the password after the user name, percent-encoded.",
                url.clone(),
            ),
            s(
                "python",
                "Python",
                "python",
                "Uses the package PyMongo. Reads the password from the environment variable MONGO_PASSWORD.",
                format!(
                    "import os\nfrom pymongo import MongoClient\n\nclient = MongoClient(\n    \"{host}\", {port}, username=\"{user}\", password=os.environ[\"MONGO_PASSWORD\"], authSource=\"{db}\"\n)\ndatabase = client[\"{db}\"]\nprint(database.command(\"buildInfo\")[\"version\"])\n"
                ),
            ),
            s(
                "r",
                "R",
                "r",
                "Uses the package mongolite. Reads the password from the environment variable MONGO_PASSWORD.",
                format!(
                    "library(mongolite)\n\npassword <- URLencode(Sys.getenv(\"MONGO_PASSWORD\"), reserved = TRUE)\nconnection <- mongo(\n  collection = \"measurements\", db = \"{db}\",\n  url = sprintf(\"mongodb://{user}:%s@{host}:{port}/{db}?authSource={db}\", password)\n)\nprint(connection$run('{{\"buildInfo\": 1}}')$version)\n"
                ),
            ),
            s(
                "java",
                "Java",
                "java",
                "Uses the MongoDB driver. Reads the password from the environment variable MONGO_PASSWORD.",
                format!(
                    "import com.mongodb.*;\nimport com.mongodb.client.*;\nimport org.bson.Document;\nimport java.util.List;\n\nclass Try {{\n    public static void main(String[] arguments) {{\n        MongoCredential user = MongoCredential.createCredential(\n            \"{user}\", \"{db}\", System.getenv(\"MONGO_PASSWORD\").toCharArray());\n        MongoClientSettings settings = MongoClientSettings.builder().credential(user)\n            .applyToClusterSettings(c -> c.hosts(List.of(new ServerAddress(\"{host}\", {port})))).build();\n        try (MongoClient client = MongoClients.create(settings)) {{\n            Document info = client.getDatabase(\"{db}\").runCommand(new Document(\"buildInfo\", 1));\n            System.out.println(info.getString(\"version\"));\n        }}\n    }}\n}}\n"
                ),
            ),
        ]
    }

    fn password_variable(&self) -> &'static str {
        "MONGO_PASSWORD"
    }

    fn url(&self, e: &Endpoint<'_>, password: Option<&str>) -> String {
        let secret = password.map(|p| format!(":{}", url_encode(p))).unwrap_or_default();
        let db = url_encode(e.dbname);
        format!("mongodb://{}{secret}@{}:{}/{db}?authSource={db}", url_encode(e.dbuser), e.host, e.port("mongodb"))
    }

    fn encryption_note(&self) -> &'static str {
        "To encrypt the connection and verify the server's certificate, add tls=true&tlsCAFile=ca.pem to the URL; in \
         Python, tls=True, tlsCAFile=\"ca.pem\"."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{described, no_secret_shows, whole};

    const IMAGE: &str = "docker.io/library/mongo:6.0";

    #[test]
    fn the_whole_description() {
        described(&Mongodb, IMAGE, |plan| insta::assert_debug_snapshot!(whole(&Mongodb, plan)));
    }

    #[test]
    fn no_secret_is_an_argument_or_printed() {
        described(&Mongodb, IMAGE, |plan| no_secret_shows(&Mongodb, plan));
    }

    #[test]
    fn a_password_younger_than_2002_is_refused_and_every_printable_one_is_taken() {
        let printable: String = (' '..='~').collect();
        assert_eq!(Mongodb.password_fault(&printable), None);
        assert_eq!(Mongodb.password_fault("pässwörter"), None);
        assert!(Mongodb.password_fault("emoji 💧 inside").is_some());
    }
}
