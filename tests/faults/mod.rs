//! Fault injection: parts are killed, stopped, removed or filled up, and nothing is lost or left half-done.

mod admin_db;
mod binary;
mod by_hand;
mod clock;
mod dying;
mod engine;
mod engine_away;
pub mod full;
pub mod held;
mod images;
mod killed;
mod killed_backups;
mod network;
mod slow;
mod stopping;
mod two_portals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::portal::{connect, container_of};
use crate::support::seeds::directories;
use crate::support::{PATIENCE, TestPortal, admin_db::psql, docker};

/// The instance, mydb_admin and storage tier of a portal, whether it runs in the test or as a program.
pub struct Place {
    instance: String,
    tables: String,
    tier: PathBuf,
}

impl Place {
    pub fn of(portal: &TestPortal) -> Self {
        let tier = portal.dir.join("tiers/standard");
        Self { instance: portal.instance.clone(), tables: portal.tables_url(), tier }
    }

    fn sql(&self, statement: &str) -> String {
        psql(&self.tables, statement).unwrap_or_else(|| panic!("this statement failed: {statement}"))
    }

    /// The directories of databases, including those that are to be removed.
    fn directories(&self) -> BTreeSet<String> {
        let paths = directories(&self.tier.join(&self.instance)).into_iter();
        paths.filter_map(|p| p.file_name().map(|n| n.to_string_lossy().into_owned())).collect()
    }

    /// The engine's name for the container of a database.
    fn container(&self, name: &str) -> String {
        self.sql(&container_of(name))
    }

    /// The databases' containers in the engine.
    fn containers(&self) -> Vec<String> {
        let admin = format!("{}-mydb_admin", self.instance);
        let mut names = docker::containers(&self.instance);
        names.retain(|n| *n != admin);
        names.sort();
        names
    }

