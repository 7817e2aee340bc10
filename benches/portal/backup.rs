//! Compares backup and restore by the portal with the same work by hand, alternately and with the same store:
//! `pg_dump | zstd | put` and `get | zstd -d | pg_restore`. The portal is the real program in its own process. The
//! benchmark's process serves the store, so that the store's costs do not count as the portal's.
//!
//! `DB4SCI_BENCH_MB` is the size of a dump (1024), `DB4SCI_BENCH_STREAM_MB` the size of the dump that is only streamed
//! (8192).

use std::process::Command;
use std::time::{Duration, Instant};

use mydb::config::{Config, Target};
use mydb::objects::embedded::EmbeddedStore;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::backup_data::{self, Kind};
use super::process::{Peak, Process, Sweep, free_port, processor_seconds, resident, start};
use super::support::{self, Client, docker::docker};
use super::table::{Bar, Table, quantile};

/// Number of runs of each; the median counts.
const ROUNDS: usize = 3;
/// Level and threads of compression, for the portal and by hand.
const LEVEL: &str = "3";
const THREADS: &str = "2";
/// Limits of every measured server, for the portal and by hand.
const MEMORY: &str = "1g";
const CPUS: &str = "2";
/// The longest time that anything may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// A size from the environment, in MiB.
fn size(name: &str, otherwise: u64) -> u64 {
    support::portal::environment(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A portal in its own process, with a store in the benchmark's process.
struct Place {
    process: Process,
    instance: String,
    target: Target,
    tables: tokio_postgres::Client,
    ada: Client,
    _sweep: Sweep,
    _serving: tokio_util::sync::DropGuard,
}

impl Place {
    /// The engine's name for the container of a database.
    async fn container(&self, name: &str) -> String {
        let row = self.tables.query_one(&support::portal::container_of(name), &[]).await;
        row.expect("mydb_admin answers").get(0)
    }

    async fn open() -> Self {
        let (config, url) = support::portal::configuration(support::Tables::Shared);
        let sweep = Sweep(config.clone());
        let stop = CancellationToken::new();
        let (target, server) = store(&config);
        tokio::spawn(server.serve(stop.clone()));
        let home = home(&config, &target);
        let port = free_port();
        let (first, last) = (config.databases.ports.start(), config.databases.ports.end());
        let more = [
            ("DB4SCI_HOME", home.display().to_string()),
            ("DB4SCI__CATALOG", config.catalog.display().to_string()),
            ("DB4SCI__DATABASES__PORT_MIN", first.to_string()),
            ("DB4SCI__DATABASES__PORT_MAX", last.to_string()),
            ("DB4SCI__BACKUPS__ADMIN_DB_SECONDS", "0".to_owned()),
            ("DB4SCI__BACKUPS__LEVEL", LEVEL.to_owned()),
            ("DB4SCI__BACKUPS__THREADS", THREADS.to_owned()),
        ];
        let (process, _) = start(&config, &url, port, &more).await;
        let base = format!("https://localhost:{port}");
        let admin = Client::nobody(&base);
        admin.sign_in("admin", support::portal::ADMIN_PASSWORD).await;
        let fields = [("username", "ada"), ("password", "researcher-1"), ("role", "user"), ("email", "")];
        admin.post("/admin/users", &fields).await.expect(303);
        let ada = Client::nobody(&base);
        ada.sign_in("ada", "researcher-1").await;
        let (tables, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("mydb_admin answers");
        tokio::spawn(connection);
        let instance = config.instance.to_string();
        Self { process, instance, target, tables, ada, _sweep: sweep, _serving: stop.drop_guard() }
    }

    /// The first value of a row, as text.
    async fn ask(&self, statement: &str) -> String {
        let rows = self.tables.simple_query(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        let row = rows.iter().find_map(|m| match m {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.unwrap_or_default()
    }

    /// Waits until this many jobs of a kind have succeeded and none is left.
    async fn ended(&self, kind: &str, count: usize) {
        let begin = Instant::now();
        loop {
            let said = self
                .ask(&format!(
                    "select string_agg(status || ' ' || coalesce(error, ''), '|' order by created_at) from job where kind = '{kind}'"
                ))
                .await;
            let all: Vec<&str> = said.split('|').filter(|s| !s.is_empty()).collect();
            assert!(!said.contains("failed"), "{kind}: {said}");
            if all.len() >= count && all.iter().all(|s| s.starts_with("succeeded")) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{kind} ends: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Backs up a database from the button to the completed backup; returns the seconds and the id of the backup.
    async fn back_up(&self, name: &str) -> (f64, String) {
        let jobs = "select count(*) from job where kind = 'backup'";
        let before: usize = self.ask(jobs).await.parse().expect("a number");
        let begin = Instant::now();
        self.ada.post(&format!("/containers/{name}/backup"), &[]).await.expect(303);
        self.ended("backup", before + 1).await;
        let took = begin.elapsed().as_secs_f64();
        let newest =
            "select id from backup_log where kind = 'backup' and status = 'succeeded' order by started_at desc limit 1";
        (took, self.ask(newest).await)
    }

    /// Restores from the form to the finished new database, then stops it; returns the seconds of the restore.
    async fn restore(&self, name: &str, backup: &str, new: &str) -> f64 {
        let jobs = "select count(*) from job where kind = 'restore'";
        let before: usize = self.ask(jobs).await.parse().expect("a number");
        let begin = Instant::now();
        self.ada.post(&format!("/containers/{name}/backups/{backup}/restore"), &[("name", new)]).await.expect(303);
        self.ended("restore", before + 1).await;
        let took = begin.elapsed().as_secs_f64();
        self.ada.post(&format!("/containers/{new}/stop"), &[]).await;
        self.ada.wait_for(new, "stopped").await;
        took
    }

    /// Runs a pipeline of commands as a person would, with the keys of the store; returns the seconds.
    async fn by_hand(&self, pipe: &str) -> f64 {
        let key = self.target.access_key_id.clone().expect("it has keys");
        let secret = self.target.secret_access_key.clone().expect("it has keys");
        let endpoint = self.target.endpoint.clone().expect("it is bound");
        let bucket = self.target.bucket.clone();
        let script = format!("set -euo pipefail\n{pipe}\n");
        tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            let said = Command::new("bash")
                .args(["-c", &script])
                .env("AWS_ACCESS_KEY_ID", key)
                .env("AWS_SECRET_ACCESS_KEY", secret.expose_secret())
                .env("AWS_DEFAULT_REGION", "us-east-1")
                .env("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
                .env("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
                .env("ENDPOINT", endpoint)
                .env("BUCKET", bucket)
                .output()
                .expect("bash starts");
            let took = begin.elapsed().as_secs_f64();
            assert!(said.status.success(), "{script}\n{}", String::from_utf8_lossy(&said.stderr));
            took
        })
        .await
        .expect("it ends")
    }
}

/// A store in this process, and the target through which the portal reaches it.
fn store(config: &Config) -> (Target, EmbeddedStore) {
    let dev = Config::load_mode(mydb::config::Mode::Dev, &config.home, &[]).expect("dev mode is sound");
    let mut target = dev.targets.into_iter().next().expect("dev mode has a target");
    target.embedded = None;
    let server = EmbeddedStore::bind(&config.data_dir.join("objects"), &mut target).expect("a store");
    (target, server)
}

/// A directory with the settings that cannot be set by environment variables.
fn home(config: &Config, target: &Target) -> std::path::PathBuf {
    let home = config.data_dir.join("home");
    std::fs::create_dir_all(home.join("dev")).expect("a home");
    let secret = target.secret_access_key.as_ref().expect("it has keys").expose_secret();
    let images: Vec<_> = config.images.replace.iter().map(|(from, to)| format!("\"{from}\" = \"{to}\"\n")).collect();
    let settings = format!(
        "[[storage]]\nname = \"standard\"\npath = \"{}\"\n[[target]]\nname = \"bench\"\nbucket = \"{}\"\nendpoint = \"{}\"\n\
         path_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{secret}\"\n[images.replace]\n{}",
        config.storage.first().expect("a tier").path.display(),
        target.bucket,
        target.endpoint.as_deref().unwrap_or_default(),
        target.access_key_id.as_deref().unwrap_or_default(),
        images.concat()
    );
    std::fs::write(home.join("dev/config.toml"), settings).expect("settings");
    home
}

/// Measures the backups of one engine; returns the id of the last backup.
async fn backups(table: &mut Table, place: &Place, kind: Kind, mib: u64) -> String {
    let (name, label) = (kind.name(), kind.label());
    place
        .ada
        .create(name, &[("image", kind.image()), ("engine", kind.word()), ("memory", MEMORY), ("cpus", CPUS)])
        .await;
    let container = place.container(name).await;
    eprintln!("filling {label} with {mib} MiB …");
    backup_data::fill(&container, kind, mib);
    let id = place.process.id();
    tokio::time::sleep(Duration::from_secs(5)).await;

    let idle = resident(id);
    let peak = Peak::of(id);
    let (first, _) = place.back_up(name).await;
    let more = peak.done() - idle;
    table.add(
        format!("{label}: first backup, with checksums of the content for its test restore"),
        first,
        "s",
        &Bar::None,
    );
    place.ended("drill", if kind == Kind::Postgres { 1 } else { 2 }).await;

    let pipe = format!("{} | zstd -q -{LEVEL} -T{THREADS} | {}", kind.dump(&container), put("by-hand"));
    let (mut ours, mut theirs, mut processor, mut last) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    for _ in 0..ROUNDS {
        theirs.push(place.by_hand(&pipe).await);
        let before = processor_seconds(id);
        let (took, backup) = place.back_up(name).await;
        processor.push(processor_seconds(id) - before);
        ours.push(took);
        last = backup;
    }
    let raw: f64 =
        place.ask(&format!("select raw_bytes from backup_log where id = '{last}'")).await.parse().expect("a number");
    let stored: f64 =
        place.ask(&format!("select bytes from backup_log where id = '{last}'")).await.parse().expect("a number");
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    table.add(format!("{label}: size of the dump"), raw / 1_048_576.0, "MiB", &Bar::None);
    table.add(format!("{label}: size of the dump / stored size"), raw / stored, "", &Bar::None);
    table.add(format!("{label}: dump | zstd | put by hand, median of {ROUNDS}"), theirs, "s", &Bar::None);
    table.add(format!("{label}: backup by the portal, verified to level 2, median of {ROUNDS}"), ours, "s", &Bar::None);
    table.add(format!("{label}: ratio of these"), ours / theirs, "", &Bar::Most(1.10));
    table.add(format!("{label}: the portal's memory in the first backup, above idle"), more, "MiB", &Bar::Most(48.0));
    let per_gib = quantile(&mut processor, 0.5) / (raw / 1_073_741_824.0);
    table.add(format!("{label}: processor time of the portal per GiB of dump"), per_gib, "s", &Bar::None);
    last
}

/// The command that stores standard input as an object of this name.
fn put(object: &str) -> String {
    format!("aws --endpoint-url \"$ENDPOINT\" s3 cp --only-show-errors - \"s3://$BUCKET/{object}\"")
}

/// Measures restores into new containers, by hand and by the portal.
async fn restores(table: &mut Table, place: &Place, kind: Kind, backup: &str) {
    let (name, label) = (kind.name(), kind.label());
    let image = docker(&["inspect", "-f", "{{.Image}}", &place.container(name).await]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let hand = format!("{}-hand-{name}-{round}", place.instance);
        let run = format!(
            "docker run -d --name {hand} --label db4sci.instance={} -m {MEMORY} --cpus {CPUS} {} {image} >/dev/null\n{}\n\
             aws --endpoint-url \"$ENDPOINT\" s3 cp --only-show-errors \"s3://$BUCKET/by-hand\" - | zstd -q -d | {}",
            place.instance,
            kind.made(),
            kind.wait(&hand),
            kind.restore(&hand)
        );
        theirs.push(place.by_hand(&run).await);
        docker(&["rm", "-fv", &hand]);
        ours.push(place.restore(name, backup, &format!("{name}-again-{round}")).await);
    }
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    table.add(format!("{label}: run | get | zstd -d | restore by hand, median of {ROUNDS}"), theirs, "s", &Bar::None);
    table.add(format!("{label}: restore by the portal, with comparison, median of {ROUNDS}"), ours, "s", &Bar::None);
    table.add(format!("{label}: ratio of these "), ours / theirs, "", &Bar::Most(1.10));
}

/// Measures how much memory the portal needs to stream a large dump, from data that is small on disk.
async fn stream(table: &mut Table, place: &Place, mib: u64) {
    place.ada.create("stream", &[("memory", MEMORY), ("cpus", CPUS)]).await;
    backup_data::fill_wide(&place.container("stream").await, mib);
    let id = place.process.id();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (idle, peak) = (resident(id), Peak::of(id));
    let (took, backup) = place.back_up("stream").await;
    let more = peak.done() - idle;
    let raw: f64 =
        place.ask(&format!("select raw_bytes from backup_log where id = '{backup}'")).await.parse().expect("a number");
    table.add("long stream: size", raw / 1_048_576.0, "MiB", &Bar::None);
    table.add("long stream: backup by the portal", took, "s", &Bar::None);
    table.add("long stream: the portal's memory, above idle", more, "MiB", &Bar::Most(48.0));
}

pub async fn measure(table: &mut Table) {
    let (mib, long) = (size("DB4SCI_BENCH_MB", 1024), size("DB4SCI_BENCH_STREAM_MB", 8192));
    let place = Place::open().await;
    table.add("portal before any backup, resident", resident(place.process.id()), "MiB", &Bar::None);
    let backup = backups(table, &place, Kind::Postgres, mib).await;
    restores(table, &place, Kind::Postgres, &backup).await;
    let backup = backups(table, &place, Kind::Mariadb, mib).await;
    restores(table, &place, Kind::Mariadb, &backup).await;
    stream(table, &place, long).await;
}
