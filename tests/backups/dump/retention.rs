//! Which backups the retention policy removes, and which it never removes.

use std::collections::BTreeSet;

use mydb::domain::retention::KeepCounts;

use crate::backups::{back_up, objects};
use crate::support::{Options, TestPortal, store};

/// Keeps only the backups that are never removed.
const NOTHING: KeepCounts = KeepCounts { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, min_age_days: 0 };

async fn portal(keep: KeepCounts) -> TestPortal {
    let configure = Box::new(move |config: &mut mydb::config::Config| {
        store(config);
        config.backups.keep = keep;
        let mut away = config.targets[0].clone();
        "away".clone_into(&mut away.name);
        away.embedded = None;
        // Nothing listens there.
        away.endpoint = Some("http://127.0.0.1:9".to_owned());
        away.access_key_id = Some("x".to_owned());
        away.secret_access_key = Some("x".to_owned().into());
        config.targets.push(away);
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// Makes the prune job due and waits until it has ended.
async fn prune(portal: &TestPortal) -> (String, String) {
    let before = portal.sql("select count(*) from job where kind = 'prune'");
    portal.sql("update schedule set next_run = now() where name = 'prune'");
    for _ in 0..100 {
        if portal.sql("select count(*) from job where kind = 'prune'") != before {
            return portal.ended("prune").await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no prune job was enqueued in time");
}

fn lying(portal: &TestPortal, id: &str) -> usize {
    objects(portal).iter().filter(|p| p.to_string_lossy().contains(id)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_by_record_and_keeps_required_backups() {
    let portal = portal(NOTHING).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let mut ids = Vec::new();
    for days in [50, 40, 30, 20, 10] {
        let id = back_up(&portal, &ada, "lab").await;
        if ids.is_empty() {
            assert_eq!(portal.ended("drill").await.0, "succeeded");
        }
        portal.sql(&format!("update backup_log set started_at = now() - interval '{days} days' where id = '{id}'"));
        ids.push(id);
    }
    let [proven, locked, read, goes, newest] = ids.as_slice() else { panic!("five") };
    portal.sql(&format!("update backup_log set locked_until = now() + interval '1 day' where id = '{locked}'"));
    portal.sql(&format!(
        "insert into backup_log (id, container_id, kind, reason, status, started_at, target, drill_of)
         select gen_random_uuid(), container_id, 'drill', 'manual', 'running', now(), target, id from backup_log where id = '{read}'"
    ));
    // Unrelated objects whose keys begin with the same prefix.
    let manifest = objects(&portal).into_iter().find(|p| p.ends_with(format!("{goes}/manifest.json"))).expect("there");
    let home = manifest.parent().expect("a directory");
    let alike = home.with_file_name(format!("{goes}x"));
    std::fs::create_dir_all(&alike).expect("made");
    std::fs::write(alike.join("manifest.json"), "theirs").expect("written");

    assert_eq!(prune(&portal).await, ("succeeded".to_owned(), String::new()));
    let left = |portal: &TestPortal| {
        portal.sql("select string_agg(id::text, ',') from backup_log where kind = 'backup' and removed_at is null")
    };
    let expected: BTreeSet<_> = [proven, locked, read, newest].into_iter().map(String::as_str).collect();
    assert_eq!(left(&portal).split(',').collect::<BTreeSet<_>>(), expected);
    for id in &expected {
        assert!(lying(&portal, id) >= 4, "{id} is incomplete: {:?}", objects(&portal));
    }
    assert!(alike.join("manifest.json").exists(), "an object with the same prefix was removed");
    std::fs::remove_dir_all(&alike).expect("removed");
    assert_eq!(lying(&portal, goes), 0, "objects of the removed backup are left: {:?}", objects(&portal));
    let log =
        portal.sql("select actor || ' ' || container_name || ' ' || detail from log where action = 'backup.remove'");
    assert!(log.starts_with("prune lab s3://") && log.contains(goes), "{log}");
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("removed"), "{page}");
    ada.post(&format!("/containers/lab/backups/{goes}/restore"), &[("name", "gone")]).await.expect(422);

    // The test restore ends and the lock expires: now both backups are removed, and the two essential ones stay.
    portal.sql(
        "update backup_log set status = 'cancelled', finished_at = now() where kind = 'drill' and status = 'running'",
    );
    portal.sql(&format!("update backup_log set locked_until = now() - interval '1 second' where id = '{locked}'"));
    assert_eq!(prune(&portal).await.0, "succeeded");
    let expected: BTreeSet<_> = [proven, newest].into_iter().map(String::as_str).collect();
    assert_eq!(left(&portal).split(',').collect::<BTreeSet<_>>(), expected);
    let jobs = portal.sql("select count(*) from job where kind = 'prune'");
    // The result is recorded after a job would have been enqueued.
    let before = portal.sql("select last_run from schedule where name = 'prune'");
    portal.sql("update schedule set next_run = now(), result = null where name = 'prune'");
    let ran = format!("select result from schedule where name = 'prune' and last_run > '{before}'");
    let result = portal.until(&ran, |said| !said.is_empty()).await;
    assert!(result.contains("\"to_remove\": 0"), "{result}");
    assert_eq!(
        portal.sql("select count(*) from job where kind = 'prune'"),
        jobs,
        "without a backup to remove there is no job"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_resume_after_an_outage_or_interruption() {
    let portal = portal(NOTHING).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(back_up(&portal, &ada, "lab").await);
    }
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let [_proven, first, second, _newest] = ids.as_slice() else { panic!("four") };

    // One backup's target is unavailable: that backup stays, and the one in the other target is removed regardless.
    portal.sql(&format!("update backup_log set target = 'away' where id = '{first}'"));
    portal.sql("update schedule set next_run = now() where name = 'prune'");
    let detail = "select s.detail from job_step s join job j on j.id = s.job_id where j.kind = 'prune'";
    let said = portal.until(detail, |said| said.contains("Retrying")).await;
    assert!(said.contains("The backup of lab from") && said.contains("currently cannot"), "{said}");
    let state = |id: &str| {
        portal.sql(&format!("select removing_at is not null, removed_at is not null from backup_log where id = '{id}'"))
    };
    assert_eq!((state(first), state(second)), ("f|f".to_owned(), "t|t".to_owned()));
    assert!(lying(&portal, first) >= 4 && lying(&portal, second) == 0, "{:?}", objects(&portal));

    // The removal was interrupted after the manifest was removed: this is no longer a backup, nothing offers it, and
    // the next run completes the removal.
    portal.sql("update job set status = 'failed', finished_at = now(), lease_until = null, error = 'by the test' where kind = 'prune'");
    portal.sql(&format!(
        "update backup_log set target = 'local', removing_at = now() - interval '1 hour' where id = '{first}'"
    ));
    let manifest = objects(&portal).into_iter().find(|p| p.ends_with(format!("{first}/manifest.json"))).expect("there");
    let text = std::fs::read(&manifest).expect("read");
    std::fs::remove_file(&manifest).expect("removed");
    ada.post(&format!("/containers/lab/backups/{first}/drill"), &[]).await.expect(303);
    assert_eq!(portal.sql(&format!("select count(*) from backup_log where drill_of = '{first}'")), "0");

    // The removal was interrupted with the manifest still there: the backup is complete again and is judged anew.
    std::fs::write(&manifest, &text).expect("written");
    portal.sql(&format!("update backup_log set locked_until = now() + interval '1 day' where id = '{first}'"));
    assert_eq!(prune(&portal).await.0, "succeeded");
    assert_eq!(state(first), "f|f");
    assert!(lying(&portal, first) >= 4);

    portal.sql(&format!(
        "update backup_log set locked_until = null, removing_at = now() - interval '1 hour' where id = '{first}'"
    ));
    std::fs::remove_file(&manifest).expect("removed");
    assert_eq!(prune(&portal).await.0, "succeeded");
    assert_eq!((state(first), lying(&portal, first)), ("t|t".to_owned(), 0));
}
