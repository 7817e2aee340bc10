//! PostgreSQL in the official image. Environment and paths are those of the image's documentation on the registry.

mod backup;
mod check_records;
mod definitions;
pub(crate) mod partial;
pub mod psql;
mod quotes;
pub mod server_record;
mod session;
mod snippets;
mod statements;
mod verifier;

use secrecy::SecretString;

use super::connect::{Endpoint, Snippet, Tls, url_encode};
use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::backup::EngineBackup;
use crate::engine::description::Engine;
use crate::engine::online_copy;
use crate::engine::postgres::session::EXTENSIONS;
use crate::engine::postgres::verifier::verifier;
use crate::engine::spec::{
    DIR, EnginePort, ExecSpec, Extension, InjectedFile, InnerPort, Recipe, ServerCert, ServerSpec, Stdin, Tool,
    VersionFile,
};

const ADMIN: &str = "db4sci_admin";
const PSQL: Tool = Tool { names: &["psql"] };
/// Creates the empty database that the owner of a server started in advance gets. Its users cannot choose this name.
const WARM_UP: &str = "administer postgres -c 'CREATE DATABASE db4sci_warm_up'\n";
const ACCOUNTS: &str = include_str!("postgres/administer/accounts.sh");
const ONLINE_COPY: &str = include_str!("postgres/administer/online_copy.sh");
const EACH_DATABASE: &str = include_str!("postgres/administer/each_database.sh");
const TO_CUT_OFF: &str = include_str!("postgres/administer/to_cut_off.sh");
const CUT_OFF: &str = include_str!("postgres/administer/cut_off.sh");
const SURVEY: &str = include_str!("postgres/observe/survey.sh");
const SESSION: &str = concat!(include_str!("postgres/session.sh"), include_str!("backup/scratch.sh"));
const OBSERVER: &str = include_str!("postgres/administer/observer.sql");
const SESSIONS: &str = include_str!("postgres/observe/count_sessions.sql");

/// The engine.
pub(super) struct Postgres;

/// A script for `sh` in the container, preceded by [`SESSION`]. It connects as the observer, except where it requests
/// the administrator.
fn script(plan: &ServerSpec<'_>, text: &str, env: &[(&str, &str)]) -> ExecSpec {
    let mut all = session::environment(plan);
    all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))));
    let argv = vec!["sh".to_owned(), "-c".to_owned(), format!("set -eu\n{SESSION}{text}")];
    ExecSpec { argv, env: all, stdin: Stdin::Closed, user: Some(plan.owner()) }
}

/// Creates or corrects the observer role before these lines of a script.
fn observed(text: &str) -> String {
    format!("administer postgres -f - <<'SQL'\n{OBSERVER}SQL\n{text}")
}

/// Parses the server-wide records of a backup.
pub(super) fn records(older: bool, text: &[u8]) -> Result<Vec<u8>, String> {
    check_records::read(older, text, ADMIN)
}

