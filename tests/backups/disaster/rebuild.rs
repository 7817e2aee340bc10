//! A rebuild of the complete portal from the bucket and the recovery key alone.

use std::sync::Arc;
use std::time::Duration;

use mydb::bootstrap::BootstrapParts;
use mydb::catalog::Catalog;
use mydb::clock::Clock;
use mydb::domain::engine::EngineKind;
use mydb::rebuild::rebuild;
use mydb::rebuild::report::{DatabaseOutcome, RebuildReport};
use mydb::recovery::admin_restore::AdminRestoreRequest;
use mydb::runtime::docker::DockerRuntime;
use secrecy::SecretString;

use crate::backups::back_up;
use crate::backups::dump::frozen_copy::place;
use crate::engines::{fields, sign_in};
use crate::support::{Client, Options, Tables, TestPortal, docker, store};

/// Loses the host: every container of the instance, every directory, every key. Only the bucket survives.
pub fn lose(portal: &TestPortal) {
    for name in portal.containers() {
        docker::docker(&["rm", "-fv", &name]);
    }
    for entry in std::fs::read_dir(&portal.dir).expect("its directory").flatten() {
        if entry.file_name() == "objects" {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("lost");
        } else {
            std::fs::remove_file(path).expect("lost");
        }
    }
    for tier in &portal.config.storage {
        std::fs::create_dir_all(&tier.path).expect("a new disk");
    }
}

pub async fn rebuilt(portal: &TestPortal, key: Option<&SecretString>) -> RebuildReport {
    rebuilt_with(portal, &AdminRestoreRequest { at: None, key, unsigned: false }).await
}

async fn rebuilt_with(portal: &TestPortal, wanted: &AdminRestoreRequest<'_>) -> RebuildReport {
    let parts = BootstrapParts {
        config: portal.config.clone(),
        catalog: Catalog::load(&portal.config.catalog).expect("the catalog is sound"),
        runtime: Arc::new(DockerRuntime::connect().await.expect("the engine answers")),
        clock: Clock::system(),
    };
    Box::pin(rebuild(parts, None, wanted)).await.unwrap_or_else(|e| panic!("the rebuild failed: {e:#}"))
}

/// Makes the hourly backup of mydb_admin due and waits until it is newer than all backups of databases.
pub async fn back_admin_db_up(portal: &TestPortal) {
    // Its time is stored in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    portal.sql("update schedule set next_run = now() where name = 'admin backup'");
    let newer = "select coalesce((result->>'made_at')::timestamptz > (select max(finished_at) from backup_log where kind = 'backup')
                   and (result->>'keys')::bool, false)::text || coalesce(result->>'error', '') from schedule where name = 'admin backup'";
    portal.until(newer, |said| said == "true").await;
}

/// Changes that the backup of mydb_admin misses: one database is deleted, one is created, one receives more data.
async fn last_hour(portal: &TestPortal, ada: &Client) {
    ada.post("/containers/unloved/delete", &[("confirm", "unloved")]).await.expect(303);
    ada.wait_for("unloved", "in the trash").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    ada.create("late", &[("ttl", "30d"), ("cpuset", "auto:1")]).await;
    let late = EngineKind::Postgres;
    let mut session = sign_in(&place(portal, late, "late"), "correct-horse").await.expect("signs in");
    session.prepare().await.expect("the objects are created");
    session.put("kept", "what late holds 🐘").await.expect("writes");
    back_up(portal, ada, "late").await;
    let mut session = sign_in(&place(portal, late, "post"), "correct-horse").await.expect("signs in");
    session.put("last hour", "too").await.expect("writes");
    drop(session);
    back_up(portal, ada, "post").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
}

/// A database that is known only from its manifest keeps its expiry and the cores that were requested.
fn keeps_end_and_cores(portal: &TestPortal) {
    let kept = "select cpuset, expires_at > now() + interval '29 days' from container
                 where name = 'late' and purged_at is null";
    assert_eq!(portal.sql(kept), "auto:1|t");
}

/// No backup in the bucket is unencrypted.
fn all_encrypted(portal: &TestPortal) {
    let open = portal.sql(
        "select count(*) from backup_log where kind = 'backup' and not (manifest->>'admin_password' is null
            and manifest->'encryption'->>'method' = 'age' and manifest->'objects'->0->>'file' like '%.zst.age')",
    );
    assert_eq!(open, "0");
}

fn are(report: &RebuildReport) -> Vec<(String, DatabaseOutcome)> {
    report.databases.iter().map(|l| (l.database.clone(), l.is)).collect()
}

