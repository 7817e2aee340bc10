//! Unusual backups: a later format, a database that disappears, very many tables, large and incompressible values, and
//! an empty database.

use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;

use crate::backups::{back_up, cli, nothing_left, object, objects};
use crate::engines::fields;
use crate::support::{Client, PATIENCE, TestPortal, docker};

async fn proven(portal: &TestPortal, client: &Client, name: &str) -> String {
    let id = back_up(portal, client, name).await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()), "{name}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5", "{name}");
    id
}

/// Peak memory of this process in MiB, which includes the portal.
pub fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel provides it");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn later_manifest_formats_are_rejected_and_a_vanished_database_fails_the_backup() {
    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    // The database is empty.
    let id = proven(&portal, &ada, "lab").await;

    let manifest = object(&portal, &id, "manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("read");
    let later = text.replacen("\"schema\": 1", "\"schema\": 3", 1).replacen("\"objects\"", "\"things\"", 1);
    assert_ne!(text, later);
    std::fs::write(&manifest, &later).expect("written");
    // As if a newer portal had stored it like this: a manifest with another checksum is not even read.
    let sum = portal.sql(&format!("select encode(sha256, 'hex') from backup_log where id = '{id}'"));
    let stored = |sum: &str| {
        portal.sql(&format!("update backup_log set sha256 = decode('{sum}', 'hex') where id = '{id}'"));
    };
    stored(&hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&later)));
    let sentence = "It was made by a newer portal; use that version to restore it.";
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert!(status == "failed" && error.contains(sentence), "{status} {error}");
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("The last test restore failed"), "{page}");
    let job = portal.sql("select id from job where kind = 'drill' order by created_at desc limit 1");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains(sentence), "{page}");
    let restore = format!("/containers/lab/backups/{id}/restore");
    ada.post(&restore, &[("name", "copy")]).await.expect(303);
    let (status, error) = portal.ended("restore").await;
    assert!(status == "failed" && error.contains(sentence), "{status} {error}");
    let page = ada.get("/containers/copy").await.expect(200).text();
    assert!(page.contains(sentence), "{page}");
    ada.post(&restore, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
    let (status, error) = portal.ended("restore-in-place").await;
    assert!(status == "failed" && error.contains(sentence), "{status} {error}");
    ada.wait_for("lab", "running").await;
    nothing_left(&portal, 1);
    assert_eq!(
        portal.sql(&format!("select level from backup_log where id = '{id}'")),
        "5",
        "the level of the earlier test restore remains"
    );

    // The same for a backup that mydb_admin does not know: a copy under another id.
    let here = manifest.parent().expect("its place");
    let other = uuid::Uuid::from_u128(7).to_string();
    let there = here.with_file_name(&other);
    std::fs::create_dir(&there).expect("made");
    for file in objects(&portal).iter().filter(|p| p.parent() == Some(here)) {
        std::fs::copy(file, there.join(file.file_name().expect("a name"))).expect("copied");
    }
    std::fs::write(there.join("manifest.json"), later.replace(&id, &other)).expect("written");
    let page = admin.get("/admin/backups/find?target=local").await.expect(200).text();
    assert!(page.contains(&other) && page.contains(sentence), "{page}");
    let place = portal.sql(&format!("select replace(location, '{id}', '{other}') from backup_log where id = '{id}'"));
    admin.post("/admin/backups/import", &[("target", "local"), ("location", &place)]).await.expect(303);
    let page = admin.get("/admin/backups/find?target=local").await.expect(200).text();
    assert!(page.matches(sentence).count() >= 2, "the error and the list give the reason: {page}");
    let (code, said) = cli(&portal, &["backup", "import", "--target", "local", "--owner", "ada", &place]);
    assert!(code == 1 && said.contains(sentence), "{code} {said}");
    std::fs::remove_dir_all(&there).expect("removed");
    std::fs::write(&manifest, text).expect("written");
    stored(&sum);

    // A second database is dropped after the databases have been listed, while the first is dumped.
    let inside = portal.container("lab");
    let as_admin = |statement: &str| {
        let said = std::process::Command::new("docker")
            .args([
                "exec",
                &inside,
                "sh",
                "-c",
                "exec psql -U \"$POSTGRES_USER\" -d postgres -XAtqc \"$1\"",
                "sh",
                statement,
            ])
            .output()
            .expect("docker is installed");
        assert!(said.status.success(), "{statement}: {}", String::from_utf8_lossy(&said.stderr));
    };
    as_admin("create database zoo");
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t (x int)").await.expect("makes");
    db.batch_execute("begin; lock table t in access exclusive mode").await.expect("locks");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let waits = "select count(*) from pg_locks where not granted";
    let begin = Instant::now();
    while db.query_one(waits, &[]).await.map_or(0, |row| row.get::<_, i64>(0)) == 0 {
        assert!(begin.elapsed() < PATIENCE, "pg_dump did not wait for the lock in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    as_admin("drop database zoo");
    db.batch_execute("commit").await.expect("lets go");
    let (status, error) = portal.ended("backup").await;
    assert!(status == "failed" && error.contains("zoo") && error.contains("does not exist"), "{status} {error}");
    assert!(objects(&portal).iter().all(|p| p.to_string_lossy().contains(&id)), "{:?}", objects(&portal));
    back_up(&portal, &ada, "lab").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn very_many_tables_and_large_values_are_restored() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("blobs", &[("backup_freq", "Never")]).await;
    let db = portal.connect("blobs", "correct-horse").await.expect("signs in");
    // Incompressible values: in the full run 120 MB in rows and 80 MB in large objects, otherwise a quarter of that.
    let (times, most) = if std::env::var_os("DB4SCI_TEST_FULL").is_some() { (9, 84) } else { (2, 20) };
    db.batch_execute(&format!(
        "create table b as select i, (select decode(string_agg(md5(random()::text || i || j), ''), 'hex')
                                        from generate_series(1, 65536) j) as body from generate_series(1, 12) i;
         alter table b alter body set storage external;
         insert into b select i + 12 * k, body || int4send(k) from b, generate_series(1, {times}) k;
         do $$ declare r record; begin
           for r in select body from b where i <= {most} loop perform lo_from_bytea(0, r.body); end loop; end $$"
    ))
    .await
    .expect("fills");
    let (before, begin) = (peak(), Instant::now());
    let id = proven(&portal, &ada, "blobs").await;
    println!("Blobs: {:.1} s, {} MiB more memory", begin.elapsed().as_secs_f64(), peak() - before);
    let bytes: u64 = portal.sql(&format!("select bytes from backup_log where id = '{id}'")).parse().expect("a number");
    assert!(bytes > (12 * (times + 1) + most) * 1_000_000, "{bytes}");

    ada.create("many", &[("backup_freq", "Never")]).await;
    let db = portal.connect("many", "correct-horse").await.expect("signs in");
    // In several transactions, because each table takes a lock.
    for thousand in 0..10 {
        let fill = format!(
            "do $$ begin for i in 1..1000 loop execute format('create table t%s as select %s as x', i + {thousand}000, i);
             end loop; end $$"
        );
        db.batch_execute(&fill).await.expect("fills");
    }
    let begin = Instant::now();
    let id = proven(&portal, &ada, "many").await;
    println!("10,000 tables: {:.1} s", begin.elapsed().as_secs_f64());
    let counted = portal.sql(&format!(
        "select count(*) from backup_log, jsonb_array_elements(manifest->'counts') c where id = '{id}' and c->>'kind' = 'table'"
    ));
    assert_eq!(counted, "10000");
    nothing_left(&portal, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_is_dumped_and_counted_within_the_memory_limit() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never"), ("memory", "512m")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill = "create table big (id int, body bytea storage external);
        insert into big values (1, decode(repeat('00ff00aa', 10000000), 'hex'))";
    db.batch_execute(fill).await.expect("fills");
    proven(&portal, &ada, "lab").await;
    // A server that ran out of memory would have ended this session.
    db.batch_execute("select").await.expect("the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_postgres_backups_are_named_and_privileges_kept() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let as_admin = |name: &str, database: &str, statement: &str| {
        let run = "exec psql -U \"$POSTGRES_USER\" -d \"$0\" -XAtqc \"$1\"";
        docker::docker_ok(&["exec", &portal.container(name), "sh", "-c", run, database, statement]).trim().to_owned()
    };
    for statement in [
        "create database mule owner ada encoding 'MULE_INTERNAL' locale 'C' template template0",
        "grant connect on database trial to public",
        "create extension postgres_fdw",
        "create server away foreign data wrapper postgres_fdw options (host '127.0.0.1')",
        "create user mapping for ada server away options (user 'x', password 'y')",
        "create database cut owner ada",
        "alter database cut set timezone = 'UTC'",
        "comment on database cut is 'cut'",
        "update pg_database set datconnlimit = -2 where datname = 'cut'",
        "create subscription sub connection 'host=127.0.0.1 dbname=x' publication p with (connect = false)",
    ] {
        as_admin("lab", "trial", statement);
    }
    let id = back_up(&portal, &ada, "lab").await;
    let notes = portal.sql(&format!("select manifest->>'notes' from backup_log where id = '{id}'"));
    for told in [
        "user mappings",
        "ada on away",
        "these subscriptions are not in the backup: sub",
        "mule was left out",
        "cut was left out",
    ] {
        assert!(notes.contains(told), "{told}: {notes}");
    }
    // Objects that a backup leaves out do not count as missing.
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    assert_eq!(portal.ended("restore").await.0, "succeeded");
    ada.wait_for("copy", "running").await;
    let granted = "select exists (select from pg_database, aclexplode(datacl) where datname = 'trial' and grantee = 0)";
    assert_eq!(as_admin("copy", "postgres", granted), "t", "the restore revoked what the owner granted");

    // A portal that is killed leaves a database open that it has opened for a dump. The next backup closes it.
    as_admin("lab", "postgres", "create database shut owner ada");
    as_admin(
        "lab",
        "postgres",
        "insert into db4sci.opened select oid, false, 3 from pg_database where datname = 'shut'",
    );
    back_up(&portal, &ada, "lab").await;
    let closed = "select datallowconn || ' ' || datconnlimit from pg_database where datname = 'shut'";
    assert_eq!(as_admin("lab", "postgres", closed), "false 3");

    // A new password neither revokes it nor makes a database again that its owner has renamed.
    as_admin("copy", "postgres", "alter database trial rename to other");
    ada.post("/containers/copy/rotate-password", &[]).await.expect(303);
    assert_eq!(portal.ended("rotate-password").await.0, "succeeded");
    assert_eq!(as_admin("copy", "postgres", "select count(*) from pg_database where datname = 'trial'"), "0");
    assert_eq!(as_admin("copy", "postgres", &granted.replace("trial", "other")), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_databases_are_backed_up_too() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    for (engine, image) in
        [(EngineKind::Mariadb, "docker.io/library/mariadb:11.8"), (EngineKind::Mongodb, "docker.io/library/mongo:6.0")]
    {
        let name = engine.to_string();
        let mut more = fields(engine, image);
        more.push(("storage", "cow".to_owned()));
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ada.submit_create(&name, &more).await.expect(303);
    }
    for name in ["mariadb", "mongodb"] {
        ada.wait_for(name, "running").await;
        let begin = Instant::now();
        proven(&portal, &ada, name).await;
        println!("an empty {name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    let left = docker::containers(&portal.instance);
    assert_eq!(left.len(), 2, "{left:?}");
}
