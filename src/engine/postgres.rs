//! PostgreSQL, as the official image runs it (environment and paths: its documentation on the registry).

mod alone;
mod backup;
mod definitions;
mod quotes;

use secrecy::SecretString;

use super::connect::{Endpoint, Snippet, snippet as s, url_encode};
use super::plan::DIR;
use super::{
    Backup, Engine, EnginePort, ExecSpec, Extension, FileIn, Inside, Plan, Recipe, ServerCert, Tool, VersionFile,
};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{Bytes, MIB};

const ADMIN: &str = "db4sci_admin";
const PSQL: Tool = Tool { names: &["psql"] };
const ACCOUNTS: &str = include_str!("postgres/accounts.sql");
const SURVEY: &str = include_str!("postgres/survey.sh");

/// Extensions that come with every PostgreSQL and that a person may choose on the form.
const EXTENSIONS: &[Extension] = &[
    Extension { name: "pg_stat_statements", what: "which queries take the time" },
    Extension { name: "pg_trgm", what: "search for similar texts" },
    Extension { name: "citext", what: "text that ignores upper and lower case" },
    Extension { name: "hstore", what: "keys and values in a column" },
    Extension { name: "ltree", what: "paths in trees, such as taxonomies" },
    Extension { name: "intarray", what: "fast arrays of whole numbers" },
    Extension { name: "unaccent", what: "search without accents" },
    Extension { name: "fuzzystrmatch", what: "words that sound alike" },
    Extension { name: "tablefunc", what: "pivot tables" },
    Extension { name: "cube", what: "points and boxes in many dimensions" },
    Extension { name: "btree_gist", what: "ranges that must not overlap" },
    Extension { name: "pgcrypto", what: "hashes and encryption" },
    Extension { name: "uuid-ossp", what: "older ways to make UUIDs" },
];

/// The engine.
pub(super) struct Postgres;

impl Postgres {
    fn psql(plan: &Plan<'_>, extra: &[&str]) -> ExecSpec {
        let mut argv = vec!["psql".to_owned(), "-X".to_owned(), "-q".to_owned()];
        argv.extend(["-U", plan.admin_user, "-d", "postgres"].map(str::to_owned));
        argv.extend(extra.iter().map(|s| (*s).to_owned()));
        ExecSpec {
            argv,
            env: vec![("PGCLIENTENCODING".to_owned(), SecretString::from("UTF8")), programs(plan)],
            stdin: None,
            user: Some(plan.owner()),
        }
    }
}

/// Where programs are looked for: first where Debian has those of this version. What it has in the usual place is a script
/// that finds out which of several versions is meant, and takes several times as long as `psql` itself.
fn programs(plan: &Plan<'_>) -> (String, SecretString) {
    let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let path = format!("/usr/lib/postgresql/{}/bin:{usual}", plan.image.version);
    ("PATH".to_owned(), SecretString::from(path))
}

/// Memory settings from the container's limit: a quarter for shared buffers, and for each of the
/// 100 possible connections no more than fits beside them.
fn memory_conf(memory: Bytes) -> String {
    let mib = (memory.0 / MIB).max(64);
    format!(
        "shared_buffers = '{}MB'\neffective_cache_size = '{}MB'\nmaintenance_work_mem = '{}MB'\nwork_mem = '{}kB'\n",
        (mib / 4).max(16),
        mib * 6 / 10,
        (mib / 16).clamp(16, 2048),
        (mib * 1024 / 400).clamp(1024, 64 * 1024),
    )
}