    /// Waits until no job is queued or running. The deadline restarts with every step, because many jobs on a busy
    /// machine are slow.
    async fn settled(&self) {
        let open = "select count(*) from job where status in ('queued', 'running')";
        let done = "select count(*) from job_step where status in ('done', 'failed', 'undone')";
        let (mut before, mut since, begin) = (String::new(), Instant::now(), Instant::now());
        while self.sql(open) != "0" {
            assert!(begin.elapsed() < 3 * PATIENCE, "the jobs do not end: {}", self.open_jobs());
            let now = self.sql(done);
            if now != before {
                (before, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "the jobs make no progress: {}", self.open_jobs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether a job is queued or running.
    fn has_open_jobs(&self) -> bool {
        self.sql("select count(*) from job where status in ('queued', 'running')") != "0"
    }

    /// Waits for a whole run of the reconciler: until the one after it begins.
    async fn reconciled(&self) {
        let last = "select last_run from schedule where name = 'reconcile'";
        for _ in 0..2 {
            let before = self.sql(last);
            until("the reconciler runs", || self.sql(last) != before).await;
        }
    }

    /// The jobs that have not ended, with their open steps.
    fn open_jobs(&self) -> String {
        self.sql(
            "select j.kind, c.name, j.status, j.attempt, j.worker, j.lease_until - now(), j.run_at - now(), j.error, s.name, s.status, s.detail
               from job j left join container c on c.id = j.container_id
               left join job_step s on s.job_id = j.id and s.status <> 'done'
              where j.status in ('queued', 'running') order by j.created_at, s.seq",
        )
    }

    /// Waits until no job is open, and checks the invariants. If the reconciler has begun a job meanwhile, what was seen
    /// does not count.
    async fn all_is_right(&self) {
        let jobs = "select count(*) from job";
        let begin = Instant::now();
        loop {
            self.settled().await;
            let before = self.sql(jobs);
            let found = self.examine().await;
            if self.sql(jobs) == before {
                return found.unwrap_or_else(|fault| panic!("{fault}"));
            }
            let newest = "select kind, created_by, created_at, status, error from job order by created_at desc limit 5";
            assert!(begin.elapsed() < PATIENCE, "new jobs keep being begun: {found:?}\n{}", self.sql(newest));
        }
    }

    /// Checks the invariants that hold when no job is open: the rows are correct, each running database has exactly
    /// one container and accepts its user, there is nothing else in the engine or on the disk, and every step is done,
    /// failed or undone.
    async fn examine(&self) -> Result<(), String> {
        let rows = self.sql(
            "select c.id, name, state, started_at is not null, port, replace(coalesce(failed_reason, ''), chr(10), ' ')
               from container c
               join state s on s.container_id = c.id join port p on p.container_id = c.id
              where purged_at is null order by name",
        );
        let (mut directories, mut containers) = (BTreeSet::new(), Vec::new());
        let mut ports = BTreeMap::new();
        for row in rows.lines() {
            let [id, name, state, ran, port, reason] = row.splitn(6, '|').collect::<Vec<_>>()[..] else {
                panic!("{row}: not the expected columns")
            };
            match state {
                "running" => {
                    containers.push(self.container(name));
                    ports.insert(name.to_owned(), port.parse::<u16>().expect("a port"));
                }
                "trashed" => {}
                "failed" if !reason.is_empty() && ran == "f" => {}
                "failed" => {
                    let rule = "a failed database must give its reason and must never have been handed over";
                    return Err(format!("{row}: {rule}"));
                }
                _ => return Err(format!("{row}: not a final state")),
            }
            if ran == "t" {
                directories.insert(id.to_owned());
            }
        }
        containers.sort();
        same("containers", &self.containers(), &containers, &rows)?;
        same("directories", &self.directories(), &directories, &rows)?;
        for (name, port) in ports {
            let user = sign_in(port).await.map_err(|e| format!("the user of {name} cannot sign in: {e:?}"))?;
            let asked = tokio::time::timeout(PATIENCE, user.query_one("select 1", &[])).await;
            let said = asked.unwrap_or_else(|_| panic!("the server of {name} does not respond"));
            said.map_err(|e| format!("the server of {name} does not work: {e:?}"))?;
        }
        // Only jobs that have ended: the reconciler may have just begun another.
        let half = self.sql(
            "select string_agg(kind || ' ' || job.status || ': ' || name || ' ' || job_step.status, '; ')
               from job_step join job on job.id = job_id
              where job.status not in ('queued', 'running')
                and (job_step.status = 'running' or (job.status = 'succeeded' and job_step.status <> 'done'))",
        );
        if half.is_empty() { Ok(()) } else { Err(format!("a step was left unfinished: {half}")) }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T, rows: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}\n{rows}")) }
}

/// Connects to a database that `submit_create` created, as its user and through its published port.
async fn sign_in(port: u16) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname("trial").user("ada").password("correct-horse");
    connect(&config).await
}

/// Writes the row that [`kept`] reads.
async fn keep(portal: &TestPortal, name: &str) {
    let user = portal.connect(name, "correct-horse").await.expect("the user signs in");
    user.batch_execute("create table kept (x int); insert into kept values (42)").await.expect("the user writes");
}

/// Whether the row of [`keep`] is there.
async fn kept(portal: &TestPortal, name: &str) -> bool {
    let Ok(user) = portal.connect(name, "correct-horse").await else { return false };
    user.query_one("select x from kept", &[]).await.is_ok_and(|row| row.get::<_, i32>(0) == 42)
}

/// Waits until the condition holds, for at most [`PATIENCE`].
#[track_caller]
fn until(what: &str, so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    within(PATIENCE, what, so)
}

/// Waits until the condition holds.
#[track_caller]
fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let (begin, caller) = (Instant::now(), std::panic::Location::caller());
    async move {
        while !so() {
            assert!(begin.elapsed() < limit, "{caller}: did not happen within {} s: {what}", limit.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Pseudorandom numbers that `DB4SCI_TEST_SEED` of a failed run reproduces.
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

    /// A duration of at most `most`.
    fn time(&mut self, most: Duration) -> Duration {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        most.mul_f64(f64::from(u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits")) / f64::from(u32::MAX))
    }
}

/// The number of rounds: `full` if `DB4SCI_TEST_FULL` is set, otherwise `short`.
fn rounds(full: u32, short: u32) -> u32 {
    if std::env::var_os("DB4SCI_TEST_FULL").is_some() { full } else { short }
}
