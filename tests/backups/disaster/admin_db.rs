//! The backups of mydb_admin: made hourly, by button and by command; audited; and restored by the program itself.

use std::time::Duration;

use crate::backups::{cli, cli_on, objects};
use crate::support::{Options, Tables, TestPortal, docker, store};

/// Removes mydb_admin, its container and its data; the databases keep running.
fn lose(portal: &TestPortal) {
    docker::docker(&["rm", "-fv", &format!("{}-mydb_admin", portal.instance)]);
    std::fs::remove_dir_all(portal.dir.join("mydb_admin")).expect("lost");
}

/// Backs up mydb_admin with the program and returns the backup's time in the form that `--at` takes.
fn back_up(portal: &TestPortal) -> String {
    let (code, said) = cli_on(portal, "", &["admin-db", "backup"]);
    assert_eq!(code, 0, "{said}");
    let place = said.lines().next().expect("a place");
    assert!(place.starts_with("s3://") && place.contains("/mydb_admin/"), "{said}");
    let moment = chrono::NaiveDateTime::parse_from_str(place.rsplit('/').next().unwrap_or_default(), "%Y%m%dT%H%M%SZ");
    moment.expect("a moment").format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn mydb_admin_is_restored_as_of_the_requested_time() {
    let configure = |config: &mut mydb::config::Config| {
        store(config);
        config.storage.retain(|t| t.name == "standard");
    };
    let mut portal =
        TestPortal::with(Options { tables: Tables::Own, configure: Box::new(configure), ..Options::default() }).await;
    let (code, said) = cli_on(&portal, "", &["admin-db", "restore"]);
    assert!(code == 1 && said.contains("a portal is using") && said.contains("nothing was changed"), "{said}");
    portal.stop().await;
    let (code, said) = cli_on(&portal, "", &["admin-db", "restore"]);
    assert!(code == 1 && said.contains("contains no backup of mydb_admin"), "{said}");
    portal.run().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("description", "first")]).await;
    // The times of backups are stored in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let first = back_up(&portal);
    portal.sql("update container set description = 'second'");
    // The remains of a backup during which a portal was killed.
    let dump = |p: &std::path::PathBuf| p.to_string_lossy().contains("/mydb_admin.pgdump");
    let made = objects(&portal).into_iter().find(dump).expect("a dump");
    let left = made.parent().and_then(std::path::Path::parent).expect("there").join("20200101T000000Z");
    std::fs::create_dir(&left).expect("made");
    std::fs::copy(&made, left.join("mydb_admin.pgdump.zst")).expect("left");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    back_up(&portal);
    assert_eq!(
        objects(&portal).into_iter().filter(dump).count(),
        2,
        "only the remains of the killed backup are removed"
    );
    let (_, list) = cli_on(&portal, "", &["admin-db", "list"]);
    assert!(list.contains(&first) && list.matches("/mydb_admin/").count() == 2, "{list}");
    portal.stop().await;

    let (code, said) = cli_on(&portal, "", &["admin-db", "restore"]);
    assert!(code == 1 && said.contains("mydb_admin is not empty") && said.contains("nothing was changed"), "{said}");
    let description = "select description from container";
    lose(&portal);
    let (code, said) = cli_on(&portal, "", &["admin-db", "restore", "--at", &first]);
    assert!(code == 0 && said.contains("Restored mydb_admin as of") && said.contains("with 1 databases"), "{said}");
    assert_eq!(portal.sql(description), "first");
    lose(&portal);
    let (code, said) = cli_on(&portal, "", &["admin-db", "restore"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(portal.sql(description), "second");

    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada.wait_for("lab", "running").await;
    assert!(ada.get("/containers/lab").await.expect(200).text().contains("second"));
    portal.connect("lab", "correct-horse").await.expect("the database is still running");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_see_the_age_of_the_newest_backup_and_can_make_one() {
    let configure = |config: &mut mydb::config::Config| {
        store(config);
        config.backups.admin_every = Duration::from_secs(3600);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let admin = portal.admin().await;
    // The first backup is made when the portal starts.
    portal.until("select count(*) from admin_backup where keys and bytes > 0", |made| made == "1").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = admin.post("/admin/backups/admin-db", &[]).await.expect(303);
    let (status, error) = portal.ended("admin-backup").await;
    assert_eq!(status, "succeeded", "{error}");
    assert!(answer.location.starts_with("/jobs/"), "{}", answer.location);
    let page = admin.get("/admin/backups").await.expect(200);
    assert!(page.text().contains("Backed up every 1 h, next") && page.text().contains("included, encrypted"));
    assert_eq!(page.body.matches("/mydb_admin/").count(), 2, "{}", page.text());
    let metrics = admin.get("/metrics").await.expect(200).body;
    assert!(metrics.contains("db4sci_admin_db_backup_has_keys 1"), "{metrics}");
    let at: i64 = metrics
        .lines()
        .find_map(|l| l.strip_prefix("db4sci_admin_db_backup_timestamp_seconds "))
        .and_then(|n| n.parse().ok())
        .expect("a time");
    assert!((portal.clock.now().timestamp() - at).abs() < 60, "{metrics}");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert_eq!(code, 0, "{said}");

    // The newest backup becomes four hours old, and there is no recovery key any more.
    let old = (portal.clock.now() - chrono::Duration::hours(4)).format("%Y%m%dT%H%M%SZ").to_string();
    let manifest = objects(&portal).into_iter().find(|p| p.ends_with("manifest.json")).expect("one");
    let own = manifest.parent().and_then(|p| p.parent()).expect("a place").to_path_buf();
    let newest = manifest.parent().expect("a place").to_path_buf();
    for entry in std::fs::read_dir(&own).expect("the place").flatten().filter(|e| e.path() != newest) {
        std::fs::remove_dir_all(entry.path()).expect("removed");
    }
    std::fs::rename(&newest, own.join(old)).expect("older");
    std::fs::remove_file(portal.dir.join("recovery-recipient")).expect("removed");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert!(code == 1 && said.contains("The newest backup of mydb_admin is from"), "{said}");
    assert!(said.contains("There is no recovery key"), "{said}");
    let page = admin.get("/admin/backups").await.expect(200).text();
    assert!(page.contains("There is no recovery key"), "{page}");
}
