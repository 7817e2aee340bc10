//! A partial restore whose strict first attempt fails: the second attempt succeeds and reports what was rejected.

use reqwest::Method;
use serde_json::json;

use crate::backups::back_up;
use crate::support::{Client, POSTGRES_17, TestPortal, docker};

const SITES: &str = include_str!("../../cases/generated-column/setup.sql");
/// A setting of the database puts this schema first in the search path.
const PATH: &str =
    "create schema far; create function far.twice(i int) returns int language sql immutable as 'select i * 2';
    create function far.again(i int) returns int language plpgsql immutable as 'begin return twice(i); end';
    set search_path = far, public;
    create table public.doubled (i int, d int generated always as (far.again(i)) stored); insert into public.doubled (i) values (21);
    alter database trial set search_path = far, public";

fn psql(portal: &TestPortal, name: &str, database: &str, statement: &str) -> String {
    let container = portal.container(name);
    let on = format!("PGDATABASE={database}");
    docker::docker(&["exec", "-e", &on, &container, "psql", "-X", "-At", "-U", "db4sci_admin", "-c", statement])
}

fn steps(portal: &TestPortal, kind: &str) -> String {
    portal.sql(&format!(
        "select string_agg(s.detail, ' ') from job_step s
          where s.job_id = (select id from job where kind = '{kind}' order by created_at desc limit 1)"
    ))
}

/// Waits for a restore to succeed and checks that its steps report a second attempt.
async fn told(portal: &TestPortal, kind: &str) -> String {
    let (status, error) = portal.ended(kind).await;
    assert_eq!(status, "succeeded", "{kind}: {error}");
    let said = steps(portal, kind);
    assert!(said.contains("Restored in a second attempt, because the first failed: "), "{kind}: {said}");
    said
}

async fn beside(portal: &TestPortal, token: &Client, id: &str, only: serde_json::Value) -> String {
    let path = format!("/api/v1/backups/{id}/restore");
    token.json(Method::POST, &path, &json!({ "beside": true, "only": only })).await.expect(202);
    told(portal, "restore-beside").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_postgres_that_needs_a_second_attempt_gets_one() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let token = portal.token(&ada).await;
    ada.create("lab", &[("image", POSTGRES_17)]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(SITES).await.expect("makes");
    db.batch_execute(PATH).await.expect("makes");
    drop(db);
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");

    // Tables, then a database, as copies next to the existing ones.
    for (table, column, value) in [("sites", "slug", "lodz zurich"), ("doubled", "d::text", "42")] {
        beside(&portal, &token, &id, json!({ "database": "trial", "table": format!("public.{table}") })).await;
        let schema = psql(
            &portal,
            "lab",
            "trial",
            "select nspname from pg_namespace where nspname ~ '^restored_' order by oid desc limit 1",
        );
        let value_of = format!("select string_agg({column}, ' ' order by {column}) from {schema}.{table}");
        assert_eq!(psql(&portal, "lab", "trial", &value_of), value);
        psql(&portal, "lab", "trial", &format!("drop schema {schema} cascade"));
    }
    beside(&portal, &token, &id, json!({ "database": "trial" })).await;
    let database = psql(&portal, "lab", "postgres", "select datname from pg_database where datname ~ '_restored_'");
    assert_eq!(
        psql(&portal, "lab", &database, "select string_agg(slug, ' ' order by id) from public.sites"),
        "zurich lodz"
    );
    assert_eq!(psql(&portal, "lab", &database, "select d from public.doubled"), "42");
    let left = "select count(*) from pg_roles where rolname ~ '^db4sci_as_'";
    assert_eq!(psql(&portal, "lab", "postgres", left), "0");

    // A table into a new database.
    let path = format!("/api/v1/backups/{id}/restore");
    let only = json!({ "database": "trial", "table": "public.doubled" });
    token.json(Method::POST, &path, &json!({ "name": "copy", "only": only })).await.expect(202);
    told(&portal, "restore").await;
    assert_eq!(psql(&portal, "copy", "trial", "select d from public.doubled"), "42");
}
