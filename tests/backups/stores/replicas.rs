//! Copies of backups in a second target: created, audited, used if the first target fails, and removed. Also: a failed
//! test restore is reported.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mydb::domain::retention::KeepCounts;

use crate::backups::{back_up, cli, object};
use crate::support::{Client, Options, PATIENCE, TestPortal, store};

/// Appends each notice to a file, but fails on the first call.
const PROGRAM: &str = "#!/bin/sh
[ -e \"$1.tried\" ] || { : >\"$1.tried\"; exit 1; }
{ cat; echo; } >>\"$1\"
";

/// Starts a portal with a notification program and, if `copies`, a second store that receives copies.
pub async fn portal(copies: bool) -> TestPortal {
    let configure = Box::new(move |config: &mut mydb::config::Config| {
        store(config);
        config.backups.keep = KeepCounts { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, min_age_days: 0 };
        if copies {
            let mut second = config.targets[0].clone();
            "second".clone_into(&mut second.name);
            second.embedded = Some(config.data_dir.join("elsewhere"));
            config.targets.push(second);
            config.backups.copies = vec!["second".to_owned()];
            config.backups.admin_every = Duration::from_secs(3600);
        }
        std::fs::create_dir_all(&config.data_dir).expect("a directory");
        let program = config.data_dir.join("tell");
        std::fs::write(&program, PROGRAM).expect("a program");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("made executable");
        let said = |path: PathBuf| path.display().to_string();
        config.notify.command = vec![said(program), said(config.data_dir.join("told"))];
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// Waits until the program has received this many notices and returns them.
pub async fn told(portal: &TestPortal, count: usize) -> Vec<serde_json::Value> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let text = std::fs::read_to_string(portal.dir.join("told")).unwrap_or_default();
        let read: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if read.len() >= count {
            return read;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let notices = "select id, kind, at, tell_after, tell_tries, told_at, ended_at, now() from notice";
    panic!("the program was not told of {count}: {}", portal.sql(notices));
}

/// Makes the portal's check for due backups run at once and waits until it has finished.
pub async fn look(portal: &TestPortal) {
    portal.sql("update schedule set result = null, next_run = now() - interval '1 day' where name = 'backups'");
    let done = "select result is not null and next_run > now() from schedule where name = 'backups'";
    portal.until(done, |said| said == "t").await;
}

/// The objects of a backup in a store, by name.
fn lying(portal: &TestPortal, target: usize, id: &str) -> BTreeMap<String, Vec<u8>> {
    let target = &portal.config.targets[target];
    let bucket = target.embedded.clone().expect("embedded").join(&target.bucket).join(&target.prefix);
    let containers = std::fs::read_dir(bucket.join(&portal.instance)).into_iter().flatten().flatten();
    let home = containers.map(|c| c.path().join(id)).find(|home| home.is_dir());
    let files = home.iter().flat_map(|home| std::fs::read_dir(home).expect("can be read")).flatten();
    let files = files.filter(|f| !f.file_name().to_string_lossy().starts_with('.'));
    files.map(|f| (f.file_name().to_string_lossy().into_owned(), std::fs::read(f.path()).expect("is read"))).collect()
}

/// The objects of the only backup of mydb_admin in a store, by name.
fn admin_backups(portal: &TestPortal, target: usize) -> BTreeMap<String, Vec<u8>> {
    let target = &portal.config.targets[target];
    let home = target.embedded.clone().expect("embedded").join(&target.bucket).join(&target.prefix);
    let made = std::fs::read_dir(home.join(&portal.instance).join("mydb_admin")).into_iter().flatten().flatten().next();
    let files = made.iter().flat_map(|made| std::fs::read_dir(made.path()).expect("can be read")).flatten();
    let files = files.filter(|f| !f.file_name().to_string_lossy().starts_with('.'));
    files.map(|f| (f.file_name().to_string_lossy().into_owned(), std::fs::read(f.path()).expect("is read"))).collect()
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).expect("written");
}

/// Waits until the copy of a backup has this status and returns its status and error.
async fn copied(portal: &TestPortal, id: &str, status: &str) -> String {
    let said = format!("select status || '|' || coalesce(error, '') from backup_copy where backup_id = '{id}'");
    portal.until(&said, |said| said.starts_with(&format!("{status}|"))).await
}

/// The details of all steps of the newest job of this kind.
fn last_steps(portal: &TestPortal, kind: &str) -> String {
    portal.sql(&format!(
        "select string_agg(s.detail, '|') from job_step s where job_id = (select id from job where kind = '{kind}' order by created_at desc limit 1)"
    ))
}

/// Damages an object of the backup `id` in the first target; the backup has a copy.
async fn damaged(portal: &TestPortal, ada: &Client, id: &str) {
    // The damage shows only when the object has been read: a restore continues with the copy …
    flip(&object(portal, id, "database-1.pgdump.zst"));
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "third"), ("backup_freq", "Never")])
        .await
        .expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    let said = last_steps(portal, "restore");
    assert!(said.contains("Using the copy in “second”.") && said.contains("differs from what was stored"), "{said}");
    // … but a test restore has to report it.
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert!(status == "failed" && error.contains("differs from what was stored"), "{status} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_a_second_target_is_made_shown_used_and_removed() {
    let portal = portal(true).await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    let first = back_up(&portal, &ada, "lab").await;
    copied(&portal, &first, "stored").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let (one, other) = (lying(&portal, 0, &first), lying(&portal, 1, &first));
    for (name, content) in &one {
        // The script names its own location, and the test restore may have ended after the copy was made.
        if name != "RESTORE.txt" && !name.starts_with("drill-") {
            assert_eq!(other.get(name), Some(content), "{name}");
        }
    }
    assert!(other.contains_key("manifest.json") && other.contains_key("RESTORE.txt"), "{:?}", other.keys());
    let script = String::from_utf8_lossy(&other["RESTORE.txt"]).into_owned();
    assert!(script.contains(&portal.dir.join("elsewhere").display().to_string()), "{script}");
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("Copy in second"), "{page}");
    assert_eq!(cli(&portal, &["backup", "audit"]), (0, "1 databases, 1 backups, 0 findings.\n".to_owned()));
    let (code, said) = cli(&portal, &["target", "check"]);
    assert!(code == 0 && said.matches("works").count() == 14 && said.contains("second"), "{code} {said}");

    // The backup of mydb_admin is in both targets.
    let begin = Instant::now();
    while !admin_backups(&portal, 1).contains_key("manifest.json") && begin.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (here, there) = (admin_backups(&portal, 0), admin_backups(&portal, 1));
    assert!(here == there && here.len() >= 2, "{:?} {:?}", here.keys(), there.keys());

    // The first target lacks an object: a test restore and a restore use the copy, and report it.
    let lost = object(&portal, &first, "database-1.pgdump.zst");
    std::fs::rename(&lost, lost.with_extension("away")).expect("moved");
    let step = |kind: &str| last_steps(&portal, kind);
    ada.post(&format!("/containers/lab/backups/{first}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert!(step("drill").contains("Using the copy in “second”."), "{}", step("drill"));
    std::fs::rename(lost.with_extension("away"), &lost).expect("moved back");
    let manifest = object(&portal, &first, "manifest.json");
    std::fs::remove_file(&manifest).expect("removed");
    ada.post(&format!("/containers/lab/backups/{first}/restore"), &[("name", "again"), ("backup_freq", "Never")])
        .await
        .expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    assert!(step("restore").contains("Using the copy in “second”. Backup target local has no"), "{}", step("restore"));
    let shown = ada.post("/containers/again/password", &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let again = portal.connect("again", &password).await.expect("signs in");
    assert_eq!(again.query_one("select x from t", &[]).await.expect("it is there").get::<_, i32>(0), 7);
    std::fs::write(&manifest, &one["manifest.json"]).expect("put back");

    // The second target refuses the copy, which is reported; a damaged object is not copied.
    let bucket = portal.dir.join("elsewhere").join(&portal.config.targets[1].bucket);
    std::fs::rename(&bucket, bucket.with_extension("away")).expect("moved");
    std::fs::write(&bucket, "no directory").expect("in its way");
    let second = back_up(&portal, &ada, "lab").await;
    copied(&portal, &second, "failed").await;
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("No copy in second yet: Backup target second"), "{page}");
    std::fs::remove_file(&bucket).expect("the bucket is removed");
    std::fs::rename(bucket.with_extension("away"), &bucket).expect("moved back");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert!(
        code == 1 && said.contains("copy missing: A backup of lab has no copy in “second”. Backup target second"),
        "{code} {said}"
    );
    flip(&object(&portal, &second, "database-1.pgdump.zst"));
    portal.sql("update backup_copy set next_at = now()");
    look(&portal).await;
    portal
        .until(&format!("select error from backup_copy where backup_id = '{second}'"), |said| said.contains("SHA-256"))
        .await;
    assert!(copied(&portal, &second, "failed").await.contains("differs from what was stored"));
    let there = lying(&portal, 1, &second);
    assert!(!there.contains_key("database-1.pgdump.zst") && !there.contains_key("manifest.json"), "{:?}", there.keys());
    assert_eq!(portal.sql("select count(*) from upload"), "0", "no upload is left open");
    flip(&object(&portal, &second, "database-1.pgdump.zst"));
    portal.sql("update backup_copy set next_at = now()");
    look(&portal).await;
    copied(&portal, &second, "stored").await;

    // The retention policy removes a backup from both targets.
    let third = back_up(&portal, &ada, "lab").await;
    copied(&portal, &third, "stored").await;
    admin.post("/admin/backups/prune", &[]).await.expect(303);
    assert_eq!(portal.ended("prune").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql("select id from backup_log where removed_at is not null"), second);
    assert!(
        lying(&portal, 0, &second).is_empty() && lying(&portal, 1, &second).is_empty(),
        "objects of the removed backup are left"
    );
    assert!(lying(&portal, 1, &third).len() >= 4 && lying(&portal, 1, &first).len() >= 4, "the other backups stay");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert_eq!((code, said.as_str()), (0, "2 databases, 2 backups, 0 findings.\n"));

    damaged(&portal, &ada, &third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_test_restore_is_reported_until_dismissed_or_passed() {
    let portal = portal(false).await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let file = object(&portal, &id, "database-1.pgdump.zst");
    flip(&file);
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await.0, "failed");
    let told = told(&portal, 1).await;
    assert_eq!(
        (told[0]["kind"].as_str(), told[0]["database"].as_str(), told[0]["owner"].as_str(), told[0]["backup"].as_str()),
        (Some("drill_failed"), Some("lab"), Some("ada"), Some(id.as_str()))
    );
    assert!(told[0]["text"].as_str().expect("a text").contains("The test restore of the backup"), "{told:?}");
    // The level from the earlier test restore remains.
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let page = ada.get("/containers/lab/backups").await.expect(200);
    assert!(page.text().contains("restored, content matches") && page.text().contains("a test restore passed in"));
    assert!(
        page.all("td .bad, th .bad").iter().any(|t| t.contains("The last test restore failed")),
        "the line is marked as bad"
    );
    let title = "Test restore of lab failed";
    for (who, path) in [(&ada, "/"), (&ada, "/containers/lab"), (&ada, "/containers/lab/backups"), (&admin, "/admin")] {
        assert!(who.get(path).await.expect(200).text().contains(title), "{path}");
    }
    let metrics = portal.nobody().get("/metrics").await.expect(200).body;
    assert!(metrics.contains(r#"db4sci_backup_troubles{kind="drill_failed"} 1"#), "{metrics}");
    assert_eq!(portal.sql("select count(*) from log where action = 'container.drill' and outcome = 'failed'"), "1");

    let notice = portal.sql("select id from notice");
    let seen = format!("/containers/lab/notices/{notice}/seen");
    portal.user("eve").await.post(&seen, &[]).await.expect(404);
    let reply = ada.post(&seen, &[("back", "home")]).await.expect(303);
    assert_eq!(reply.location, "/");
    assert!(!ada.get("/").await.expect(200).text().contains(title), "she has seen it");
    assert!(!ada.get("/containers/lab").await.expect(200).text().contains(title), "she has seen it");
    assert!(admin.get("/admin").await.expect(200).text().contains(title), "no administrator has seen it yet");

    // A second failure is reported again. A successful test restore ends the notice.
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await.0, "failed");
    assert!(ada.get("/").await.expect(200).text().contains(title), "the notice is shown again");
    flip(&file);
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    for (who, path) in [(&ada, "/"), (&ada, "/containers/lab/backups"), (&admin, "/admin")] {
        assert!(!who.get(path).await.expect(200).text().contains(title), "{path}");
    }
    assert_eq!(crate::backups::stores::replicas::told(&portal, 2).await.len(), 2, "one notice for each failure");
}
