//! Stores that are unavailable for a while, lose responses, are slow, refuse permanently, or are configured under two
//! names; and retired targets.

use std::time::{Duration, Instant};

use mydb::config::Target;
use mydb::objects::{ObjectError, Store};

use crate::backups::stores::faults::{lab, others};
use crate::backups::{back_up, cli, nothing_left, objects_in};
use crate::support::store_proxy::{ALL, Op, Wrong};
use crate::support::{Options, PATIENCE, TestPortal, store};

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_waits_for_an_unavailable_store() {
    let (portal, proxy, ada) = lab().await;
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    // Slow enough to interrupt the transfer in the middle.
    proxy.throttle(200_000);
    let restore = format!("/containers/lab/backups/{id}/restore");
    ada.post(&restore, &[("name", "copy"), ("backup_freq", "Never")]).await.expect(303);
    let step = "select coalesce((select s.status::text from job_step s join job j on j.id = s.job_id where j.kind = 'restore' and s.name = 'Restore the data'), '')";
    portal.until(step, |status| status == "running").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.up(false);
    let begin = Instant::now();
    while proxy.refused() < 3 {
        assert!(begin.elapsed() < PATIENCE, "the restore does not try to read on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(portal.sql(step), "running", "the restore waits");
    proxy.up(true);
    proxy.throttle(0);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));

    // The transfer breaks before the first byte, then in the middle, and then the store ignores the requested range.
    proxy.fail_at("database-1", &[Op::Get], Wrong::HeadOnly, 1);
    proxy.fail_at("database-1", &[Op::Get], Wrong::HalfAnswer, 1);
    proxy.fail_at("database-1", &[Op::Get], Wrong::IgnoresRange, 1);
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(proxy.heal(), [1, 1, 1]);
    let attempts = "select attempt from job where kind = 'drill' order by created_at desc limit 1";
    assert_eq!(portal.sql(attempts), "1", "the job needed only one attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_responses_are_resolved_and_parts_sent_again() {
    let (portal, proxy, ada) = lab().await;
    proxy.fail(&[Op::Begin], Wrong::ClosesAfter, 2);
    proxy.fail_at("database-1", &[Op::Part], Wrong::OtherTag, 1);
    proxy.fail_at("database-1", &[Op::Part], Wrong::FlipsSent, 1);
    // The first request completes the upload, but the store never answers any of them.
    proxy.fail_at("database-1", &[Op::Complete], Wrong::ClosesAfter, u32::MAX);
    let id = back_up(&portal, &ada, "lab").await;
    let struck = proxy.heal();
    assert!(struck[..3] == [2, 1, 1] && struck[3] >= 1, "{struck:?}");
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql("select max(attempt) from job where kind = 'backup'"), "1", "within one attempt");
    assert_eq!(others(&proxy, &[&id]), Vec::<std::path::PathBuf>::new());
    assert_eq!(portal.sql("select count(*) from upload"), "0");
    nothing_left(&portal, 1);

    // The store refuses a request it does not support. The error names the setting to change, and nothing is retried.
    proxy.fail(&[Op::Begin], Wrong::Says(501, "NotImplemented"), u32::MAX);
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert!(
        status == "failed" && error.contains("(HTTP 501 NotImplemented). It does not support this request"),
        "{error}"
    );
    assert!(error.contains("unset checksums, encryption") && proxy.heal() == [1], "{error}");
    assert_eq!(portal.sql("select max(attempt) from job where kind = 'backup'"), "1");

    // The portal's own address as a store: its certificate is not trusted.
    let target = Target {
        endpoint: Some(portal.base.clone()),
        embedded: None,
        access_key_id: Some("x".to_owned()),
        secret_access_key: Some("y".to_owned().into()),
        ..portal.config.targets[0].clone()
    };
    let begin = Instant::now();
    let said = Store::connect(&target).await.expect("set up").head("x").await.expect_err("it is refused");
    assert!(matches!(said, ObjectError::Refused { .. }) && said.to_string().contains("set ca of the target"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_ends_at_once_even_if_its_store_hangs() {
    let (portal, proxy, ada) = lab().await;
    proxy.fail_at("database-1", &[Op::Complete], Wrong::Hangs, u32::MAX);
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    portal.until("select count(*) from upload where key like '%database-1%'", |begun| begun == "1").await;
    proxy.fail(ALL, Wrong::Hangs, u32::MAX);
    let job = portal.sql("select id from job where kind = 'backup'");
    let begin = Instant::now();
    ada.post(&format!("/jobs/{job}/cancel"), &[]).await.expect(303);
    assert_eq!(portal.ended("backup").await.0, "cancelled");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    ada.wait_for("lab", "running").await;
    assert_ne!(portal.sql("select count(*) from upload"), "0", "the open upload is recorded");
    proxy.heal();
    portal.sql("update schedule set next_run = now() where name = 'prune'");
    portal.until("select count(*) from upload", |left| left == "0").await;
    assert_eq!(others(&proxy, &[]), Vec::<std::path::PathBuf>::new());
    back_up(&portal, &ada, "lab").await;

    // The check of a target leaves nothing behind in it, whatever fails.
    for (on, wrong) in [(Op::Part, Wrong::Says(500, "InternalError")), (Op::Complete, Wrong::Says(403, "AccessDenied"))]
    {
        let target = &portal.config.targets[0];
        let tested = Store::connect(target).await.expect("set up");
        proxy.fail(
            match on {
                Op::Part => &[Op::Part],
                _ => &[Op::Complete],
            },
            wrong,
            u32::MAX,
        );
        let tried = mydb::objects::check::check(&tested, "check").await;
        let failed: Vec<_> = tried.iter().filter_map(|t| t.outcome.as_ref().err()).collect();
        assert!(!failed.is_empty() && failed.iter().all(|said| !said.contains("target check")), "{failed:?}");
        assert!(failed.iter().any(|said| said.contains("HTTP ")), "{failed:?}");
        proxy.heal();
        assert!(tested.uploads("check").await.expect("listed").is_empty(), "{on:?}");
        assert!(tested.list("check").await.expect("listed").is_empty(), "{on:?}");
    }
}

/// 50 kB/s is the bandwidth of a home connection. The parts wait for each other instead of all timing out.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_over_a_slow_connection_completes() {
    let (portal, proxy, ada) = lab().await;
    // What is left fills a few parts; more would only take longer.
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("delete from t where i > 14000").await.expect("deletes");
    proxy.throttle(50_000);
    let begin = Instant::now();
    back_up(&portal, &ada, "lab").await;
    proxy.throttle(0);
    let bytes: u64 = portal.sql("select bytes from backup_log where kind = 'backup'").parse().expect("a number");
    println!("{bytes} bytes in {:.0} s", begin.elapsed().as_secs_f64());
    assert!(bytes > 500_000 && begin.elapsed() > Duration::from_secs(bytes / 50_000), "the store was slow");
    assert_eq!(portal.sql("select max(attempt) from job where kind = 'backup'"), "1", "within one attempt");
    assert_eq!(portal.ended("drill").await.0, "succeeded");
}

/// A portal whose backups are copied to `elsewhere` in its directory.
async fn with_copies(elsewhere: &'static str) -> TestPortal {
    let configure = move |config: &mut mydb::config::Config| {
        store(config);
        let mut second = config.targets[0].clone();
        "second".clone_into(&mut second.name);
        second.embedded = Some(config.data_dir.join(elsewhere));
        config.targets.push(second);
        config.backups.copies = vec!["second".to_owned()];
    };
    TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await
}

async fn copy_is(portal: &TestPortal, status: &str) -> String {
    let said = "select coalesce(string_agg(status || '|' || coalesce(error, ''), ';'), '') from backup_copy";
    portal.until(said, |said| said.starts_with(status)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_the_same_location_is_rejected() {
    let portal = with_copies("objects").await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    back_up(&portal, &ada, "lab").await;
    let said = copy_is(&portal, "failed").await;
    assert!(said.contains("is the same location as “local”") && said.contains("cannot hold a separate copy"), "{said}");
    let there = objects_in(portal.config.targets[0].embedded.clone().expect("embedded"));
    assert!(!there.iter().any(|p| p.to_string_lossy().contains("same-place")), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_target_blocks_nothing() {
    let mut portal = with_copies("elsewhere").await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let copied = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    copy_is(&portal, "stored").await;
    // A backup that is only in the first target, as if it had not been copied yet.
    portal.config.backups.copies.clear();
    portal.stop().await;
    portal.run().await;
    let alone = back_up(&portal, &ada_again(&portal).await, "lab").await;
    let (code, said) = cli(&portal, &["target", "forget", "local"]);
    assert!(code == 1 && said.contains("is still configured"), "{said}");
    portal.stop().await;
    let first = portal.config.targets.remove(0);
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert!(
        code == 1 && said.contains("2 backups are in the target “local”") && said.contains("target forget local"),
        "{said}"
    );
    let (code, said) = cli(&portal, &["target", "forget", "nowhere"]);
    assert!(code == 1 && said.contains("has no record of a target"), "{said}");
    let (code, said) = cli(&portal, &["target", "forget", "local"]);
    assert!(code == 0 && said.contains("continue with a copy: 1") && said.contains("now marked as gone: 1"), "{said}");
    assert_eq!(cli(&portal, &["backup", "audit"]), (0, "1 databases, 1 backups, 0 findings.\n".to_owned()));
    let (code, said) = cli(&portal, &["backup", "prune"]);
    assert!(code == 0, "{said}");
    let (_, said) = cli(&portal, &["backup", "list"]);
    assert!(said.lines().any(|l| l.contains(&alone) && l.contains("target retired")), "{said}");
    portal.run().await;
    let ada = ada_again(&portal).await;
    let restore = format!("/containers/lab/backups/{copied}/restore");
    ada.post(&restore, &[("name", "again"), ("backup_freq", "Never")]).await.expect(303);
    assert_eq!(portal.ended("restore").await, ("succeeded".to_owned(), String::new()));
    portal.stop().await;

    // The target is configured again: the backup that is only there is found and imported.
    portal.config.targets.push(first);
    let place = portal.sql(&format!("select location from backup_log where id = '{alone}'"));
    let (code, said) = cli(&portal, &["backup", "find", "--target", "local"]);
    assert!(code == 0 && said.contains(&place), "{said}");
    let (code, said) = cli(&portal, &["backup", "import", "--target", "local", "--owner", "ada", &place]);
    assert!(code == 0, "{said}");
    let (_, said) = cli(&portal, &["backup", "list", "--status", "stored"]);
    assert!(said.contains(&alone), "{said}");
}

async fn ada_again(portal: &TestPortal) -> crate::support::Client {
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada
}
