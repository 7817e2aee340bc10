//! Fault injection: whatever is killed, stopped, removed or filled up, nothing is lost or left half-done.

mod admin_db;
mod binary;
mod by_hand;
mod clock;
mod dying;
mod engine;
mod engine_away;
mod full;
mod held;
mod images;
mod killed;
mod killed_backups;
mod slow;
mod stopping;
mod two_portals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::seeds::directories;
use crate::support::{TestPortal, admin_db::psql, docker};

/// Where a portal's things are, however it is run.
struct Place {
    instance: String,
    tables: String,
    tier: PathBuf,
}

impl Place {
    fn of(portal: &TestPortal) -> Self {
        let tier = portal.dir.join("tiers/standard");
        Self { instance: portal.instance.clone(), tables: portal.tables_url(), tier }
    }

    fn sql(&self, statement: &str) -> String {
        psql(&self.tables, statement).unwrap_or_else(|| panic!("this runs: {statement}"))
    }

    /// The directories of databases, those that wait for their removal among them.
    fn directories(&self) -> BTreeSet<String> {
        let paths = directories(&self.tier.join(&self.instance)).into_iter();
        paths.filter_map(|p| p.file_name().map(|n| n.to_string_lossy().into_owned())).collect()
    }

    /// The databases' containers in the engine.
    fn containers(&self) -> Vec<String> {
        let admin = format!("{}-mydb_admin", self.instance);
        let mut names = docker::containers(&self.instance);
        names.retain(|n| *n != admin);
        names.sort();
        names
    }

    /// Waits until no job waits or runs, for as long as there is progress: many jobs on a busy machine take their time.
    async fn settled(&self) {
        let open = "select count(*) from job where status in ('queued', 'running')";
        let done = "select count(*) from job_step where status in ('done', 'failed', 'undone')";
        let (mut before, mut since) = (String::new(), Instant::now());
        while self.sql(open) != "0" {
            let now = self.sql(done);
            if now != before {
                (before, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < Duration::from_secs(60), "for a minute no job went on: {}", self.open_jobs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The jobs that have not ended, and what they are at.
    fn open_jobs(&self) -> String {
        self.sql(
            "select j.kind, c.name, j.status, j.attempt, j.worker, j.lease_until - now(), j.run_at - now(), j.error, s.name, s.status, s.detail
               from job j left join container c on c.id = j.container_id
               left join job_step s on s.job_id = j.id and s.status <> 'done'
              where j.status in ('queued', 'running') order by j.created_at, s.seq",
        )
    }

    /// What must be so whenever no job is under way: the rows are true, each database that runs has exactly one container
    /// and lets its user in, nothing else is in the engine or on the disk, and every step is done, failed or taken back.
    async fn all_is_right(&self) {
        self.settled().await;
        let rows = self.sql(
            "select c.id, name, state, started_at is not null, coalesce(failed_reason, ''), port from container c
               join state s on s.container_id = c.id join port p on p.container_id = c.id
              where purged_at is null order by name",
        );
        let (mut directories, mut containers) = (BTreeSet::new(), Vec::new());
        let mut ports = BTreeMap::new();
        for row in rows.lines().filter(|r| r.split('|').count() >= 6) {
            let [id, name, state, ran, reason, port] = row.splitn(6, '|').collect::<Vec<_>>()[..] else {
                unreachable!()
            };
            match state {
                "running" => {
                    containers.push(format!("{}-{name}", self.instance));
                    ports.insert(name.to_owned(), port.parse::<u16>().expect("a port"));
                }
                "trashed" => {}
                "failed" => assert!(!reason.is_empty() && ran == "f", "{row}: it says why, and was never handed over"),
                _ => panic!("{row}: no state to stay in"),
            }
            if ran == "t" {
                directories.insert(id.to_owned());
            }
        }
        assert_eq!(self.containers(), containers, "{rows}");
        assert_eq!(self.directories(), directories, "{rows}");
        for (name, port) in ports {
            let user = sign_in(port).await.unwrap_or_else(|e| panic!("the user of {name} signs in: {e}"));
            user.query_one("select 1", &[]).await.expect("the server works");
        }
        // Of jobs that ended: what the reconciler begins just now is none that stays half-way.
        let half = self.sql(
            "select string_agg(kind || ' ' || job.status || ': ' || name || ' ' || job_step.status, '; ')
               from job_step join job on job.id = job_id
              where job.status not in ('queued', 'running')
                and (job_step.status = 'running' or (job.status = 'succeeded' and job_step.status <> 'done'))",
        );
        assert_eq!(half, "", "no step stays half-way");
    }
}

/// A connection to a database that `submit_create` made, as its user and through its published port.
async fn sign_in(port: u16) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname("trial").user("ada").password("correct-horse");
    let (client, connection) = config.connect_timeout(Duration::from_secs(10)).connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Writes the row that [`kept`] reads.
async fn keep(portal: &TestPortal, name: &str) {
    let user = portal.connect(name, "correct-horse").await.expect("the user signs in");
    user.batch_execute("create table kept (x int); insert into kept values (42)").await.expect("the user writes");
}

/// Whether the row is there.
async fn kept(portal: &TestPortal, name: &str) -> bool {
    let Ok(user) = portal.connect(name, "correct-horse").await else { return false };
    user.query_one("select x from kept", &[]).await.is_ok_and(|row| row.get::<_, i32>(0) == 42)
}

/// Waits until it is so; two minutes at most, because a machine that builds at the same time is slow.
#[track_caller]
fn until(what: &str, so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    within(Duration::from_secs(120), what, so)
}

/// Waits until it is so.
#[track_caller]
fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let (begin, caller) = (Instant::now(), std::panic::Location::caller());
    async move {
        while !so() {
            assert!(begin.elapsed() < limit, "{caller}: within {} s {what}", limit.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Numbers that look random and can be had again: `DB4SCI_TEST_SEED` of the run that failed.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let given = std::env::var_os("DB4SCI_TEST_SEED").and_then(|s| s.to_str()?.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
            u64::try_from(now.as_micros()).expect("a time before the year 500,000")
        });
        println!("DB4SCI_TEST_SEED={seed}");
        Self(seed)
    }

    /// A time below `most`.
    fn time(&mut self, most: Duration) -> Duration {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        most.mul_f64(f64::from(u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits")) / f64::from(u32::MAX))
    }
}

/// The whole number of rounds where time does not matter, few in the ordinary run.
fn rounds(full: u32, short: u32) -> u32 {
    if std::env::var_os("DB4SCI_TEST_FULL").is_some() { full } else { short }
}
