//! The lists of backups of a portal with a hundred and of one with a hundred thousand backups, requested alternately.

use super::pages::in_turns;
use super::support::{Client, Options, TestPortal};
use super::table::{Bar, Table, quantile};

/// A portal with one database that has this many backups; clients of its owner, of the owner's API token and of an
/// administrator.
async fn portal(backups: u32) -> (TestPortal, [Client; 3]) {
    let portal = TestPortal::with(Options::default()).await;
    let (owner, admin) = (portal.user("ada").await, portal.admin().await);
    portal.sql(&format!(
        "insert into container (id, name, engine, image, server_version, dbname, dbuser, account_id, description, storage,
                                memory_bytes, millicpus, docker_name, size_bytes, created_by, created_at, started_at)
         select gen_random_uuid(), 'lab', 'postgres', 'docker.io/library/postgres:17', '17.5', 'trial', 'ada',
                (select id from account where username = 'ada'), '', 'standard', 536870912, 1000, 'bench-lab', 50000000, 'ada', now(), now();
         insert into state (container_id, state, last_state, changed_by, changed_at)
         select id, 'stopped', 'running', 'ada', created_at from container;
         -- Every seventh was drilled, a few failed, and of the old ones most are removed.
         insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, location, bytes, raw_bytes, sha256,
                                 manifest, level, error, removing_at, removed_at)
         select gen_random_uuid(), c.id, 'backup', 'schedule', s.status, at, at + interval '1 min', 'local', 'x/' || n, 1000000 + n, 3000000 + n,
                decode(md5(n::text) || md5(n::text), 'hex'), jsonb_build_object('counts', '[]'::jsonb), 2,
                case when s.status = 'failed' then 'The server went away.' end, gone, gone
           from container c, generate_series(1, {backups}) n
          cross join lateral (select now() - n * interval '5 min' as at,
                                     (case when n % 50 = 7 then 'failed' else 'succeeded' end)::backup_status as status) s
          cross join lateral (select case when n > 60 and s.status = 'succeeded' then s.at + interval '1 d' end as gone) g;
         insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, drill_of, level, restore_ms)
         select gen_random_uuid(), container_id, 'drill', 'schedule', 'succeeded', started_at + interval '2 min', started_at + interval '3 min',
                'local', id, 5, 4000
           from (select *, row_number() over (order by started_at) as n from backup_log where kind = 'backup' and status = 'succeeded') b
          where n % 7 = 0;"
    ));
    portal.sql("vacuum analyze");
    let token = portal.token(&owner).await;
    (portal, [owner, token, admin])
}

pub async fn measure(table: &mut Table) {
    eprintln!("filling two portals with 100 and 100,000 backups …");
    let (_small, [few_owner, few_token, few_admin]) = portal(100).await;
    let (_huge, [many_owner, many_token, many_admin]) = portal(100_000).await;
    for (path, small, huge) in [
        ("/containers/lab/backups", &few_owner, &many_owner),
        ("/admin/backups", &few_admin, &many_admin),
        ("/admin/backups?container=lab", &few_admin, &many_admin),
        ("/api/v1/backups?container=lab", &few_token, &many_token),
    ] {
        let (mut few, mut many) = in_turns(small, huge, path).await;
        let (few, many) = (quantile(&mut few, 0.99), quantile(&mut many, 0.99));
        table.add(format!("{path}: p99 with 100 backups"), few, "ms", &Bar::None);
        table.add(format!("{path}: p99 with 100,000 backups"), many, "ms", &Bar::None);
        table.add(format!("{path}: ratio of these"), many / few, "", &Bar::Most(2.0));
    }
}
