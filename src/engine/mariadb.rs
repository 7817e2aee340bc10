//! MariaDB in the official image. Environment and paths are those of the image's documentation on the registry.

mod accounts;
mod backup;
mod grammar;
mod restore;
mod session;
mod snippets;
mod statement;

use secrecy::SecretString;
use uuid::Uuid;

use self::session::{secret, text};
use super::connect::{Endpoint, Snippet, Tls, url_encode};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::Engine;
use crate::engine::mariadb::session::CLIENT;
use crate::engine::online_copy;
use crate::engine::spec::{
    DIR, EnginePort, ExecSpec, InjectedFile, InnerPort, Recipe, ServerCert, ServerSpec, Stdin, Tool, VersionFile,
};

const ACCOUNTS: &str = include_str!("mariadb/administer/accounts.sql");
const REPLICATION: &str = include_str!("mariadb/administer/replication.sh");
const TO_END_REPLICATION: &str = include_str!("mariadb/administer/to_end_replication.sh");
const END_REPLICATION: &str = include_str!("mariadb/administer/end_replication.sh");
const ONLINE_COPY: &str = include_str!("mariadb/administer/online_copy.sh");
const ONLINE_COPY_END: &str = include_str!("mariadb/administer/online_copy_end.sh");
const TO_CUT_OFF: &str = include_str!("mariadb/administer/to_cut_off.sql");
const CUT_OFF: &str = include_str!("mariadb/administer/cut_off.sql");
const OWN_PASSWORD: &str = include_str!("mariadb/administer/admin_password.sql");
const SURVEY: &str = include_str!("mariadb/observe/survey.sql");
/// The directory from which both the official image and Debian's packages read configuration files; the last file wins.
const CONF_DIR: &str = "/etc/mysql/mariadb.conf.d";

pub(crate) use accounts::{Rewritten, becomes};

/// The engine.
pub(super) struct Mariadb;

/// Memory settings derived from the container's limit: 40 % for the buffer pool, the rest for connections and the
/// server itself, which takes about 80 MiB when idle.
fn memory_conf(memory: ByteSize) -> String {
    let mib = (memory.0 / MIB).max(128);
    format!(
        "[mariadbd]\ninnodb_buffer_pool_size = {}M\ninnodb_log_file_size = {}M\naria_pagecache_buffer_size = {}M\ntmp_table_size = {}M\nmax_heap_table_size = {}M\n",
        (mib * 4 / 10).max(32),
        (mib / 8).clamp(32, 1024),
        (mib / 32).clamp(8, 128),
        (mib / 32).clamp(8, 64),
        (mib / 32).clamp(8, 64),
    )
}

/// Replication works only between servers with different ids. The image gives all of them the same.
fn identity_conf(id: Uuid) -> String {
    let [.., a, b, c, d] = *id.as_bytes();
    // 0 means none, and 1 is what servers from elsewhere have.
    format!("[mariadbd]\nserver_id = {}\n", u32::from_be_bytes([a, b, c, d]).max(2))
}

/// Statements about all accounts but the owner's, and a script about the connections for replication.
fn about_others(plan: &ServerSpec<'_>, statements: &str, connections: &str) -> Vec<ExecSpec> {
    let mut exec = session::administer(plan, "client --raw\n", &[]);
    exec.stdin = Stdin::Text(SecretString::from(format!("{}{statements}", text("name", plan.dbuser.as_str()))));
    vec![exec, session::administer(plan, &[REPLICATION, connections].concat(), &[])]
}

