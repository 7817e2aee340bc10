//! A restore computes materialized views and checks under the settings of their owner and database.

use reqwest::Method;
use serde_json::json;

use crate::backups::back_up;
use crate::support::{TestPortal, docker};

/// A setting of the owner's own, which only an administrator can set for a database.
const TENANT: &str = r"alter database trial set app.tenant = E'it''s \\ mine'";
/// Settings on which expressions depend.
const SETTINGS: &str = "alter database trial set timezone = 'Europe/Berlin';
    alter role ada in database trial set default_text_search_config = 'pg_catalog.german';
    alter database trial set datestyle = 'German, DMY'";
const FILL: &str = "create table e (ts timestamptz, d date check (d = ts::date));
    insert into e values ('2026-01-01 00:30+01', '01.01.2026'), ('2026-06-30 23:30+02', '30.06.2026');
    create table t (written text);
    insert into t values ('01/02/2026');
    create materialized view per_day as select date_trunc('day', ts) as day, count(*) as n from e group by 1;
    create materialized view words as select to_tsvector('die Häuser')::text as v;
    create materialized view mine as select current_setting('app.tenant') as v;
    create materialized view read as select written::date as v from t";
const COMPUTED: &str = "set datestyle = 'ISO, DMY'; set timezone = 'UTC';
    select (select string_agg(day || ' ' || n, ', ' order by day) from per_day), (select v from words), (select v from mine), (select v from read)";
const EXPECTED: &str = r"2025-12-31 23:00:00+00 1, 2026-06-29 22:00:00+00 1|'haus':2|it's \ mine|2026-02-01";

fn as_admin(portal: &TestPortal, name: &str, database: &str, statement: &str) -> String {
    let run = "exec psql -U \"$POSTGRES_USER\" -d \"$0\" -XAtqc \"$1\"";
    docker::docker_ok(&["exec", &portal.container(name), "sh", "-c", run, database, statement]).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_settings_of_a_database_is_restored_as_it_was() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let token = portal.token(&ada).await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    as_admin(&portal, "lab", "postgres", TENANT);
    for statements in [SETTINGS, FILL] {
        portal.connect("lab", "correct-horse").await.expect("signs in").batch_execute(statements).await.expect("fills");
    }
    let computed = |name: &str, database: &str| as_admin(&portal, name, database, COMPUTED);
    assert_eq!(computed("lab", "trial"), EXPECTED);
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(computed("copy", "trial"), EXPECTED);

    // As a copy in the running server.
    let path = format!("/api/v1/backups/{id}/restore");
    let body = json!({ "beside": true, "only": { "database": "trial" } });
    token.json(Method::POST, &path, &body).await.expect(202);
    assert_eq!(portal.ended("restore-beside").await, ("succeeded".to_owned(), String::new()));
    let name = as_admin(&portal, "lab", "postgres", "select datname from pg_database where datname ~ '_restored_'");
    assert_eq!(computed("lab", &name), EXPECTED);
}
