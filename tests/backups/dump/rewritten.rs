//! PostgreSQL tables that other sessions empty, rewrite or replace while a backup begins. To a snapshot from before, such a
//! table is empty.

use std::time::{Duration, Instant};

use crate::support::{Client, TestPortal, docker};

/// The portal's waiting or working sessions in `lab`, by their last statement.
fn count_sessions(portal: &TestPortal, condition: &str) -> usize {
    let run = format!(
        "exec psql -U \"$POSTGRES_USER\" -d postgres -XAtqc \"select count(*) from pg_stat_activity where usename = 'db4sci_observer' and {condition}\""
    );
    docker::docker_ok(&["exec", &portal.container("lab"), "sh", "-c", &run]).trim().parse().expect("a number")
}

async fn until_there_is(portal: &TestPortal, condition: &str) {
    let begin = Instant::now();
    while count_sessions(portal, condition) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no session: {condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn lab(more: &[(&str, &str)]) -> (TestPortal, Client, tokio_postgres::Client) {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[&[("backup_freq", "Never")], more].concat()).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill = "create table facts as select i from generate_series(1, 1000) i;
        create table kept as select i from generate_series(1, 500) i;
        create table exchanged as select i from generate_series(1, 300) i;
        create table made_again as select i from generate_series(1, 200) i";
    db.batch_execute(fill).await.expect("fills");
    (portal, ada, db)
}

/// The newest backup is proven and contains so many rows of these tables.
async fn contains(portal: &TestPortal, rows: &str) {
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    let counted = portal.sql(
        "select level || ' ' || string_agg(c->>'name' || ' ' || (c->>'rows'), ' ' order by c->>'name')
           from backup_log, jsonb_array_elements(manifest->'counts') c
          where backup_log.kind = 'backup' and c->>'name' ~ '^public.(facts|kept|exchanged|made_again)' group by backup_log.id, level",
    );
    assert_eq!(counted, format!("5 {rows}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_rewritten_while_a_backup_waits_for_them_are_backed_up_with_their_new_rows() {
    let (portal, ada, db) = lab(&[]).await;
    let rewrite = "begin; truncate facts; insert into facts select i from generate_series(1, 2000) i;
        alter table kept alter i type bigint;
        alter table exchanged rename to exchanged_before; create table exchanged as select i + 1 as i from exchanged_before;
        drop table made_again; create table made_again as select i from generate_series(1, 201) i";
    db.batch_execute(rewrite).await.expect("rewrites");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    until_there_is(&portal, "wait_event_type = 'Lock'").await;
    db.batch_execute("commit").await.expect("commits");
    let rows =
        "public.exchanged 300 public.exchanged_before 300 public.facts 2000 public.kept 500 public.made_again 201";
    contains(&portal, rows).await;
    assert_eq!(portal.sql("select attempt from job where kind = 'backup'"), "1", "nothing was uploaded in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_emptied_before_its_rows_are_dumped_makes_the_backup_begin_again() {
    // A value of this size is counted before the dump, so there is time between the two.
    let (portal, ada, db) = lab(&[("memory", "512m")]).await;
    let fill = "create table a_slow as select i, repeat(md5(i::text), 20) as body from generate_series(1, 300000) i;
        create table large (body text);
        alter table large alter body set storage external;
        insert into large select repeat('x', 30000000)";
    db.batch_execute(fill).await.expect("fills");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    until_there_is(&portal, "query like '%a_slow AS db4sci_row%'").await;
    db.batch_execute("begin; truncate facts; insert into facts select i from generate_series(1, 3000) i; commit")
        .await
        .expect("rewrites");
    contains(&portal, "public.exchanged 300 public.facts 3000 public.kept 500 public.made_again 200").await;
    assert_eq!(portal.sql("select attempt from job where kind = 'backup'"), "2");
}
