//! Workers are shared fairly between the owners of databases. Tests only the queue, on real tables: no portal takes the
//! jobs.

use std::time::Duration;

use mydb::admin_db::jobs::cancel::take_queued;
use mydb::admin_db::jobs::queue::{WorkerShares, reserve};
use mydb::admin_db::{new_id, pool};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use uuid::Uuid;

use crate::support::{admin_db, portal};

/// A queue without a portal.
struct Queue {
    pool: PgPool,
    url: String,
    begun: u32,
}

impl Queue {
    fn new() -> Self {
        let url = admin_db::from_template(&format!("{}-queue-{}", portal::prefix(), new_id().simple()));
        Self { pool: pool(&url, 4, Duration::from_secs(30)).expect("a pool"), url, begun: 0 }
    }

    fn sql(&self, statement: &str) -> String {
        admin_db::psql(&self.url, statement).unwrap_or_else(|| panic!("this statement failed: {statement}"))
    }

    /// Creates a user with this many databases, and a queued job of this kind for each of them.
    fn asks(&self, who: &str, kind: &str, databases: u32) {
        self.sql(&format!(
            "insert into account (id, username, created_at) values (gen_random_uuid(), '{who}', now()) on conflict do nothing"
        ));
        for _ in 0..databases {
            let id = new_id();
            let name = format!("d{}", &id.simple().to_string()[20..]);
            self.sql(&format!(
                "insert into container (id, name, engine, image, dbname, dbuser, account_id, storage, memory_bytes, millicpus, docker_name, created_by, created_at)
                 select '{id}', '{name}', 'postgres', 'i', 'd', 'u', id, 's', 1, 1, '{name}', '{who}', now() from account where username = '{who}'"
            ));
            self.job(kind, Some(id), who);
        }
    }

    fn job(&self, kind: &str, container: Option<Uuid>, who: &str) {
        let container = container.map_or("null".to_owned(), |id| format!("'{id}'"));
        self.sql(&format!(
            "insert into job (id, kind, container_id, run_at, created_by, created_at) values ('{}', '{kind}', {container}, clock_timestamp(), '{who}', now())",
            new_id()
        ));
    }

    async fn connection(&self) -> PoolConnection<Postgres> {
        self.pool.acquire().await.expect("a connection")
    }

    /// Gives the next job to a worker of this portal and returns "who kind".
    async fn begin_in(&mut self, portal: &str) -> Option<String> {
        self.begun += 1;
        let lease = format!("{portal}/{}", self.begun);
        let mut db = self.connection().await;
        let got =
            reserve(&mut db, (portal, &lease), Duration::from_secs(60), &shares()).await.expect("the queue answers");
        got.map(|r| format!("{} {}", r.job.created_by, r.job.kind))
    }

    async fn begin(&mut self) -> Option<String> {
        self.begin_in("p").await
    }

    /// Hands out jobs until no worker gets one.
    async fn begin_all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(one) = self.begin().await {
            all.push(one);
        }
        all.sort();
        all
    }

    /// Ends a running job of this user and kind.
    fn end(&self, who: &str, kind: &str) {
        self.sql(&format!(
            "update job set status = 'succeeded', lease_until = null, finished_at = now()
              where id = (select id from job where created_by = '{who}' and kind = '{kind}' and status = 'running' limit 1)"
        ));
    }
}

/// Six workers, of which long jobs leave two free.
fn shares() -> WorkerShares {
    WorkerShares {
        workers: 6,
        long: 4,
        backups: 2,
        loads: 2,
        long_kinds: vec!["load", "backup", "drill", "restore"],
        backup_kinds: vec!["backup", "drill"],
        load_kinds: vec!["load"],
    }
}

#[tokio::test]
async fn four_slow_loads_of_one_person_block_nobody() {
    let mut queue = Queue::new();
    queue.asks("mallory", "load", 4);
    assert_eq!(queue.begin_all().await, ["mallory load", "mallory load"], "loads are limited per user");
    queue.asks("ada", "load", 1);
    queue.asks("bert", "start", 1);
    queue.asks("cleo", "backup", 1);
    assert_eq!(queue.begin_all().await, ["ada load", "bert start", "cleo backup"]);
}

#[tokio::test]
async fn long_jobs_leave_workers_for_short_jobs_and_other_owners() {
    let mut queue = Queue::new();
    queue.asks("mallory", "restore", 20);
    assert_eq!(queue.begin_all().await.len(), 3, "the last worker for long jobs is reserved for a user who has none");
    queue.asks("ada", "restore", 2);
    assert_eq!(queue.begin_all().await, ["ada restore"]);
    queue.asks("bert", "create", 3);
    assert_eq!(queue.begin_all().await, ["bert create"], "a user who has a worker does not get the last one");
    queue.asks("cleo", "stop", 1);
    assert_eq!(queue.begin_all().await, ["cleo stop"]);
}

