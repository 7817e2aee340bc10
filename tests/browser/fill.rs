//! Fills the tables as after some years of use: forty databases with long names and in every state, their jobs, and a
//! log. They have no servers, so nothing may compare them with the container engine.

use std::time::Duration;

use crate::support::{Options, TestPortal};

/// An interval longer than any test: the periodic tasks run once, at the start.
const NEVER: Duration = Duration::from_secs(86_400);

/// The owner of the forty databases.
pub const OWNER: &str = "ada";
/// The database that failed.
pub const FAILED: &str = "imaging-3";
/// The one in the trash.
pub const TRASHED: &str = "tumor-registry-5";
/// The one in maintenance.
pub const KEPT_BACK: &str = "seqlib-7";
/// The stopped database.
pub const STOPPED: &str = "cohort-9";
/// The database that is being created.
pub const IN_WORK: &str = "single-cell-11";
/// The database that is being deleted, during its final backup.
pub const DELETING: &str = "images-10";
/// The database that is being backed up.
pub const SAVING: &str = "cohort-20";
/// One with the longest possible name, and a description without spaces.
pub const LONG: &str = "longitudinal-cohort-follow-up-2019-00016";

const CONTAINERS: &str = "
insert into container (id, name, engine, image, server_version, dbname, dbuser, account_id, contact, department,
                       description, storage, memory_bytes, millicpus, docker_name, size_bytes, size_at, created_by,
                       created_at, started_at)
select gen_random_uuid(),
       case when n % 8 = 0 then 'longitudinal-cohort-follow-up-2019-' || lpad(n::text, 5, '0')
            else (array['proteomics','flow-cytometry','imaging','ehr-extract','tumor-registry','cohort','seqlib',
                        'proteomics','cohort','images','single-cell'])[1 + (n - 1) % 11] || '-' || n end,
       'postgres', 'docker.io/library/postgres:' || case when n % 3 = 0 then 15 else 17 end,
       case when n % 3 = 0 then '15.13' else '17.5' end, 'trial', 'ada', (select id from account where username = 'ada'),
       'ada@example.org', 'Computational Biology',
       case when n % 8 = 0 then 'https://example.org/' || repeat('unbroken', 22)
            when n % 3 = 0 then ''
            else (array['Mass spectrometry runs of the spring campaign, matched with the freezer inventory',
                        'Gates and counts', 'Slides, annotations and their readers',
                        'Nightly extract; ask before you join it with anything that names a patient'])[1 + n % 4] end,
       'standard', 536870912, 500, 'filled-' || n, case when n = 13 then null else 31000000::bigint * n * n end, now(),
       'ada', now() - n * interval '17 hours', now() - n * interval '9 hours'
  from generate_series(1, 40) n
";

const RENAMED: &str = "
update container set name = 'imaging-3' where docker_name = 'filled-3';
update container set name = 'tumor-registry-5', trashed_at = now() - interval '2 days',
       purge_after = now() + interval '8 days' where docker_name = 'filled-5';
update container set name = 'seqlib-7' where docker_name = 'filled-7';
update container set name = 'cohort-9' where docker_name = 'filled-9';
update container set name = 'images-10' where docker_name = 'filled-10';
update container set name = 'single-cell-11', started_at = null, server_version = null, size_bytes = null
 where docker_name = 'filled-11';
insert into state (container_id, state, last_state, changed_by, changed_at)
select id, case docker_name when 'filled-5' then 'trashed' when 'filled-9' then 'stopped'
                            when 'filled-10' then 'deleting' when 'filled-11' then 'provisioning' else 'running' end::container_state,
       'provisioning', 'ada', created_at
  from container where docker_name like 'filled-%';
update state set state = 'failed', last_state = 'running', failed_step = 'Keep it running', failed_reason =
$$The server exited 5 times within 10 minutes and will not be restarted automatically.
Last log lines:
2026-11-21 03:12:44.120 UTC [1] LOG:  starting PostgreSQL 15.13 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit
2026-11-21 03:12:44.301 UTC [29] FATAL:  could not write lock file postmaster.pid: No space left on device$$
 where container_id = (select id from container where name = 'imaging-3');
update state set maintenance_note = 'The disk below it is moved on Sunday, 08:00 to 10:00. Your data stays as it is.'
 where container_id = (select id from container where name = 'seqlib-7');
insert into port (port, container_id, purpose, taken_at)
select 41000 + row_number() over (order by created_at), id, 'postgres', created_at
  from container where docker_name like 'filled-%';
";