/// Memory settings derived from the container's limit: a quarter for shared buffers, and for each of the 100 possible
/// connections no more than fits into the rest.
fn memory_conf(memory: ByteSize) -> String {
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
        "Tables, SQL, JSON. The usual choice."
    }

    fn ports(&self) -> &'static [EnginePort] {
        &[EnginePort { purpose: "postgres", inside: InnerPort::Fixed(5432) }]
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
        &EXTENSIONS
    }

    fn admin_user(&self) -> &'static str {
        ADMIN
    }

    fn tools(&self) -> &'static [Tool] {
        &[PSQL]
    }

    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe {
        let image = plan.image;
        let mut files: Vec<InjectedFile> =
            config.iter().map(|(name, text)| plan.file(name, 0o644, text.replace("@DATA@", &image.data))).collect();
        files.extend([
            plan.file("memory.conf", 0o644, memory_conf(plan.memory)),
            plan.file("server.crt", 0o644, cert.cert.clone()),
            plan.file("server.key", 0o600, cert.key.clone()),
            plan.file("admin_password", 0o400, plan.admin_password.clone()),
            // For people who are root on the host: `docker exec … psql -U db4sci_admin` prompts for no password.
            InjectedFile {
                path: "/root/.pgpass".to_owned(),
                mode: 0o600,
                uid: 0,
                gid: 0,
                content: session::passfile(plan).into(),
            },
        ]);
        Recipe {
            env: [
                ("POSTGRES_USER", plan.admin_user.to_owned()),
                ("POSTGRES_DB", "postgres".to_owned()),
                ("POSTGRES_PASSWORD_FILE", format!("{DIR}/admin_password")),
                (
                    "POSTGRES_INITDB_ARGS",
                    "--data-checksums --auth-host=scram-sha-256 --auth-local=scram-sha-256".to_owned(),
                ),
                ("PGDATA", image.data.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            cmd: ["postgres", "-c", &format!("config_file={DIR}/postgresql.conf")].map(str::to_owned).to_vec(),
            files,
            // SIGINT requests PostgreSQL's fast shutdown, which ends sessions and writes a clean checkpoint.
            stop_signal: "SIGINT",
            stop_seconds: 60,
            capabilities: &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
            // Parallel queries share their hash tables here. It counts towards the container's memory: with a larger
            // size, the kernel could kill the server instead of a query being refused.
            shm: ByteSize((plan.memory.0 / 4 * 3).max(64 * MIB)),
            hosts: Vec::new(),
        }
    }

    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        // Over TCP, because the image's temporary server listens only on the socket during initialisation.
        let query = "select current_setting('server_version')";
        let argv = ["psql", "-X", "-q", "-h", "127.0.0.1", "-At", "-c", query].map(str::to_owned).to_vec();
        let mut env = session::environment(plan);
        env.retain(|(name, _)| !matches!(name.as_str(), "PGUSER" | "PGPASSWORD" | "PGOPTIONS"));
        env.extend([
            ("PGOPTIONS".to_owned(), SecretString::from(session::administrator_options(plan))),
            ("PGUSER".to_owned(), SecretString::from(plan.admin_user)),
            ("PGPASSWORD".to_owned(), plan.admin_secret()),
            ("PGDATABASE".to_owned(), SecretString::from("postgres")),
            ("PGCONNECT_TIMEOUT".to_owned(), SecretString::from("3")),
        ]);
        ExecSpec { argv, env, stdin: Stdin::Closed, user: Some(plan.owner()) }
    }

    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString, is_new: bool) -> Vec<ExecSpec> {
        let text = ACCOUNTS.replace("@OBSERVER@", OBSERVER);
        let mut exec = script(plan, &text, &[]);
        exec.env.extend([
            ("DB4SCI_DATABASE".to_owned(), SecretString::from(plan.dbname.as_str())),
            ("DB4SCI_USER_PASSWORD".to_owned(), password.clone()),
            ("DB4SCI_USER_VERIFIER".to_owned(), verifier(plan, password)),
            ("DB4SCI_EXTENSIONS".to_owned(), SecretString::from(plan.extensions.join(" "))),
            ("DB4SCI_NEW".to_owned(), SecretString::from(if is_new { "1" } else { "" })),
        ]);
        if plan.seed_password.is_some() {
            exec.env.push(("DB4SCI_OWN_PASSWORD".to_owned(), plan.admin_password.clone()));
            exec.env.push(("DB4SCI_OWN_VERIFIER".to_owned(), verifier(plan, plan.admin_password)));
        }
        vec![exec]
    }

    fn warm_up(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        vec![script(plan, WARM_UP, &[])]
    }

    fn flush(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        Some(script(plan, "administer postgres -c CHECKPOINT\n", &[]))
    }

    fn copy_online(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        let inside = plan.image.data.strip_prefix(&plan.image.volume).unwrap_or_default();
        let env = [
            ("PGHOST", SecretString::from("127.0.0.1")),
            ("PGUSER", SecretString::from(plan.admin_user)),
            ("PGPASSWORD", plan.admin_secret()),
            ("DB4SCI_INSIDE", SecretString::from(inside)),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into_iter().chain([session::programs(plan)]);
        vec![online_copy::script(plan, ONLINE_COPY, env.collect())]
    }

    fn to_cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        vec![script(plan, &[EACH_DATABASE, TO_CUT_OFF].concat(), &[])]
    }

    fn cut_off(&self, plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        vec![script(plan, &[EACH_DATABASE, CUT_OFF].concat(), &[])]
    }

    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        let text = observed(&format!("ask postgres -f - <<'SQL'\n{SESSIONS}SQL\n"));
        script(plan, &text, &[])
    }

    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        script(plan, &observed(SURVEY), &[])
    }

    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile> {
        let inside = image.data.strip_prefix(&image.volume).unwrap_or_default().trim_matches('/');
        let file = if inside.is_empty() { "PG_VERSION".to_owned() } else { format!("{inside}/PG_VERSION") };
        Some(VersionFile { files: vec![file], version: image.version.clone() })
    }

    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        Some(&Postgres)
    }

    fn snippets(&self, e: &Endpoint<'_>, tls: Tls<'_>) -> Vec<Snippet> {
        snippets::snippets(e, tls, &self.tls_url(e, tls, None))
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

    fn tls_url(&self, e: &Endpoint<'_>, tls: Tls<'_>, password: Option<&str>) -> String {
        // The options are the end of the URL; a password cannot contain them, because it is encoded.
        self.url(e, password).replace("sslmode=require", snippets::options(tls))
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
