//! MariaDB in the official image. Environment and paths are those of the image's documentation on the registry.

mod accounts;
mod backup;
mod grammar;
mod restore;
mod session;
mod statement;

use secrecy::SecretString;

use self::session::{secret, text};
use super::connect::{Endpoint, Snippet, snippet as s, url_encode};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::Engine;
use crate::engine::mariadb::session::CLIENT;
use crate::engine::spec::{
    DIR, EnginePort, ExecSpec, InjectedFile, InnerPort, Recipe, ServerCert, ServerSpec, Tool, VersionFile,
};

const ACCOUNTS: &str = include_str!("mariadb/accounts.sql");
const OWN_PASSWORD: &str = include_str!("mariadb/own_password.sql");
const SURVEY: &str = include_str!("mariadb/survey.sql");
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
            reserved: &["mysql", "information_schema", "performance_schema", "sys", "test", "mydb_admin", "lost_found"],
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

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        // Over TCP, because the image's temporary server listens only on the socket during initialisation. Without the
        // packager's suffix: "10.11.14", not "10.11.14-MariaDB-0+deb12u1".
        let mut exec = session::administer(plan, "client --raw\n", &[]);
        exec.stdin = Some(SecretString::from("SELECT SUBSTRING_INDEX(VERSION(), '-', 1);\n"));
        exec
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Vec<ExecSpec> {
        let mut input = format!(
            "{}{}{}{ACCOUNTS}",
            text("name", plan.dbuser.as_str()),
            text("database", plan.dbname.as_str()),
            secret("password", password)
        );
        if plan.seed_password.is_some() {
            input.push_str(&secret("own", plan.admin_password));
            input.push_str(OWN_PASSWORD);
        }
        let mut exec = session::administer(plan, "client --raw\n", &[]);
        exec.stdin = Some(SecretString::from(input));
        vec![exec]
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

    fn snippets(&self, e: &Endpoint<'_>) -> Vec<Snippet> {
        let (host, port, db, user) = (e.host, e.port("mariadb"), e.dbname, e.dbuser);
        // The C library connects "localhost" to the socket of a server on the same machine and ignores the port.
        let not_the_socket = if host == "localhost" { "127.0.0.1" } else { host };
        vec![
            s(
                "mariadb",
                "mariadb",
                "sh",
                "Run in a terminal. It prompts for the password.",
                format!(
                    "mariadb --host={host} --port={port} --protocol=tcp --ssl --skip-ssl-verify-server-cert --user={user} --password {db}"
                ),
            ),
            s(
                "url",
                "URL",
                "url",
                "For programs that take a connection URL. Add the password after the user name, percent-encoded.",
                self.url(e, None),
            ),
            s(
                "python",
                "Python",
                "python",
                "Uses the package PyMySQL. Reads the password from the environment variable MYSQL_PWD.",
                format!(
                    "import os\nimport pymysql\n\nconnection = pymysql.connect(\n    host=\"{host}\", port={port}, user=\"{user}\", database=\"{db}\",\n    password=os.environ[\"MYSQL_PWD\"].encode(), charset=\"utf8mb4\",\n    ssl={{\"check_hostname\": False}},\n)\nwith connection.cursor() as cursor:\n    cursor.execute(\"select version()\")\n    print(cursor.fetchone()[0])\n"
                ),
            ),
            s(
                "sqlalchemy",
                "SQLAlchemy",
                "python",
                "Uses SQLAlchemy and PyMySQL. Reads the password from the environment variable MYSQL_PWD.",
                format!(
                    "import os\nfrom sqlalchemy import create_engine, text\n\nengine = create_engine(\n    \"mysql+pymysql://{user}@{host}:{port}/{db}?charset=utf8mb4\",\n    connect_args={{\"password\": os.environ[\"MYSQL_PWD\"].encode(), \"ssl\": {{\"check_hostname\": False}}}},\n)\nwith engine.connect() as connection:\n    print(connection.execute(text(\"select version()\")).scalar())\n"
                ),
            ),
            s(
                "r",
                "R",
                "r",
                "Uses the packages DBI and RMariaDB (or the older RMySQL). Reads the password from the environment \
                 variable MYSQL_PWD.",
                format!(
                    "library(DBI)\n\ndriver <- if (requireNamespace(\"RMariaDB\", quietly = TRUE)) RMariaDB::MariaDB() else RMySQL::MySQL()\nconnection <- dbConnect(\n  driver,\n  host = \"{not_the_socket}\", port = {port}, dbname = \"{db}\", user = \"{user}\",\n  password = Sys.getenv(\"MYSQL_PWD\")\n)\nprint(dbGetQuery(connection, \"select version()\"))\ndbDisconnect(connection)\n"
                ),
            ),
            s(
                "jdbc",
                "JDBC",
                "java",
                "For Java and for tools such as DBeaver. They prompt for the password.",
                format!("jdbc:mariadb://{host}:{port}/{db}?user={user}&sslMode=trust"),
            ),
        ]
    }

    fn password_variable(&self) -> &'static str {
        "MYSQL_PWD"
    }

    fn url(&self, e: &Endpoint<'_>, password: Option<&str>) -> String {
        let secret = password.map(|p| format!(":{}", url_encode(p))).unwrap_or_default();
        format!("mysql://{}{secret}@{}:{}/{}", url_encode(e.dbuser), e.host, e.port("mariadb"), url_encode(e.dbname))
    }

    fn encryption_note(&self) -> &'static str {
        "The terminal, Python, SQLAlchemy and JDBC examples use an encrypted connection. To verify the server's \
         certificate as well, use --ssl-ca=ca.pem --ssl-verify-server-cert in the terminal instead of \
         --skip-ssl-verify-server-cert, and ssl={\"ca\": \"ca.pem\"} in Python."
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