const JOBS: &str = "
insert into job (id, kind, container_id, status, attempt, run_at, created_by, created_at, started_at, finished_at)
select gen_random_uuid(), 'create', id, 'succeeded', 1, created_at, created_by, created_at, created_at + interval '30 ms',
       created_at + interval '3400 ms'
  from container where docker_name like 'filled-%' and name <> 'single-cell-11';
insert into job (id, kind, container_id, status, attempt, run_at, created_by, created_at, started_at, finished_at, error)
select gen_random_uuid(), 'start', id, 'failed', 5, now(), 'reconciler', now() - interval '3 hours',
       now() - interval '3 hours', now() - interval '179 minutes',
       $$The server did not respond within 60 s of its last activity. It was stopped again; its data is unchanged.
FATAL:  could not write lock file postmaster.pid: No space left on device$$
  from container where name = 'imaging-3';
insert into job (id, kind, container_id, status, attempt, run_at, created_by, created_at, started_at, finished_at, error)
select gen_random_uuid(), 'start', id, 'failed', 1, now(), 'reconciler', at, at, at + interval '2 s',
       'The container engine did not respond within 10 s.'
  from container, generate_series(4, 7) n, lateral (select now() - n * interval '1 h' as at) m where name = 'imaging-3';
insert into job (id, kind, container_id, status, attempt, run_at, created_by, created_at, started_at, finished_at)
select gen_random_uuid(), 'backup', id, 'succeeded', 1, at, 'scheduler', at, at, at + interval '190 s'
  from container, lateral (select now() - interval '1 day' as at) m where docker_name = 'filled-20';
insert into job (id, kind, container_id, status, attempt, run_at, lease_until, worker, created_by, created_at, started_at)
select gen_random_uuid(), 'backup', id, 'running', 1, now(), now() + interval '20 hours', 'elsewhere', 'ada',
       now() - interval '70 s', now() - interval '70 s'
  from container where docker_name = 'filled-20';
insert into job (id, kind, container_id, status, attempt, run_at, lease_until, worker, created_by, created_at, started_at)
select gen_random_uuid(), 'create', id, 'running', 1, now(), now() + interval '20 hours', 'elsewhere', 'ada',
       now() - interval '2 s', now() - interval '2 s'
  from container where name = 'single-cell-11';
insert into job (id, kind, container_id, status, attempt, run_at, lease_until, worker, created_by, created_at, started_at)
select gen_random_uuid(), 'delete', id, 'running', 1, now(), now() + interval '20 hours', 'elsewhere', 'ada',
       now() - interval '9 s', now() - interval '9 s'
  from container where name = 'images-10';
insert into job_step (job_id, seq, name, status, detail, started_at, finished_at)
select j.id, s.seq, s.name,
       case when j.status = 'succeeded' or s.seq < 5 then 'done' when s.seq > 5 then 'pending'
            when j.status = 'failed' then 'failed' else 'running' end::step_status,
       case when s.seq = 1 then 'postgres:17, present' else '' end,
       case when s.seq <= 5 or j.status = 'succeeded' then j.started_at + s.seq * interval '300 ms' end,
       case when s.seq < 5 or j.status = 'succeeded' then j.started_at + s.seq * interval '400 ms' end
  from job j, unnest(array['Check the storage', 'Get the image', 'Prepare the data directory', 'Create the container',
                           'Start the server', 'Wait until the server responds', 'Set up your access', 'Finish setup'])
              with ordinality as s (name, seq)
 where j.kind not in ('delete', 'backup') and j.container_id in (select id from container where docker_name like 'filled-%');
insert into job_step (job_id, seq, name, status, detail, started_at)
select j.id, s.seq, s.name, case when s.seq = 1 then 'running' else 'pending' end::step_status,
       case when s.seq = 1 then '412 MiB of about 1.4 GiB, 46 MiB/s' else '' end,
       case when s.seq = 1 then j.started_at end
  from job j, unnest(array['Make a final backup', 'Read back the dump and write its manifest', 'Stop the server',
                           'Remove the container, keep its data', 'Move it to the trash']) with ordinality as s (name, seq)
 where j.kind = 'delete';
";

const BACKUP: &str = "
insert into job_step (job_id, seq, name, status, detail, started_at, finished_at)
select j.id, s.seq, s.name, case when s.seq < 2 then 'done' when s.seq = 2 then 'running' else 'pending' end::step_status,
       case when s.seq = 2 then '412 MiB of about 1.1 GiB, 46 MiB/s' else '' end,
       case when s.seq <= 2 then j.started_at + s.seq * interval '300 ms' end, case when s.seq < 2 then j.started_at + s.seq * interval '400 ms' end
  from job j, unnest(array['Check the target', 'Dump the database into the target', 'Read back the dump and write its manifest'])
              with ordinality as s (name, seq)
 where j.kind = 'backup' and j.status = 'running';
