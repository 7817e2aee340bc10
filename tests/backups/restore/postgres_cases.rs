//! The small inputs in `tests/cases/` that once broke backups and restores of PostgreSQL, combined in one database.

use crate::backups::back_up;
use crate::support::{Client, POSTGRES_15, POSTGRES_17, TestPortal, docker};

/// PostgreSQL 17 and later cannot create this view: while it is computed, only names with a schema are found.
const VIEW: &str = include_str!("../../cases/matview-function/setup.sql");
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
async fn what_broke_backups_of_17_comes_back_and_the_level_says_how() {
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
async fn what_broke_upgrades_of_15_comes_over() {
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
async fn what_is_in_large_objects_is_compared() {
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