impl Engine for Postgres {
    fn label(&self) -> &'static str {
        "PostgreSQL"
    }

    fn tagline(&self) -> &'static str {
        "Tables, SQL, JSON, geodata. The usual choice."
    }

    fn ports(&self) -> &'static [EnginePort] {
        &[EnginePort { purpose: "postgres", inside: Inside::Fixed(5432) }]
    }

    fn database_rules(&self) -> NameRules {
        NameRules {
            max_bytes: 63,
            reserved: &["postgres", "template0", "template1", "mydb_admin", "root", "user", "all", "public", "none"],
            reserved_prefixes: &["pg_", "db4sci_"],
        }
    }

    fn user_rules(&self) -> NameRules {
        self.database_rules()
    }

    fn extensions(&self) -> &'static [Extension] {
        EXTENSIONS
    }

    fn admin_user(&self) -> &'static str {
        ADMIN
    }

    fn tools(&self) -> &'static [Tool] {
        &[PSQL]
    }

    fn recipe(&self, plan: &Plan<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe {
        let image = plan.image;
        let mut files: Vec<FileIn> =
            config.iter().map(|(name, text)| plan.file(name, 0o644, text.replace("@DATA@", &image.data))).collect();
        files.extend([
            plan.file("memory.conf", 0o644, memory_conf(plan.memory)),
            plan.file("server.crt", 0o644, cert.cert.clone()),
            plan.file("server.key", 0o600, cert.key.clone()),
            plan.file("admin_password", 0o400, plan.admin_password.clone()),
        ]);
        Recipe {
            env: [
                ("POSTGRES_USER", plan.admin_user.to_owned()),
                ("POSTGRES_DB", "postgres".to_owned()),
                ("POSTGRES_PASSWORD_FILE", format!("{DIR}/admin_password")),
                ("POSTGRES_INITDB_ARGS", "--data-checksums --auth-host=scram-sha-256".to_owned()),
                ("PGDATA", image.data.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            cmd: ["postgres", "-c", &format!("config_file={DIR}/postgresql.conf")].map(str::to_owned).to_vec(),
            files,
            // SIGINT is Postgres's fast shutdown: it ends sessions and writes a clean checkpoint.
            stop_signal: "SIGINT",
            stop_seconds: 60,
            capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
            shm: Bytes((plan.memory.0 / 4).max(64 * MIB)),
            hosts: Vec::new(),
        }
    }

    fn probe(&self, plan: &Plan<'_>) -> ExecSpec {
        // Over TCP: while the image initialises, its temporary server listens on the socket only.
        let query = "select current_setting('server_version')";
        let mut probe = Self::psql(plan, &["-h", "127.0.0.1", "-At", "-c", query]);
        probe.env.push(("PGPASSWORD".to_owned(), plan.admin_secret()));
        probe.env.push(("PGCONNECT_TIMEOUT".to_owned(), SecretString::from("3")));
        probe
    }

    fn accounts(&self, plan: &Plan<'_>, password: &SecretString) -> Vec<ExecSpec> {
        let mut exec = Self::psql(plan, &["-f", "-"]);
        exec.stdin = Some(SecretString::from(ACCOUNTS));
        exec.env.extend([
            ("DB4SCI_USER".to_owned(), SecretString::from(plan.dbuser.as_str())),
            ("DB4SCI_DATABASE".to_owned(), SecretString::from(plan.dbname.as_str())),
            ("DB4SCI_USER_PASSWORD".to_owned(), password.clone()),
            ("DB4SCI_EXTENSIONS".to_owned(), SecretString::from(plan.extensions.join(" "))),
        ]);
        if plan.seed_password.is_some() {
            exec.env.push(("DB4SCI_OWN_PASSWORD".to_owned(), plan.admin_password.clone()));
        }
        vec![exec]
    }

    fn sessions(&self, plan: &Plan<'_>) -> ExecSpec {
        // The name keeps the rules of a name, so it needs no quoting.
        let query = format!(
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and usename = '{}'",
            plan.dbuser
        );
        Self::psql(plan, &["-At", "-c", &query])
    }

    fn survey(&self, plan: &Plan<'_>) -> ExecSpec {
        ExecSpec {
            argv: ["sh", "-c", SURVEY].map(str::to_owned).to_vec(),
            env: vec![
                ("PGCLIENTENCODING".to_owned(), SecretString::from("UTF8")),
                programs(plan),
                ("DB4SCI_ADMIN".to_owned(), SecretString::from(plan.admin_user)),
            ],
            stdin: None,
            user: Some(plan.owner()),
        }
    }

    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile> {
        let inside = image.data.strip_prefix(&image.volume).unwrap_or_default().trim_matches('/');
        let file = if inside.is_empty() { "PG_VERSION".to_owned() } else { format!("{inside}/PG_VERSION") };
        Some(VersionFile { files: vec![file], version: image.version.clone() })
    }

    fn backup(&self) -> Option<&'static dyn Backup> {
        Some(&Postgres)
    }

    fn snippets(&self, e: &Endpoint<'_>) -> Vec<Snippet> {
        let (host, port, db, user) = (e.host, e.port("postgres"), e.dbname, e.dbuser);
        vec![
            s(
                "psql",
                "psql",
                "sh",
                "Paste it into a terminal. It asks for the password.",
                format!("psql \"host={host} port={port} dbname={db} user={user} sslmode=require\""),
            ),
            s(
                "url",
                "URL",
                "url",
                "For tools that take one address. Put the password after the user name: user:password@host.",
                self.url(e, None),
            ),
            s(
                "python",
                "Python",
                "python",
                "With psycopg 3. The password comes from the variable PGPASSWORD, so that it is in no script.",
                format!(
                    "import psycopg\n\nwith psycopg.connect(\n    host=\"{host}\", port={port}, dbname=\"{db}\", user=\"{user}\", sslmode=\"require\",\n) as connection:\n    print(connection.execute(\"select version()\").fetchone()[0])\n"
                ),
            ),
            s(
                "sqlalchemy",
                "SQLAlchemy",
                "python",
                "The password comes from the variable PGPASSWORD.",
                format!(
                    "from sqlalchemy import create_engine, text\n\nengine = create_engine(\"postgresql://{user}@{host}:{port}/{db}?sslmode=require\")\nwith engine.connect() as connection:\n    print(connection.execute(text(\"select version()\")).scalar())\n"
                ),
            ),
            s(
                "r",
                "R",
                "r",
                "With the packages DBI and RPostgres (or the older RPostgreSQL). The password comes from the variable PGPASSWORD.",
                format!(
                    "library(DBI)\n\ndriver <- if (requireNamespace(\"RPostgres\", quietly = TRUE)) RPostgres::Postgres() else RPostgreSQL::PostgreSQL()\nconnection <- dbConnect(\n  driver,\n  host = \"{host}\", port = {port}, dbname = \"{db}\", user = \"{user}\",\n  password = Sys.getenv(\"PGPASSWORD\")\n)\nprint(dbGetQuery(connection, \"select version()\"))\ndbDisconnect(connection)\n"
                ),
            ),
            s(
                "jdbc",
                "JDBC",
                "java",
                "For Java and for tools such as DBeaver. They ask for the password themselves.",
                format!("jdbc:postgresql://{host}:{port}/{db}?user={user}&sslmode=require"),
            ),
        ]
    }

    fn password_variable(&self) -> &'static str {
        "PGPASSWORD"
    }

    fn url(&self, e: &Endpoint<'_>, password: Option<&str>) -> String {
        let secret = password.map(|p| format!(":{}", url_encode(p))).unwrap_or_default();
        format!(
            "postgresql://{}{secret}@{}:{}/{}?sslmode=require",
            url_encode(e.dbuser),
            e.host,
            e.port("postgres"),
            url_encode(e.dbname)
        )
    }

    fn encryption_note(&self) -> &'static str {
        "The connection is encrypted. To check the server's certificate too, write \
         sslmode=verify-full sslrootcert=ca.pem instead of sslmode=require."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{described, no_secret_shows, whole};

    const IMAGE: &str = "docker.io/library/postgres:18";

    #[test]
    fn the_whole_description() {
        described(&Postgres, IMAGE, |plan| insta::assert_debug_snapshot!(whole(&Postgres, plan)));
    }

    #[test]
    fn no_secret_is_an_argument_or_printed() {
        described(&Postgres, IMAGE, |plan| no_secret_shows(&Postgres, plan));
    }

    #[test]
    fn a_url_survives_every_printable_character() {
        let ports = [("postgres".to_owned(), 41001)];
        let e = Endpoint { host: "db.example.org", ports: &ports, dbname: "trial", dbuser: "ada" };
        insta::assert_snapshot!(Postgres.url(&e, Some("a@b:c/d%e f'\"\\$🐘")));
    }
}