";

const PURGED: &str = "
delete from port where container_id = (select id from container where docker_name = 'filled-40');
delete from notice where container_id = (select id from container where docker_name = 'filled-40');
delete from state where container_id = (select id from container where docker_name = 'filled-40');
update container set trashed_at = now() - interval '12 days', purged_at = now() - interval '2 days' where docker_name = 'filled-40';
insert into spare (id, image, tier, digest, fingerprint, memory_bytes, millicpus, docker_name, admin_sealed, seed_sealed, begun_at, made_at, memory_used)
select gen_random_uuid(), 'docker.io/library/postgres:17', 'standard', '', '', 536870912, 1000, 'spare-' || n, '', '',
       now() - n * interval '1 h', case when n < 3 then now() - n * interval '1 h' end, 41000000
  from generate_series(1, 3) n;
";

const LOG: &str = "
insert into log (at, actor, address, action, container_id, container_name, outcome, detail, request_id)
select now() - n * interval '13 min', (array['ada','grace','admin','reconciler'])[1 + n % 4],
       case when n % 4 = 3 then '' when n % 7 = 0 then '2001:db8:85a3:8d3:1319:8a2e:370:7348' else '10.20.30.' || n end,
       (array['session.sign_in','container.restart','container.edit','container.create','container.password_shown'])[1 + n % 5],
       case when n % 5 > 0 then c.id end, case when n % 5 > 0 then c.name else '' end,
       case when n % 11 = 0 then 'refused' when n % 17 = 0 then 'failed' else 'ok' end::log_outcome,
       case when n % 11 = 0 then 'wrong name or password, or disabled'
            when n % 17 = 0 then 'The server did not respond within 60 s of its last activity. It was stopped again; its data is unchanged.'
            else '' end, 'filled'
  from generate_series(1, 150) n join container c on c.docker_name = 'filled-' || (1 + n % 40);
insert into finding (subject, kind, detail, container_id, first_seen, last_seen)
select docker_name, 'missing', name || ' should be running but its container is missing; its data is kept', id,
       now() - interval '3 hours', now() from container where name = 'imaging-3';
insert into finding (subject, kind, detail, first_seen, last_seen)
values ('portal-handmade', 'unknown',
        'portal-handmade carries this portal''s label, but the portal does not know it',
        now() - interval '2 days', now());
insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, location, bytes, raw_bytes, manifest, level)
select gen_random_uuid(), id, 'backup', 'schedule', 'succeeded', now() - n * interval '1 day', now() - n * interval '1 day' + interval '8 s',
       'main', 'x', 12345678 * n, 98765432 * n, jsonb_build_object('schema', 1, 'backup', id, 'instance', 'filled', 'started_at', '2026-01-01T01:02:03Z',
       'finished_at', '2026-01-01T01:02:11Z', 'source', 'running server', 'databases', jsonb_build_array(dbname), 'objects', '[]'::jsonb,
       'container', jsonb_build_object('id', id, 'name', name, 'engine', engine, 'image', image, 'digest', '', 'version', '17.5', 'dbname', dbname,
         'dbuser', dbuser, 'owner', 'ada', 'contact', '', 'department', '', 'description', '', 'storage', 'standard', 'memory_bytes', 536870912,
         'millicpus', 1000, 'backup_freq', 'Daily', 'extensions', '[]'::jsonb),
       'counts', (select jsonb_agg(jsonb_build_object('database', dbname, 'kind', 'table', 'name', 'public.visits_' || k, 'rows', k))
                    from generate_series(1, 300) k),
       'exact_counts', true, 'fingerprints', n > 3, 'facts', '{}'::jsonb, 'config', '{}'::jsonb, 'notes', '[]'::jsonb), 2
  from container, generate_series(1, 5) n where purged_at is null and started_at is not null;
insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, drill_of, level, restore_ms)
select gen_random_uuid(), container_id, 'drill', 'first', 'succeeded', started_at + interval '1 h', started_at + interval '1 h 48 s', 'main', id, 5, 48210
  from backup_log where started_at < now() - interval '3 days';
insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, error)
select gen_random_uuid(), id, 'backup', 'manual', 'failed', now() - interval '2 h', now() - interval '2 h', 'main',
       'The dump exited with code 1. Output: pg_dump: error: connection to server was lost in the middle of a table'
  from container where purged_at is null and started_at is not null;
