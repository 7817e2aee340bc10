//! The small inputs in `tests/cases/` that once broke backups and restores of PostgreSQL, combined in one database.

use crate::backups::back_up;
use crate::support::{Client, POSTGRES_15, POSTGRES_17, TestPortal, docker};

/// PostgreSQL 17 and later cannot create this view: while it is computed, only names with a schema are found.
const VIEW: &str = include_str!("../../cases/matview-function/setup.sql");
const INVALID_INDEX: &str = include_str!("../../cases/invalid-index/setup.sql");
const CASES: &[&str] = &[
    include_str!("../../cases/cast-as-admin/setup.sql"),
    include_str!("../../cases/cast-that-fails/setup.sql"),
    include_str!("../../cases/extension-owner/setup.sql"),
    include_str!("../../cases/generated-column/setup.sql"),
    VIEW,
    include_str!("../../cases/search-path/setup.sql"),
    include_str!("../../cases/upgrade-extensions/setup.sql"),
    include_str!("../../cases/template-main/setup.sql"),
];

fn ask(portal: &TestPortal, name: &str, database: &str, statement: &str) -> String {
    let container = portal.container(name);
    let on = format!("PGDATABASE={database}");
    docker::docker(&["exec", "-e", &on, &container, "psql", "-X", "-At", "-U", "db4sci_admin", "-c", statement])
}

/// Creates a server with all of the cases, a database that is closed to connections, and settings of the role.
async fn filled(portal: &TestPortal, ada: &Client, image: &str) {
    ada.create("lab", &[("image", image)]).await;
    for case in CASES.iter().filter(|case| image == POSTGRES_15 || **case != VIEW) {
        let db = portal.connect("lab", "correct-horse").await.expect("signs in");
        db.batch_execute("set search_path = public").await.expect("sets");
        db.batch_execute(case).await.unwrap_or_else(|e| panic!("{case}: {e:?}"));
    }
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("set search_path = public").await.expect("sets");
    // One of these fails on purpose. No statement can be sent together with it.
    for statement in INVALID_INDEX.split_inclusive(';').filter(|text| text.contains(';')) {
        let done = db.batch_execute(statement).await;
        assert_eq!(done.is_err(), statement.contains("CONCURRENTLY"), "{statement}: {done:?}");
    }
    for statement in [
        "create database closed",
        "alter database closed connection limit 3",
        "alter database closed allow_connections false",
        "comment on database closed is 'nobody gets in'",
        "alter role ada set search_path = ''",
    ] {
        db.batch_execute(statement).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }
}

/// Everything is there unchanged.
fn whole(portal: &TestPortal, name: &str) {
    let said = |database: &str, statement: &str| ask(portal, name, database, statement);
    assert_eq!(said("trial", "select count(*) from public.fixture"), "1000", "{name}");
    assert_eq!(said("trial", "select string_agg(slug, ' ' order by id) from public.sites"), "zurich lodz", "{name}");
    let settings = "select string_agg(concat_ws(' ', d.datname, r.rolname, c), '; ' order by d.datname, r.rolname, c) from pg_db_role_setting s
       left join pg_database d on d.oid = setdatabase left join pg_roles r on r.oid = setrole, unnest(setconfig) c
      where coalesce(r.rolname, '') <> 'db4sci_observer'";
    assert_eq!(
        said("postgres", settings),
        "trial ada search_path=ctgov, public; trial DateStyle=ISO, DMY; trial search_path=ctgov, public; ada search_path=\"\"",
        "{name}"
    );
    let owners = "select string_agg(extname || ' ' || extowner::regrole, ', ' order by extname) from pg_extension where extname <> 'plpgsql'";
    assert_eq!(said("trial", owners), "citext ada, fuzzystrmatch ada, hstore ada, ltree ada, unaccent ada", "{name}");
    let flags = "select string_agg(concat_ws(' ', datname, datistemplate, datallowconn, datconnlimit, shobj_description(oid, 'pg_database')), '; ' order by datname)
       from pg_database where datname !~ '^template|postgres'";
    assert_eq!(said("postgres", flags), "closed f f 3 nobody gets in; trial t t -1", "{name}");
    assert_eq!(said("postgres", "select count(*) from pg_roles where rolsuper"), "1", "{name}");
    assert_eq!(said("postgres", "select count(*) from pg_tables where tablename = 'record'"), "0", "{name}");
}