#[tokio::test]
async fn short_jobs_leave_a_worker_for_others_and_owners_take_turns() {
    let mut queue = Queue::new();
    queue.asks("mallory", "create", 50);
    assert_eq!(queue.begin_all().await.len(), 5);
    queue.asks("ada", "create", 3);
    queue.asks("bert", "create", 3);
    assert_eq!(queue.begin().await.as_deref(), Some("ada create"));
    // A free worker goes to the user with the fewest running jobs.
    queue.end("mallory", "create");
    assert_eq!(queue.begin().await.as_deref(), Some("bert create"));
    queue.end("ada", "create");
    assert_eq!(queue.begin().await.as_deref(), Some("ada create"));
    queue.end("bert", "create");
    assert_eq!(queue.begin().await.as_deref(), Some("bert create"));
    queue.end("ada", "create");
    queue.end("bert", "create");
    assert_eq!(queue.begin().await.as_deref(), Some("ada create"));
}

#[tokio::test]
async fn owners_take_turns_with_a_single_worker() {
    let queue = Queue::new();
    queue.asks("mallory", "start", 9);
    queue.asks("ada", "start", 2);
    let shares = WorkerShares { workers: 1, long: 1, ..shares() };
    let mut order = Vec::new();
    for n in 0..5 {
        let mut db = queue.connection().await;
        let got = reserve(&mut db, ("p", &format!("p/{n}")), Duration::from_secs(60), &shares).await.expect("answers");
        let who = got.expect("a job").job.created_by;
        queue.end(&who, "start");
        order.push(who);
    }
    assert_eq!(order, ["mallory", "ada", "mallory", "ada", "mallory"]);
}

#[tokio::test]
async fn a_deletion_that_makes_its_final_backup_is_a_long_job() {
    let mut queue = Queue::new();
    queue.asks("mallory", "delete", 6);
    queue.sql(
        "insert into backup_log (id, container_id, job_id, kind, reason, status, started_at)
         select gen_random_uuid(), container_id, id, 'backup', 'final', 'running', now() from job",
    );
    assert_eq!(queue.begin_all().await.len(), 3);
}

#[tokio::test]
async fn jobs_of_the_portal_take_turns_too() {
    let mut queue = Queue::new();
    queue.asks("mallory", "create", 9);
    assert_eq!(queue.begin_all().await.len(), 5);
    queue.job("prune", None, "schedule");
    assert_eq!(queue.begin_all().await, ["schedule prune"]);
}

#[tokio::test]
async fn workers_of_another_portal_do_not_count() {
    let mut queue = Queue::new();
    queue.asks("mallory", "create", 9);
    assert_eq!(queue.begin_all().await.len(), 5);
    for _ in 0..4 {
        assert_eq!(queue.begin_in("q").await.as_deref(), Some("mallory create"));
    }
    // Loads are counted across both portals.
    queue.asks("ada", "load", 3);
    assert!(queue.begin_in("q").await.is_some() && queue.begin_in("p").await.is_some());
    assert_eq!(queue.begin_in("q").await, None, "two loads are running");
}

#[tokio::test]
async fn a_cancelled_queued_job_is_taken_exactly_once() {
    let queue = Queue::new();
    for who in ["ada", "bert", "cleo"] {
        queue.asks(who, "start", 8);
    }
    queue.sql("update job set cancelled_by = 'ada'");
    let mut asking = tokio::task::JoinSet::new();
    for portal in ["p", "q"] {
        for back in [false, true] {
            let pool = queue.pool.clone();
            asking.spawn(async move {
                let (mut got, wait) = (Vec::new(), Duration::from_secs(60));
                for n in 0..60 {
                    let mut db = pool.acquire().await.expect("a connection");
                    let lease = format!("{portal}/{back}{n}");
                    let many = WorkerShares { workers: 100, long: 100, ..shares() };
                    let one = if back {
                        take_queued(&mut db, &lease, wait).await.expect("answers").map(|(job, by)| (job.id, by))
                    } else {
                        let one = reserve(&mut db, (portal, &lease), wait, &many).await.expect("answers");
                        one.map(|r| (r.job.id, "ada".to_owned()))
                    };
                    got.extend(one);
                }
                got
            });
        }
    }
    let mut all: Vec<(Uuid, String)> = asking.join_all().await.into_iter().flatten().collect();
    all.sort();
    let count = all.len();
    all.dedup();
    assert_eq!((count, all.len()), (24, 24));
    assert!(all.iter().all(|(_, by)| by == "ada"));
    let mut db = queue.connection().await;
    let none = take_queued(&mut db, "p/0", Duration::from_secs(60)).await.expect("answers");
    assert!(none.is_none(), "a running job is left to its worker");
}

#[tokio::test]
async fn two_portals_never_reserve_the_same_job() {
    let queue = Queue::new();
    for who in ["ada", "bert", "cleo"] {
        queue.asks(who, "start", 8);
    }
    let mut asking = tokio::task::JoinSet::new();
    for portal in ["p", "q", "r", "s"] {
        let pool = queue.pool.clone();
        asking.spawn(async move {
            let mut got = Vec::new();
            for n in 0..200 {
                let mut db = pool.acquire().await.expect("a connection");
                let lease = format!("{portal}/{n}");
                let many = WorkerShares { workers: 100, long: 100, ..shares() };
                let one = reserve(&mut db, (portal, &lease), Duration::from_secs(60), &many).await.expect("answers");
                got.extend(one.map(|r| r.job.id));
            }
            got
        });
    }
    let mut all: Vec<Uuid> = asking.join_all().await.into_iter().flatten().collect();
    all.sort();
    let count = all.len();
    all.dedup();
    assert_eq!((count, all.len()), (24, 24));
}