insert into backup_log (id, container_id, kind, reason, status, started_at, target, job_id)
select gen_random_uuid(), container_id, 'backup', 'final', 'running', started_at, 'main', id from job where kind = 'delete';
insert into snapshot (id, container_id, reason, image, image_after, requested_at, made_at, expires_at)
select gen_random_uuid(), id, r.reason, case r.reason when 'upgrade' then 'docker.io/library/postgres:15' else image end, image,
       now() - r.days * interval '1 day', now() - r.days * interval '1 day', now() + (7 - r.days) * interval '1 day'
  from container, (values ('restore', 1), ('upgrade', 3)) r (reason, days) where name = 'images-10' or docker_name = 'filled-16';
insert into snapshot (id, container_id, reason, image, image_after, requested_at, made_at, frozen_at, frozen_ms, bytes, note, expires_at)
select gen_random_uuid(), id, 'user', image, image, at, at, at, 40 + n, 1234567890, case n when 1 then 'before the new import of the visits of 2019 and the change of their types' else '' end,
       case n when 2 then now() + interval '3 days' end
  from container, generate_series(1, 3) n, lateral (select now() - n * interval '5 hours' as at) m where name = 'images-10' or docker_name = 'filled-16';
update container set cloned_from = (select id from container where docker_name = 'filled-16'), cloned_at = now() - interval '5 hours',
       origin = (select s.id from snapshot s join container c on c.id = s.container_id where c.docker_name = 'filled-16' and s.reason = 'user' order by s.made_at limit 1)
 where name = 'images-10';
insert into admin_backup (target, location, made_at, bytes, keys)
select 'main', 'lab/mydb_admin/' || to_char(at, 'YYYYMMDD\"T\"HH24MISS\"Z\"'), at, 2345678, n < 3
  from generate_series(0, 4) n, lateral (select now() - n * interval '1 hour' - interval '12 min' as at) m;
insert into notice (id, container_id, kind, text, at, tell_after)
select gen_random_uuid(), id, case when name = 'cohort-9' then 'backup_missed' else 'drill_failed' end,
       case when name = 'cohort-9' then 'A backup was due at ' || to_char(day, 'YYYY-MM-DD') || ' 02:10 UTC and was not made in time. The newest one is from '
                 || to_char(day - interval '1 day', 'YYYY-MM-DD') || ' 02:10 UTC. The database is stopped.'
            else 'The backup from ' || to_char(day - interval '1 day', 'YYYY-MM-DD') || ' 02:10 UTC could not be restored for proof: s3://backups/portal/019a/019b/database-1.pgdump.zst is not what was stored: its SHA-256 is '
                 || repeat('0a1b', 16) || ', and the manifest says ' || repeat('2c3d', 16) || '. This backup is damaged.' end,
       now() - interval '2 hours', now()
  from container, lateral (select (now() - interval '1 day') at time zone 'UTC' as day) d
 where name in ('imaging-3', 'cohort-9', 'longitudinal-cohort-follow-up-2019-00016', 'cohort-20');
update container set expires_at = now() + interval '20 hours', expiry_set_at = now() - interval '10 days', expiry_warned_at = now()
 where name in ('longitudinal-cohort-follow-up-2019-00016', 'cohort-20');
insert into notice (id, container_id, kind, text, at, tell_after)
select gen_random_uuid(), id, 'expires_soon',
       'The database expires at ' || to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC. It then stops and moves to the trash, where it is kept for 10 days. Extend it if you still need it.',
       now() - interval '1 hour', now()
  from container where name = 'longitudinal-cohort-follow-up-2019-00016';
insert into template (id, name, engine, image, storage, source, dbname, dbuser, memory_bytes, millicpus, ttl_seconds, users, description, created_by, created_at)
select gen_random_uuid(), name, 'postgres', 'docker.io/library/postgres:17', 'standard', name || '.sql.gz', 'course', 'course', 536870912, 1000, ttl,
       users, about, 'admin', now() - interval '40 days'
  from (values ('statistics-course-2026', 604800::bigint, '{}'::text[], 'Measurements of penguins, for the exercises of the course'),
               ('production-copy-without-personal-data-of-patients', null, '{ada,grace}', ''), ('new-one', null, '{}', '')) v (name, ttl, users, about);
insert into template_version (id, template_id, number, image, storage, dbname, dbuser, source, source_bytes, source_mtime, source_sha256,
                              requested_at, begun_at, made_at, failed_at, bytes, report, removed_at)
