//! The full cycle: a backup, its verification level, a test restore, and a restore into a new database.

use crate::backups::restore::restore_script;
use crate::backups::{back_up, objects};
use crate::support::{TestPortal, docker};

/// Objects that are difficult to dump.
const FILL: &str = r#"
create extension pg_trgm;
create schema "odd schema";
create table "odd schema"."it's ""quoted""" (id bigserial primary key, body text, at timestamptz default now(), f float8);
insert into "odd schema"."it's ""quoted""" (body, f) select 'row 🐘 ' || i || E'\n\\t', i / 3.0 from generate_series(1, 5000) i;
create index on "odd schema"."it's ""quoted""" (body);
create table empty ();
create table parent (id int primary key);
create table child (parent int references parent on delete cascade, blob bytea);
insert into parent select generate_series(1, 100);
insert into child select i, decode(repeat('00ff27225c', 1000), 'hex') from generate_series(1, 100) i;
create view odd as select count(*) from child;
create function twice(i int) returns int language sql as 'select i * 2';
select lo_from_bytea(0, 'a large object');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_is_restored_unchanged_and_verified() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(FILL).await.expect("the user may do all this");
    db.batch_execute("create database \"a second; one\"").await.expect("and make databases");
    let before = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(before.contains("you would lose everything in it"), "{before}");
    let list = ada.get("/").await.expect(200);
    let loss = list.all(".safety.warn");
    assert_eq!(loss.first().map(|text| text.trim()), Some("lose everything"), "there was no time for a backup yet");

    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.sql("select level || ' ' || status from backup_log where kind = 'backup'"), "2 succeeded");
    assert_eq!(portal.sql("select count(*) from upload"), "0", "no upload is left open");
    let names: Vec<_> =
        objects(&portal).iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(
        ["RESTORE.txt", "database-1.pgdump.zst", "database-2.pgdump.zst", "manifest.json", "roles.json.zst"]
            .iter()
            .all(|n| names.contains(&(*n).to_owned())),
        "{names:?}"
    );

    // The portal runs a test restore of a database's first backup without being asked.
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("a test restore passed in") && page.contains("restored, content matches"), "{page}");
    for path in ["/?sort=loss", "/containers/lab"] {
        let reply = ada.get(path).await.expect(200);
        let loss = reply.all(".safety.ok");
        assert!(loss.iter().any(|text| text.trim().starts_with("lose at most ")), "{path}: {loss:?}");
        assert!(reply.text().contains("proven today in"), "{path}: {}", reply.text());
    }
    let left = portal.containers();
    assert!(!left.iter().any(|n| n.contains("drill")), "{left:?}");

    // A restore must not contain changes made after the backup.
    db.batch_execute("drop table child cascade; update parent set id = id + 1000").await.expect("changes the data");
    let form = ada.get(&format!("/containers/lab/backups/{id}/restore")).await.expect(200).text();
    assert!(form.contains("New database name"), "{form}");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    let (status, error) = portal.ended("restore").await;
    assert_eq!(status, "succeeded", "{error}");
    let shown = ada.post("/containers/lab-2/password", &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let again = portal.connect("lab-2", &password).await.expect("the new password opens the new database");
    let row = again.query_one("select (select count(*) from child), (select sum(id) from parent), (select count(*) from \"odd schema\".\"it's \"\"quoted\"\"\"), twice(4)", &[]).await.expect("the copy is complete");
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2), row.get::<_, i32>(3)),
        (100, 5050, 5000, 8)
    );
    again
        .batch_execute("insert into child values (1, 'x'); create table mine (x int)")
        .await
        .expect("the user owns the copy");
    assert!(portal.connect("lab-2", "correct-horse").await.is_err(), "the old password does not open the copy");
    portal.connect("lab", "correct-horse").await.expect("the original is still available");

    // A restore without the portal, following the RESTORE.txt stored next to the backup.
    let image = docker::docker(&["inspect", "-f", "{{.Image}}", &portal.container("lab")]);
    let made = ["POSTGRES_PASSWORD=by-hand"];
    let plain = restore_script::restored(&portal, &id, &image, &made, "postgres", "PGPASSWORD=by-hand", "5432");
    let query = "select (select count(*) from child), (select sum(id) from parent), twice(4), (select count(*) from pg_roles where rolname = 'ada' and rolcanlogin)";
    let client = ["exec", &plain.name, "psql", "-X", "-At", "-U", "postgres", "-d", "trial", "-c", query];
    assert_eq!(docker::docker(&client), "100|5050|8|1");
    restore_script::refuses_damage(&plain, "database-1.pgdump.zst");
}