async fn well(portal: &TestPortal, kind: &str) {
    let (status, error) = portal.ended(kind).await;
    assert_eq!(status, "succeeded", "{kind}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn difficult_postgres_17_objects_are_restored_at_the_right_level() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    filled(&portal, &ada, POSTGRES_17).await;
    let id = back_up(&portal, &ada, "lab").await;
    whole(&portal, "lab");
    well(&portal, "drill").await;
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "4");
    let said = portal
        .sql("select string_agg(detail, ' ') from job_step s join job j on j.id = s.job_id where j.kind = 'drill'");
    assert!(said.contains("Restored in a second attempt") && said.contains("unaccent"), "{said}");
    let form = format!("/containers/lab/backups/{id}/restore");
    ada.post(&form, &[("name", "copy")]).await.expect(303);
    well(&portal, "restore").await;
    whole(&portal, "copy");
    ada.post(&form, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
    well(&portal, "restore-in-place").await;
    ada.wait_for("lab", "running").await;
    whole(&portal, "lab");
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("drop extension hstore").await.expect("the user owns the extension");
}

#[tokio::test(flavor = "multi_thread")]
async fn difficult_postgres_15_objects_survive_an_upgrade() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    filled(&portal, &ada, POSTGRES_15).await;
    ada.post("/containers/lab/upgrade", &[("image", POSTGRES_17), ("confirm", "lab")]).await.expect(303);
    well(&portal, "upgrade").await;
    ada.wait_for("lab", "running").await;
    whole(&portal, "lab");
    // The view is there, but the newer server cannot compute its rows.
    let view = "select count(*) from pg_matviews where matviewname = 'totals'";
    assert_eq!(ask(&portal, "lab", "trial", view), "1");
    let said = portal
        .sql("select string_agg(detail, ' ') from job_step s join job j on j.id = s.job_id where j.kind = 'upgrade'");
    assert!(said.contains("Not rebuilt: ") && said.contains("totals"), "{said}");
}

/// Creates large objects: one of several pages, an empty one, one with a hole, one that no other role may read.
const LARGE: &str = "select lo_from_bytea(90001, convert_to(repeat('0123456789abcdef', 200000), 'UTF8'));
    select lo_create(90002);
    select lo_put(lo_create(90003), 5000000, 'end');
    select lo_from_bytea(90004, 'secret');
    revoke all on large object 90004 from public";

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_large_objects_are_compared() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    for (name, image) in [("late", POSTGRES_17), ("early", POSTGRES_15)] {
        ada.create(name, &[("image", image), ("backup_freq", "Never")]).await;
        let db = portal.connect(name, "correct-horse").await.expect("signs in");
        db.batch_execute(LARGE).await.expect("makes them");
        let mut known = Vec::new();
        // Every changed byte is detected, also at the end of a page and behind a hole; so is a removed object.
        for change in
            ["", "select lo_put(90001, 1048576, 'x')", "select lo_put(90003, 5000002, 'x')", "select lo_unlink(90002)"]
        {
            db.batch_execute(change).await.unwrap_or_else(|e| panic!("{change}: {e:?}"));
            let id = back_up(&portal, &ada, name).await;
            let counted = portal.sql(&format!(
                "select c->>'rows' || ' ' || (c->>'fingerprint') from backup_log, jsonb_array_elements(manifest->'counts') c
                  where id = '{id}' and c->>'name' = 'large object' and c->>'database' = 'trial'"
            ));
            assert!(counted.starts_with(if change.contains("unlink") { "3 " } else { "4 " }), "{change}: {counted}");
            assert!(!known.contains(&counted), "{change}: {counted} of {known:?}");
            if change.is_empty() {
                well(&portal, "drill").await;
                assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
            }
            known.push(counted);
        }
        docker::docker(&["stop", &portal.container(name)]);
    }
}

