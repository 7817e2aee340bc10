//! MongoDB in the official image: a replica set with one member, so that transactions and change streams work.

mod administer;
mod backup;
mod commands;
mod observe;
mod own_accounts;
mod rebuild;
mod scram;
mod script;
mod session;
mod snippets;
mod wire;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use self::administer::{Accounts, Flush, LockOthers};
use self::observe::{CountSessions, Ready, SurveyServer};
use self::session::{administer, administer_with, observe};
use super::connect::{Endpoint, Snippet, Tls, url_encode};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::Engine;
use crate::engine::spec::{
    DIR, EnginePort, ExecSpec, InjectedFile, InnerPort, Recipe, ServerCert, ServerSpec, Tool, VersionFile,
};

const ADMIN: &str = "db4sci_admin";
/// Opens the connection that the portal's conversations go through.
const BASH: Tool = Tool { names: &["bash"] };

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
        &[BASH]
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

    fn sealed_arguments(&self) -> &'static [&'static str] {
        // Documents whose time to live has passed since a backup are still part of it.
        &["--setParameter", "ttlMonitorEnabled=false"]
    }

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        administer(plan, Ready { member: Some(format!("{}:{}", plan.host, plan.port("mongodb"))) })
    }

    fn initialised(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        administer(plan, Ready { member: None })
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString, _is_new: bool) -> Vec<ExecSpec> {
        let own_password = plan.seed_password.is_some().then(|| plan.admin_password.clone());
        let accounts = Accounts { password: password.clone(), own_password };
        vec![administer_with(plan, accounts, plan.admin_password)]
    }

    fn cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        vec![administer(plan, LockOthers(plan.locked_password()))]
    }

    fn flush(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        Some(administer(plan, Flush))
    }

    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, CountSessions)
    }

    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        observe(plan, SurveyServer)
    }

    fn version_file(&self, _image: &CatalogImage) -> Option<VersionFile> {
        // MongoDB has no file with the version in plain text.
        None
    }

    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        Some(&Mongodb)
    }

    fn snippets(&self, e: &Endpoint<'_>, tls: Tls<'_>) -> Vec<Snippet> {
        snippets::snippets(e, tls, &self.tls_url(e, tls, None))
    }

    fn password_variable(&self) -> &'static str {
        "MONGO_PASSWORD"
    }

    fn url(&self, e: &Endpoint<'_>, password: Option<&str>) -> String {
        let secret = password.map(|p| format!(":{}", url_encode(p))).unwrap_or_default();
        let db = url_encode(e.dbname);
        format!("mongodb://{}{secret}@{}:{}/{db}?authSource={db}", url_encode(e.dbuser), e.host, e.port("mongodb"))
    }

    fn tls_url(&self, e: &Endpoint<'_>, tls: Tls<'_>, password: Option<&str>) -> String {
        format!("{}&{}", self.url(e, password), snippets::options(tls))
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
    fn characters_added_after_2002_are_rejected_in_passwords() {
        let printable: String = (' '..='~').collect();
        assert_eq!(Mongodb.password_fault(&printable), None);
        assert_eq!(Mongodb.password_fault("pässwörter"), None);
        assert!(Mongodb.password_fault("emoji 💧 inside").is_some());
    }
}