/// Removes the backups of mydb_admin as well: the manifests hold enough for a rebuild.
fn forget_admin_backups(portal: &TestPortal) {
    let objects = portal.config.targets[0].embedded.clone().expect("an embedded store");
    let bucket = objects.join(&portal.config.targets[0].bucket);
    let found = std::process::Command::new("find").arg(&bucket).args(["-type", "d", "-name", "mydb_admin"]).output();
    let found = String::from_utf8(found.expect("find runs").stdout).expect("text");
    for dir in found.lines() {
        std::fs::remove_dir_all(dir).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn everything_is_rebuilt_from_the_bucket_and_the_recovery_key() {
    let configure = |config: &mut mydb::config::Config| {
        store(config);
        config.backups.admin_every = Duration::from_secs(3600);
        config.storage.retain(|t| t.name == "standard");
        // Backups are encrypted to the recovery key. This portal has it and can therefore run test restores.
        let key = mydb::recovery_key::create(config).expect("a recovery key");
        config.backups.recipients = vec![mydb::encryption::recipient_of(&key).expect("it has a recipient")];
        config.backups.identities = vec![key];
    };
    let mut portal =
        TestPortal::with(Options { tables: Tables::Own, configure: Box::new(configure), ..Options::default() }).await;
    let ada = portal.user("ada").await;
    let all = [
        ("maria", EngineKind::Mariadb, "docker.io/library/mariadb:11.8"),
        ("mongo", EngineKind::Mongodb, "docker.io/library/mongo:6.0"),
        ("post", EngineKind::Postgres, "docker.io/library/postgres:17"),
    ];
    for (name, engine, image) in all {
        let more = fields(engine, image);
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ada.create(name, &more).await;
        let mut session = sign_in(&place(&portal, engine, name), "correct-horse").await.expect("signs in");
        session.prepare().await.expect("the objects are created");
        session.put("kept", &format!("what {name} holds 🐘")).await.expect("writes");
        drop(session);
        back_up(&portal, &ada, name).await;
    }
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    ada.create("unloved", &[]).await;
    let before = portal.sql(
        "select string_agg(port::text, ',' order by port) from port join container c on c.id = container_id
          where c.name in ('maria', 'mongo', 'post')",
    );
    back_admin_db_up(&portal).await;
    last_hour(&portal, &ada).await;
    all_encrypted(&portal);
    portal.stop().await;
    // The portal's copy of the key is lost with the host.
    let key = portal.config.backups.identities.remove(0);

    lose(&portal);
    let report = rebuilt(&portal, Some(&key)).await;
    assert!(report.admin_db.starts_with("Restored from its backup of"), "{report:?}");
    let expected = [
        ("late", DatabaseOutcome::There),
        ("maria", DatabaseOutcome::There),
        ("mongo", DatabaseOutcome::There),
        ("post", DatabaseOutcome::There),
        ("unloved", DatabaseOutcome::Deleted),
    ]
    .map(|(name, is)| (name.to_owned(), is));
    assert_eq!(are(&report), expected, "{report:?}");
    assert_eq!(report.taken_in, 3, "the last backups of late, post and unloved: {report:?}");
    assert_eq!(portal.sql("select count(*) from container where name = 'unloved' and purged_at is not null"), "1");
    // A second rebuild changes nothing.
    let again = rebuilt(&portal, Some(&key)).await;
    assert_eq!(are(&again), expected[..4], "{again:?}");
    assert!(again.taken_in == 0 && again.databases.iter().all(|l| l.outcome == "Its data is here."), "{again:?}");

    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    let mine = "from port join container c on c.id = container_id where c.name in ('maria', 'mongo', 'post')";
    assert_eq!(portal.sql(&format!("select string_agg(port::text, ',' order by port) {mine}")), before);
    for (name, engine, _) in all {
        ada.wait_for(name, "running").await;
        let mut session =
            sign_in(&place(&portal, engine, name), "correct-horse").await.expect("the old password opens it");
        assert_eq!(session.get("kept").await, Ok(Some(format!("what {name} holds 🐘"))));
        session.put("more", "goes on").await.expect("writes");
    }
    keeps_end_and_cores(&portal);
    let late = EngineKind::Postgres;
    let mut session = sign_in(&place(&portal, late, "post"), "correct-horse").await.expect("signs in");
    assert_eq!(session.get("last hour").await, Ok(Some("too".to_owned())));
    let shown = ada.post("/containers/late/password", &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let mut session = sign_in(&place(&portal, late, "late"), &password).await.expect("signs in");
    assert_eq!(session.get("kept").await, Ok(Some("what late holds 🐘".to_owned())));
    drop(session);
    portal.stop().await;

    forget_admin_backups(&portal);
    lose(&portal);
    // The key is passed by hand, as with `--identity`.
    portal.config.backups.identities = vec![key.clone()];
    let report = rebuilt(&portal, None).await;
    assert!(report.admin_db.contains("from the manifests"), "{report:?}");
    // The sealing key is new, and nothing else proves that these are backups of this portal.
    assert!(report.taken_in == 0 && report.unsigned > 0, "{report:?}");
    assert!(
        report.databases.iter().all(|l| l.is == DatabaseOutcome::Missing && l.outcome.contains("--unsigned")),
        "{report:?}"
    );
    let report = rebuilt(&portal, Some(&key)).await;
    assert_eq!(report.unsigned, 0, "{report:?}");
    assert_eq!(are(&report), expected, "a deleted database is not restored: {report:?}");
    portal.run().await;
    let admin = portal.nobody();
    let password = std::fs::read_to_string(portal.dir.join("admin-password")).expect("made by the rebuild");
    admin.sign_in("admin", password.trim()).await;
    for (name, engine, _) in all {
        let shown = admin.post(&format!("/containers/{name}/password"), &[]).await.expect(200);
        let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
        let mut session = sign_in(&place(&portal, engine, name), &password).await.expect("the new password opens it");
        assert_eq!(session.get("kept").await, Ok(Some(format!("what {name} holds 🐘"))));
    }
}

/// Starts a portal with a recovery key and returns both.
pub async fn with_recovery_key() -> (TestPortal, SecretString) {
    let kept = Arc::new(std::sync::Mutex::new(None));
    let key = kept.clone();
    let configure = move |config: &mut mydb::config::Config| {
        store(config);
        config.backups.admin_every = Duration::from_secs(3600);
        config.storage.retain(|t| t.name == "standard");
        *key.lock().expect("no panic") = Some(mydb::recovery_key::create(config).expect("a recovery key"));
    };
    let portal =
        TestPortal::with(Options { tables: Tables::Own, configure: Box::new(configure), ..Options::default() }).await;
    let key = kept.lock().expect("no panic").take().expect("the key was created");
    (portal, key)
}

/// Loses the host and rebuilds everything from the bucket, including this database.
pub async fn lost_and_rebuilt(portal: &mut TestPortal, key: &SecretString, name: &str) {
    back_admin_db_up(portal).await;
    portal.stop().await;
    lose(portal);
    let report = rebuilt(portal, Some(key)).await;
    assert!(report.databases.iter().any(|l| l.database == name && l.is == DatabaseOutcome::There), "{report:?}");
    portal.run().await;
}

/// The host is lost and rebuilt twice with the one key that its administrator has. A bucket that somebody else wrote
/// into is not used for a rebuild.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_keeps_the_recovery_key_and_trusts_only_its_signatures() {
    let mut made = None;
    let (mut portal, key) = with_recovery_key().await;
    let ada = portal.user("ada").await;
    ada.create("post", &[]).await;
    let db = portal.connect("post", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t (round int)").await.expect("fills");
    drop(db);
    for round in 1..=2 {
        let db = portal.connect("post", "correct-horse").await.expect("signs in");
        db.execute("insert into t values ($1)", &[&round]).await.expect("fills");
        drop(db);
        let ada = portal.nobody();
        ada.sign_in("ada", "researcher-1").await;
        back_up(&portal, &ada, "post").await;
        assert!(matches!(portal.ended("drill").await.0.as_str(), "succeeded"));
        // This backup contains the keys: the rebuilt host knows the recipient too.
        back_admin_db_up(&portal).await;
        let backups = portal.config.targets[0].embedded.clone().expect("embedded");
        made = crate::backups::objects_in(backups)
            .into_iter()
            .filter(|p| p.to_string_lossy().contains("/mydb_admin/"))
            .max();
        portal.stop().await;
        lose(&portal);
        let report = rebuilt(&portal, Some(&key)).await;
        assert!(report.admin_db.starts_with("Restored from its backup of"), "{report:?}");
        assert!(report.databases.iter().all(|l| l.is == DatabaseOutcome::There), "{report:?}");
        portal.run().await;
        let db = portal.connect("post", "correct-horse").await.expect("the old password opens it");
        let rows: i64 = db.query_one("select count(*) from t", &[]).await.expect("it is there").get(0);
        assert_eq!(rows, i64::from(round));
        assert!(!portal.dir.join("recovery.key").exists(), "no second key was created");
    }
    portal.stop().await;

    // An attacker replaces the newest backup of mydb_admin.
    let newest = made.expect("a backup").with_file_name("manifest.json");
    let text = std::fs::read_to_string(&newest).expect("read");
    std::fs::write(&newest, text.replacen("\"containers\": 1", "\"containers\": 0", 1)).expect("changed");
    lose(&portal);
    let parts = BootstrapParts {
        config: portal.config.clone(),
        catalog: Catalog::load(&portal.config.catalog).expect("the catalog is sound"),
        runtime: Arc::new(DockerRuntime::connect().await.expect("the engine answers")),
        clock: Clock::system(),
    };
    let wanted = AdminRestoreRequest { at: None, key: Some(&key), unsigned: false };
    let refused = Box::pin(rebuild(parts, None, &wanted)).await.expect_err("the changed backup is refused");
    let said = format!("{refused:#}");
    assert!(said.contains("signature is not from this portal") && said.contains("admin-db list"), "{said}");
    assert!(
        !portal.dir.join("seal.key").exists() && portal.containers().is_empty(),
        "the refused rebuild created nothing"
    );
    std::fs::write(&newest, text).expect("put back");
    let report = rebuilt(&portal, Some(&key)).await;
    assert!(report.databases.iter().all(|l| l.is == DatabaseOutcome::There), "{report:?}");
}
