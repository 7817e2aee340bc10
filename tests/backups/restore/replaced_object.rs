//! Somebody replaces a dump in the bucket by another one of the same size. Restoring a part as a copy happens in the
//! running server, so nothing of that dump may run there.

use reqwest::Method;
use serde_json::json;

use crate::backups::import::load::shell;
use crate::backups::{back_up, objects};
use crate::support::{TestPortal, docker};

/// The statement that makes a table in the other dump, and the one that replaces it.
const TABLE: &[u8] = b"CREATE TABLE public.table_that_is_not_made";
const STATEMENT: &[u8] = b"CREATE DATABASE intruded; -- not a table  ";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_dump_replaced_in_the_bucket_runs_in_a_running_server() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    // Longer than what is read before the restore begins, and shorter when compressed than the real one.
    let other = "create table public.noise as select repeat('x', 1000) as body from generate_series(1, 20000);
        create table public.table_that_is_not_made (i int)";
    db.batch_execute(other).await.expect("fills");
    let dump =
        "docker exec -e PGPASSWORD=correct-horse CONTAINER pg_dump -h 127.0.0.1 -U ada -Fc --compress=0 trial > other";
    shell(&dump.replace("CONTAINER", &portal.container("lab")), &portal.dir);
    let real = "drop table public.table_that_is_not_made;
        update public.noise set body = md5(random()::text) || md5(random()::text) || md5(random()::text)";
    db.batch_execute(real).await.expect("fills");
    let backup = back_up(&portal, &ada, "lab").await;

    let mut bytes = std::fs::read(portal.dir.join("other")).expect("the other dump");
    let at = bytes.windows(TABLE.len()).position(|part| part == TABLE).expect("the statement is there");
    bytes[at..at + TABLE.len()].copy_from_slice(STATEMENT);
    let end = bytes[at..].windows(2).position(|part| part == b";\n").expect("the statement ends");
    bytes[at + TABLE.len()..at + end].fill(b' ');
    let mut stored = zstd::encode_all(&bytes[..], 19).expect("compresses");
    let object = objects(&portal).into_iter().find(|p| p.to_string_lossy().contains("database-1.")).expect("the dump");
    let length = std::fs::metadata(&object).expect("the object").len();
    // A frame that decompressors skip, up to the size in the manifest.
    let rest = u32::try_from(length).expect("small") - u32::try_from(stored.len()).expect("small") - 8;
    stored.extend([0x50, 0x2a, 0x4d, 0x18]);
    stored.extend(rest.to_le_bytes());
    stored.resize(usize::try_from(length).expect("small"), 0);
    std::fs::write(&object, stored).expect("replaces the object");

    let token = portal.token(&ada).await;
    let path = format!("/api/v1/backups/{backup}/restore");
    for only in [json!({ "database": "trial" }), json!({ "database": "trial", "table": "public.noise" })] {
        token.json(Method::POST, &path, &json!({ "beside": true, "only": only })).await.expect(202);
        let (status, error) = portal.ended("restore-beside").await;
        assert!(status == "failed" && error.contains("This backup is damaged."), "{status}: {error}");
        let look = "exec psql -U \"$POSTGRES_USER\" -d postgres -XAtqc \"select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate\"";
        let databases = docker::docker_ok(&["exec", &portal.container("lab"), "sh", "-c", look]);
        assert_eq!(databases.trim(), "postgres trial");
    }
}
