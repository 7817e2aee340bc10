//! What the portal costs the host for each idle database: the processor time of the whole host beside a running portal,
//! less that beside the same containers alone, plus one scan, which an idle server gets every hour.
//!
//! `DB4SCI_BENCH_IDLE_SECONDS` is the length of a measurement (300, the time between two passes over all servers).

use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;

use super::process::{Process, Sweep, free_port, start};
use super::support::{self, Client};
use super::table::{Bar, Table};

/// Databases of each engine.
const DATABASES: usize = 20;
/// Time after the last change before a measurement begins.
const SETTLE: Duration = Duration::from_secs(30);
/// Longest time until all databases run, or have been scanned.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Processor seconds allowed for each database and hour.
const MOST: f64 = 5.0;

const IMAGES: [(EngineKind, &str, &str); 4] = [
    (EngineKind::Postgres, "docker.io/library/postgres:17", "PostgreSQL 17"),
    (EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "MariaDB 11.8"),
    (EngineKind::Mongodb, "docker.io/library/mongo:6.0", "MongoDB 6.0"),
    (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "Neo4j 5.26"),
];

/// Processor seconds that this host has used since it started, for whatever purpose.
fn host_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("the host's counters");
    let line = stat.lines().next().expect("the line of all processors");
    let ticks: Vec<f64> = line.split_whitespace().skip(1).map(|n| n.parse().expect("a number")).collect();
    // user, nice, system, irq and softirq; not idle, iowait, or what other machines on the same hardware used.
    [0, 1, 2, 5, 6].iter().filter_map(|i| ticks.get(*i)).sum::<f64>() / 100.0
}

/// Processor seconds of the host in an hour, by a measurement over `length`.
async fn per_hour(length: Duration) -> f64 {
    tokio::time::sleep(SETTLE).await;
    let (before, begin) = (host_seconds(), Instant::now());
    tokio::time::sleep(length).await;
    (host_seconds() - before) / begin.elapsed().as_secs_f64() * 3600.0
}

/// A portal in its own process, which can be stopped and started again.
struct Place {
    sweep: Sweep,
    url: String,
    port: u16,
    tables: tokio_postgres::Client,
}

impl Place {
    async fn open() -> Self {
        let (config, url) = support::portal::configuration(support::Tables::Shared);
        let (tables, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("mydb_admin answers");
        tokio::spawn(connection);
        Self { sweep: Sweep(config), url, port: free_port(), tables }
    }

    async fn start(&self) -> Process {
        let config = &self.sweep.0;
        let (first, last) = (config.databases.ports.start(), config.databases.ports.end());
        let more = [
            ("DB4SCI__CATALOG", config.catalog.display().to_string()),
            ("DB4SCI__DATABASES__PORT_MIN", first.to_string()),
            ("DB4SCI__DATABASES__PORT_MAX", last.to_string()),
        ];
        start(config, &self.url, self.port, &more).await.0
    }

    async fn count(&self, what: &str) -> usize {
        let row = self.tables.query_one(&format!("select count(*) from {what}"), &[]).await.expect("a count");
        usize::try_from(row.get::<_, i64>(0)).expect("a small number")
    }

    /// Waits until the count equals the number of databases.
    async fn wait(&self, what: &str) {
        let begin = Instant::now();
        while self.count(what).await < DATABASES {
            assert!(begin.elapsed() < PATIENCE, "20 rows in time of: {what}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

pub async fn measure(table: &mut Table, wanted: &dyn Fn(&str) -> bool) {
    let length = support::portal::environment("DB4SCI_BENCH_IDLE_SECONDS").ok().and_then(|s| s.parse().ok());
    let length = Duration::from_secs(length.unwrap_or(300));
    for (engine, image, label) in IMAGES {
        if wanted(engine.as_str()) {
            one_engine(table, length, (engine, image, label)).await;
        }
    }
}

async fn one_engine(table: &mut Table, length: Duration, (engine, image, label): (EngineKind, &str, &str)) {
    let place = Place::open().await;
    let process = place.start().await;
    let client = Client::nobody(&format!("https://localhost:{}", place.port));
    client.sign_in("admin", support::portal::ADMIN_PASSWORD).await;
    let empty = if engine == EngineKind::Postgres { Some(per_hour(length).await) } else { None };
    let (word, fixed) = (engine.to_string(), engine.engine().fixed_names());
    let mut fields = vec![("engine", word.as_str()), ("image", image)];
    if fixed.is_some() {
        fields.extend([("dbname", ""), ("dbuser", "")]);
    }
    for n in 0..DATABASES {
        client.submit_create(&format!("idle-{n}"), &fields).await.expect(303);
    }
    place.wait("state where state = 'running'").await;
    place.wait("survey where error is null").await;
    // The second pass finds them idle: connections of the first scan have been closed by then.
    let with = per_hour(length).await;
    drop(process);
    let without = per_hour(length).await;

    // After a start, everything is scanned once.
    let due = "update schedule set next_run = now() where name = 'survey' returning next_run::text";
    let since: String = place.tables.query_one(due, &[]).await.expect("a scan is due").get(0);
    let (before, begin) = (host_seconds(), Instant::now());
    let process = place.start().await;
    place.wait(&format!("survey where error is null and at > '{since}'")).await;
    let idle = without / 3600.0 * begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let databases = DATABASES as f64;
    let scan = (host_seconds() - before - idle) / databases;
    drop(process);

    if let Some(empty) = empty {
        table.add("the host beside a portal without databases, processor time per hour", empty, "s", &Bar::None);
    }
    table.add(format!("{label}: one scan, processor time"), scan, "s", &Bar::None);
    table.add(format!("{label}: an idle server alone, per hour"), without / databases, "s", &Bar::None);
    let added = (with - without) / databases + scan;
    table.add(format!("{label}: what the portal adds per idle database and hour"), added, "s", &Bar::Most(MOST));
}
