//! Two portals share the work of one mydb_admin.

use std::sync::Arc;
use std::time::Duration;

use mydb::catalog::Catalog;
use mydb::config::Config;
use mydb::serve::Running;

use super::{Place, until};
use crate::backups::objects;
use crate::support::{Client, Options, TestPortal};

async fn second(portal: &TestPortal) -> Running {
    let catalog = Catalog::load(&portal.config.catalog).expect("the catalog");
    let runtime = Arc::new(portal.faults.clone());
    mydb::serve::start(portal.config.clone(), catalog, runtime, portal.clock.clone(), None).await.expect("it starts")
}

async fn admin_of(running: &Running) -> Client {
    let client = Client::nobody(&format!("https://localhost:{}", running.address.port()));
    client.sign_in("admin", crate::support::ADMIN_PASSWORD).await;
    client
}

fn narrow() -> Options {
    let configure = |config: &mut Config| config.jobs.workers = 2;
    Options { configure: Box::new(configure), ..Options::default() }
}

fn workers(portal: &TestPortal) -> Vec<String> {
    portal.sql("select distinct split_part(worker, '/', 1) from job order by 1").lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_is_run_by_one_of_them() {
    let portal = TestPortal::with(narrow()).await;
    let other = second(&portal).await;
    let clients = [portal.admin().await, admin_of(&other).await];
    for i in 0..10 {
        let client = &clients[i % clients.len()];
        client.submit_create(&format!("db{i}"), &[]).await.expect(303);
    }
    Place::of(&portal).all_is_right().await;
    assert_eq!(
        portal.sql("select count(*) from job where status = 'succeeded' and attempt = 1"),
        "10",
        "every job needs one attempt"
    );
    assert_eq!(workers(&portal).len(), 2, "both portals must have run jobs");
    assert_eq!(portal.sql("select count(distinct port) from port where container_id is not null"), "10");
    for client in &clients {
        assert!(client.get("/").await.expect(200).body.matches("/containers/db").count() >= 10);
    }
    other.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_portal_finishes_the_jobs_of_a_killed_one() {
    let portal = TestPortal::with(narrow()).await;
    let other = second(&portal).await;
    let name = other.portal.app.worker.clone();
    let admin = portal.admin().await;
    for i in 0..6 {
        admin.submit_create(&format!("db{i}"), &[]).await.expect(303);
    }
    let its = format!("select count(*) from job where status = 'running' and worker like '{name}/%'");
    until("the other portal is running a job", || portal.sql(&its) != "0").await;
    drop(other);
    portal.sql(&format!(
        "update job set lease_until = now() + interval '1 second' where status = 'running' and worker like '{name}/%'"
    ));
    Place::of(&portal).all_is_right().await;
    assert_eq!(portal.sql("select count(*) from job where status = 'succeeded'"), "6");
    assert_ne!(portal.sql("select count(*) from job where attempt = 2"), "0", "no job was taken over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_started_by_both_portals_is_made_once() {
    let portal = TestPortal::with_store().await;
    let other = second(&portal).await;
    let clients = [portal.admin().await, admin_of(&other).await];
    clients[0].create("lab", &[]).await;
    let made =
        "select count(*) || ' ' || count(*) filter (where status = 'succeeded') from backup_log where kind = 'backup'";
    let jobs = "select count(*) || ' ' || max(attempt) from job where kind = 'backup'";

    // Started with the buttons of both portals.
    let press = |client: &Client| {
        let client = client.clone();
        async move { client.post("/containers/lab/backup", &[]).await }
    };
    let replies = tokio::join!(press(&clients[0]), press(&clients[1]), press(&clients[0]), press(&clients[1]));
    let statuses = [replies.0, replies.1, replies.2, replies.3].map(|r| r.status.as_u16());
    assert!(statuses.iter().all(|s| *s < 500), "{statuses:?}");
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    assert_eq!((portal.sql(made), portal.sql(jobs)), ("1 1".to_owned(), "1 1".to_owned()), "{statuses:?}");

    // Started by both schedules: a backup is due, and both portals check at the same time.
    portal.sql(
        "update container set created_at = created_at - interval '3 days';
         update backup_log set started_at = started_at - interval '3 days'",
    );
    let (one, two) = (portal.app().app.clone(), other.portal.app.clone());
    let looks = [&one, &two, &one, &two].map(|app| {
        let app = app.clone();
        tokio::spawn(async move { mydb::jobs::backups::enqueue(&app).await })
    });
    for look in looks {
        look.await.expect("no panic").expect("the check succeeds");
    }
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    Place::of(&portal).settled().await;
    assert_eq!((portal.sql(made), portal.sql(jobs)), ("2 2".to_owned(), "2 1".to_owned()));
    assert_eq!(portal.sql("select count(*) from upload"), "0");
    let good = portal.sql("select id from backup_log where kind = 'backup'");
    let strangers: Vec<_> =
        objects(&portal).into_iter().filter(|p| !good.lines().any(|id| p.to_string_lossy().contains(id))).collect();
    assert_eq!(strangers, Vec::<std::path::PathBuf>::new());
    other.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn periodic_work_is_done_once_a_period() {
    let portal = TestPortal::start().await;
    portal.sql(
        "create table run (name text, at timestamptz, worker text);
         create function note_run() returns trigger language plpgsql as $$ begin
           insert into run values (new.name, new.last_run, new.worker); return new; end $$;
         create trigger note_run after insert or update of last_run on schedule for each row execute function note_run();",
    );
    let other = second(&portal).await;
    let runs = "select count(*) from run where name = 'reconcile'";
    until("it has run six times", || portal.sql(runs).parse::<u32>().expect("a number") >= 6).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let gaps =
        "select count(*) from (select at - lag(at) over (order by at) as gap from run where name = 'reconcile') g
                 where gap < interval '1 second'";
    assert_eq!(portal.sql(gaps), "0", "a run came sooner than the interval of a second");
    other.stop().await.expect("it stops");
}