/// What pg_dump leaves out of a complete dump: a view that reads one without data, and what belongs to the database
/// `postgres`.
const LEFT_OUT: &str = "create table g (id int); insert into g values (1);
    create materialized view mv1 as select id from g; create view between as select * from mv1;
    create materialized view mv2 as select id from between; create materialized view mv3 as select id from g;
    refresh materialized view mv1 with no data;
    alter role ada in database postgres set work_mem = '9MB';
    create extension hstore; comment on extension hstore is E'it''s | ours \\\\\nand yours';
    create extension unaccent; comment on extension unaccent is null";

/// Tables that a restore creates in another way: inherited columns come first, and rows are distributed over partitions by
/// other hashes.
const MOVED: &str = "create table p (id int primary key, a text); create table c (own int) inherits (p);
    create table gc (more text) inherits (c); create table q (early text); create table two (o int) inherits (q, p);
    alter table p add column late text; alter table q add column x int;
    insert into c values (1, 'a', 5, 'late'); insert into gc (id, own, more, late) values (2, 6, 'm', 'l');
    insert into two (early, id, o, x) values ('e', 3, 4, 5);
    create type hue as enum ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
    create table hues (h hue, n int) partition by hash (h);
    create table hues_0 partition of hues for values with (modulus 3, remainder 0);
    create table hues_1 partition of hues for values with (modulus 3, remainder 1);
    create table hues_2 partition of hues for values with (modulus 3, remainder 2);
    insert into hues select (enum_range(null::hue))[1 + i % 10], i from generate_series(1, 50) i";

/// Members of an extension, which pg_dump takes for parts of the extension.
const MEMBERS: &str = "create extension citext;
    create function f() returns int language sql as 'select 1'; alter extension citext add function f();
    create domain whole as int; alter extension citext add domain whole;
    create sequence numbers; alter extension citext add sequence numbers;
    create type pair as (a int); create function as_text(pair) returns text language sql return 'x';
    create cast (pair as text) with function as_text(pair); alter extension citext add cast (pair as text)";

#[tokio::test(flavor = "multi_thread")]
async fn objects_missing_from_dumps_are_named() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(LEFT_OUT).await.expect("makes them");
    db.batch_execute(MOVED).await.expect("makes them");
    ask(&portal, "lab", "postgres", "set session authorization ada; select lo_from_bytea(4242, 'x')");
    let id = back_up(&portal, &ada, "lab").await;
    well(&portal, "drill").await;
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let notes = portal.sql(&format!("select manifest->>'notes' from backup_log where id = '{id}'"));
    let told = ["without data: public.mv2. ", "The database postgres is", "large objects: 1. "];
    assert!(told.iter().all(|told| notes.contains(told)), "{notes}");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    well(&portal, "restore").await;
    let set = "select string_agg(c, ' ') from pg_db_role_setting s join pg_database d on d.oid = setdatabase, unnest(setconfig) c
                where datname = 'postgres'";
    assert_eq!(ask(&portal, "copy", "postgres", set), "work_mem=9MB");

    db.batch_execute(MEMBERS).await.expect("makes them");
    let id = back_up(&portal, &ada, "lab").await;
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "failed", "{error}");
    assert_eq!(portal.sql(&format!("select level < 5 from backup_log where id = '{id}'")), "t");
    for lost in ["function public.f()", "type public.whole", "sequence public.numbers", "cast from public.pair to text"]
    {
        let sentence = format!("Extension citext's {lost} in trial is missing.");
        assert!(error.contains(&sentence), "{sentence}: {error}");
    }
}
