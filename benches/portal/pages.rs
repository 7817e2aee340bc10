//! Pages of a small, a typical and a huge portal, requested alternately over one persistent connection each.

use std::time::{Duration, Instant};

use super::support::{Client, Options, TestPortal};
use super::table::{Bar, Table, quantile};

/// Number of requests for each page of each portal.
const ROUNDS: usize = 300;
/// An interval longer than any run.
const NEVER: Duration = Duration::from_secs(86_400);

/// A portal with this many databases of one owner, and this many rows in its log; clients of the owner and an
/// administrator.
async fn portal(containers: u32, log: u32) -> (TestPortal, Client, Client) {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        config.jobs.reconcile = NEVER;
        config.jobs.usage = NEVER;
        config.jobs.survey = NEVER;
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let owner = portal.user("ada").await;
    let admin = portal.admin().await;
    let done = "select count(*) from schedule where name in ('reconcile', 'usage', 'survey') and result is not null";
    portal.until(done, |said| said == "3").await;
    portal.sql(&format!(
        "insert into container (id, name, engine, image, server_version, dbname, dbuser, account_id, description, storage,
                                memory_bytes, millicpus, docker_name, size_bytes, created_by, created_at, started_at)
         select gen_random_uuid(), 'database-' || n, 'postgres', 'docker.io/library/postgres:17', '17.5', 'trial', 'ada',
                (select id from account where username = 'ada'), 'What it is for, number ' || n, 'standard', 536870912, 1000,
                'bench-' || n, 50000000 + n, 'ada', now() - n * interval '7 min', now()
           from generate_series(1, {containers}) n;
         insert into state (container_id, state, last_state, changed_by, changed_at)
         select id, 'running', 'provisioning', 'ada', created_at from container;
         insert into port (port, container_id, purpose, taken_at)
         select 30000 + row_number() over (order by name), id, 'postgres', created_at from container;
         insert into job (id, kind, container_id, status, attempt, run_at, created_by, created_at, started_at, finished_at)
         select gen_random_uuid(), 'create', id, 'succeeded', 1, created_at, 'ada', created_at, created_at,
                created_at + interval '3 s' from container;
         insert into log (at, actor, address, action, container_id, container_name, outcome)
         select now() - ({log} - n) * interval '11 s', (array['ada','grace','admin','reconciler'])[1 + n % 4], '10.1.2.' || n % 250,
                (array['session.sign_in','container.restart','container.edit','container.create'])[1 + n % 4], c.id, c.name,
                case when n % 50 = 0 then 'refused' else 'ok' end::log_outcome
           from generate_series(1, {log}) n join container c on c.docker_name = 'bench-' || (1 + n % {containers})
          order by n;"
    ));
    portal.sql("vacuum analyze");
    let there = portal
        .sql(&format!("select (select count(*) from container) = {containers} and (select count(*) from log) > {log}"));
    assert_eq!(there, "t", "the portal is filled");
    (portal, owner, admin)
}

/// Milliseconds from the request to the last byte.
async fn time(client: &Client, path: &str) -> f64 {
    let begin = Instant::now();
    let reply = client.get(path).await;
    let took = begin.elapsed();
    assert_eq!(reply.status, 200, "{path}");
    took.as_secs_f64() * 1000.0
}

/// The times of one page for two clients alternately, so that other load on the machine affects both.
pub async fn in_turns(small: &Client, huge: &Client, path: &str) -> (Vec<f64>, Vec<f64>) {
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 20 {
        let pair = (time(small, path).await, time(huge, path).await);
        // The first ones open connections and fill caches.
        if round >= 20 {
            few.push(pair.0);
            many.push(pair.1);
        }
    }
    (few, many)
}

pub async fn measure(table: &mut Table) {
    eprintln!("filling three portals with 10, 100 and 10,000 databases …");
    let (_small, small_owner, small_admin) = portal(10, 100).await;
    let (_usual, owner, admin) = portal(100, 10_000).await;
    let (_huge, huge_owner, huge_admin) = portal(10_000, 1_000_000).await;

    for (path, small, huge) in [
        ("/", &small_owner, &huge_owner),
        ("/admin/containers", &small_admin, &huge_admin),
        ("/admin/log", &small_admin, &huge_admin),
    ] {
        let (mut few, mut many) = in_turns(small, huge, path).await;
        let middle = quantile(&mut many, 0.5) / quantile(&mut few, 0.5);
        let (few, many) = (quantile(&mut few, 0.99), quantile(&mut many, 0.99));
        table.add(format!("{path}: p99 with 10 databases, 100 log rows"), few, "ms", &Bar::None);
        table.add(format!("{path}: p99 with 10,000 databases, 1,000,000 log rows"), many, "ms", &Bar::None);
        table.add(format!("{path}: ratio of these"), many / few, "", &Bar::Most(2.0));
        table.add(format!("{path}: ratio at p50"), middle, "", &Bar::None);
    }

    let pages = [
        "/",
        "/containers/new?engine=postgres",
        "/containers/database-50",
        "/containers/database-50/settings",
        "/account",
    ];
    let of_admins =
        ["/admin", "/admin/containers", "/admin/states", "/admin/log", "/admin/jobs", "/admin/users", "/admin/storage"];
    for (client, path) in pages.map(|p| (&owner, p)).into_iter().chain(of_admins.map(|p| (&admin, p))) {
        let mut all = Vec::new();
        for round in 0..ROUNDS + 20 {
            let took = time(client, path).await;
            if round >= 20 {
                all.push(took);
            }
        }
        let half = quantile(&mut all, 0.5);
        table.add(format!("{path}: with 100 databases, p50"), half, "ms", &Bar::None);
        table.add(format!("{path}: with 100 databases, p99"), quantile(&mut all, 0.99), "ms", &Bar::Most(20.0));
    }
}