select gen_random_uuid(), t.id, n, t.image, t.storage, t.dbname, t.dbuser, t.source, 20971520 * n, at, repeat('0a1b2c3d', 8), at, at,
       case when n < 3 then at + interval '95 seconds' end, case when n = 3 then at + interval '4 seconds' end, case when n < 3 then 104857600 * n end,
       case when n < 3 then jsonb_build_object('format', 'pg-plain', 'tables', 12, 'rows', 344000) end, case when n = 3 then at end
  from template t, generate_series(1, 3) n, lateral (select now() - (4 - n) * interval '1 day' as at) m where t.name <> 'new-one';
insert into template_version (id, template_id, number, image, storage, dbname, dbuser, source, requested_at)
select gen_random_uuid(), id, 1, image, storage, dbname, dbuser, source, now() from template where name = 'new-one';
update template t set current_version = (select id from template_version v where v.template_id = t.id and number = 2);
with j as (insert into job (id, kind, status, attempt, run_at, lease_until, worker, created_by, created_at, started_at)
           select gen_random_uuid(), 'import-template', 'running', 1, now(), now() + interval '20 hours', 'elsewhere', 'templates',
                  now() - interval '40 s', now() - interval '40 s' returning id),
     s as (insert into job_step (job_id, seq, name, status, detail, started_at)
           select j.id, s.seq, s.name, case s.seq when 1 then 'running' else 'pending' end::step_status,
                  case s.seq when 1 then '412 MiB of 1.1 GiB, 46 MiB/s' else '' end, case s.seq when 1 then now() - interval '39 s' end
             from j, unnest(array['Load the dump', 'Count the content and stop the server', 'Put the version into use']) with ordinality as s (name, seq))
insert into template_version (id, template_id, number, job_id, image, storage, dbname, dbuser, source, requested_at)
select gen_random_uuid(), t.id, 4, j.id, t.image, t.storage, t.dbname, t.dbuser, t.source, now()
  from template t, j where t.name = 'production-copy-without-personal-data-of-patients';
with j as (insert into job (id, kind, status, run_at, created_by, created_at, started_at, finished_at, error)
           select gen_random_uuid(), 'import-template', 'failed', now(), 'templates', now() - interval '1 day', now() - interval '1 day', now() - interval '1 day',
                  'statistics-course-2026.sql.gz, line 4711: duplicate key value violates unique constraint penguins_pkey' || chr(10)
                  || 'INSERT INTO penguins VALUES (344, ''Gentoo'', ''Biscoe'', 46.1, 13.2, 211, 4500)' returning id)
update template_version set job_id = (select id from j) where number = 3 and source = 'statistics-course-2026.sql.gz';
";

/// A portal that does not change what a test writes into its tables.
pub async fn quiet_portal() -> TestPortal {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        config.jobs.reconcile = NEVER;
        config.jobs.usage = NEVER;
        config.jobs.survey = NEVER;
        config.jobs.reaper_every = NEVER;
        // Jobs that another worker is running keep running.
        config.jobs.lease = NEVER;
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let begin = std::time::Instant::now();
    // Each runs once at the start; only then is it safe to write.
    while portal.sql(
        "select count(*) from schedule where name in ('reconcile', 'usage', 'survey', 'reaper') and result is not null",
    ) != "4"
    {
        assert!(
            begin.elapsed() < crate::support::PATIENCE,
            "{}",
            portal.sql("select name, last_run, result from schedule")
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    portal
}

/// Writes the forty databases of [`OWNER`], who must exist.
pub fn fill(portal: &TestPortal) {
    for text in [CONTAINERS, RENAMED, JOBS, BACKUP, LOG, PURGED] {
        portal.sql(text);
    }
    portal.sql("analyze");
}

/// The newest good backup of a filled database.
pub fn backup_of(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select b.id from backup_log b join container c on c.id = b.container_id
          where c.name = '{name}' and b.kind = 'backup' and b.status = 'succeeded' order by b.started_at desc limit 1"
    ))
}

/// The previous data of a filled database, from its upgrade.
pub fn aside_of(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select s.id from snapshot s join container c on c.id = s.container_id where c.name = '{name}' and s.reason = 'upgrade'"
    ))
}

/// The job of a filled database.
pub fn job_of(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select j.id from job j join container c on c.id = j.container_id where c.name = '{name}' order by j.created_at desc limit 1"
    ))
}

/// The account of this user.
pub fn account_of(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!("select id from account where username = '{name}'"))
}