impl Engine for Mariadb {
    fn label(&self) -> &'static str {
        "MariaDB"
    }

    fn tagline(&self) -> &'static str {
        "Tables and SQL, for software made for MySQL."
    }

    fn ports(&self) -> &'static [EnginePort] {
        &[EnginePort { purpose: "mariadb", inside: InnerPort::Fixed(3306) }]
    }

    fn database_rules(&self) -> NameRules {
        NameRules {
            max_bytes: 64,
            // The owner of `performance` could do everything in `performance_…`.
            reserved: &[
                "mysql",
                "information_schema",
                "performance_schema",
                "information",
                "performance",
                "sys",
                "test",
                "mydb_admin",
                "lost_found",
            ],
            reserved_prefixes: &["db4sci_"],
        }
    }

    fn user_rules(&self) -> NameRules {
        NameRules {
            max_bytes: 80,
            reserved: &["root", "mysql", "mariadb", "public", "current_user", "current_role", "none", "mydb_admin"],
            reserved_prefixes: &["db4sci_"],
        }
    }

    fn admin_user(&self) -> &'static str {
        "root"
    }

    fn tools(&self) -> &'static [Tool] {
        &[CLIENT]
    }

    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe {
        let mut files: Vec<InjectedFile> = config
            .iter()
            .map(|(name, text)| plan.file_at(&format!("{CONF_DIR}/zz-db4sci-{name}"), 0o644, text.as_str()))
            .collect();
        files.extend([
            plan.file_at(&format!("{CONF_DIR}/zz-db4sci-memory.cnf"), 0o644, memory_conf(plan.memory)),
            plan.file_at(&format!("{CONF_DIR}/zz-db4sci-identity.cnf"), 0o644, identity_conf(plan.id)),
            plan.file("server.crt", 0o644, cert.cert.clone()),
            plan.file("server.key", 0o600, cert.key.clone()),
            plan.file("admin_password", 0o400, plan.admin_password.clone()),
        ]);
        Recipe {
            env: [
                ("MARIADB_ROOT_PASSWORD_FILE", format!("{DIR}/admin_password")),
                // Inside the container only: the address of the portal's own commands, in addition to the socket's
                // localhost.
                ("MARIADB_ROOT_HOST", "127.0.0.1".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            cmd: vec!["mariadbd".to_owned()],
            files,
            stop_signal: "SIGTERM",
            stop_seconds: 60,
            capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
            shm: ByteSize(64 * MIB),
            hosts: Vec::new(),
        }
    }

    fn sealed_arguments(&self) -> &'static [&'static str] {
        &["--event-scheduler=OFF"]
    }

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        // Over TCP, because the image's temporary server listens only on the socket during initialisation. Without the
        // packager's suffix: "10.11.14", not "10.11.14-MariaDB-0+deb12u1".
        let mut exec = session::administer(plan, "client --raw\n", &[]);
        exec.stdin = Stdin::Text(SecretString::from("SELECT SUBSTRING_INDEX(VERSION(), '-', 1);\n"));
        exec
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString, is_new: bool) -> Vec<ExecSpec> {
        let mut input = format!(
            "SET @is_new = {};\n{}{}{}{ACCOUNTS}",
            i32::from(is_new),
            text("name", plan.dbuser.as_str()),
            text("database", plan.dbname.as_str()),
            secret("password", password)
        );
        if plan.seed_password.is_some() {
            input.push_str(&secret("own", plan.admin_password));
            input.push_str(OWN_PASSWORD);
        }
        let mut exec = session::administer(plan, "client --raw\n", &[]);
        exec.stdin = Stdin::Text(SecretString::from(input));
        vec![exec]
    }

    fn copy_online(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        let env = vec![
            ("DB4SCI_USER".to_owned(), SecretString::from(plan.admin_user)),
            ("MYSQL_PWD".to_owned(), plan.admin_secret()),
        ];
        vec![online_copy::script(plan, ONLINE_COPY, env), online_copy::script(plan, ONLINE_COPY_END, Vec::new())]
    }

    fn to_cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        about_others(plan, TO_CUT_OFF, TO_END_REPLICATION)
    }

    fn cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        about_others(plan, CUT_OFF, END_REPLICATION)
    }

    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = @name COLLATE utf8mb4_bin;\n";
        session::ask(plan, format!("{}{query}", text("name", plan.dbuser.as_str())))
    }

    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        session::ask(plan, SURVEY.to_owned())
    }

    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile> {
        // The file was renamed in version 11. Its content is, for example, "10.11.14-MariaDB".
        let files = ["mariadb_upgrade_info", "mysql_upgrade_info"].map(str::to_owned).to_vec();
        Some(VersionFile { files, version: image.version.clone() })
    }

    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        Some(&Self)
    }

    fn snippets(&self, e: &Endpoint<'_>, tls: Tls<'_>) -> Vec<Snippet> {
        snippets::snippets(e, tls, &self.tls_url(e, tls, None))
    }

    fn password_variable(&self) -> &'static str {
        "MYSQL_PWD"
    }

    fn url(&self, e: &Endpoint<'_>, password: Option<&str>) -> String {
        let secret = password.map(|p| format!(":{}", url_encode(p))).unwrap_or_default();
        format!("mysql://{}{secret}@{}:{}/{}", url_encode(e.dbuser), e.host, e.port("mariadb"), url_encode(e.dbname))
    }

    fn tls_url(&self, e: &Endpoint<'_>, tls: Tls<'_>, password: Option<&str>) -> String {
        format!("{}{}", self.url(e, password), snippets::options(tls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{described, no_secret_shows, whole};

    const IMAGE: &str = "docker.io/library/mariadb:11.8";

    #[test]
    fn the_whole_description() {
        described(&Mariadb, IMAGE, |plan| insta::assert_debug_snapshot!(whole(&Mariadb, plan)));
    }

    #[test]
    fn no_secret_is_an_argument_or_printed() {
        described(&Mariadb, IMAGE, |plan| no_secret_shows(&Mariadb, plan));
    }
}
