//! Custom backup schedules, and missed runs.

use reqwest::Method;
use serde_json::json;

use crate::backups::stores::replicas::{look, portal, told};

const LINE: &str = "30 2 * * 1-5 Europe/Berlin";

#[tokio::test(flavor = "multi_thread")]
async fn custom_schedules_are_kept_and_missed_runs_are_reported() {
    let portal = portal(false).await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let api = portal.token(&ada).await;

    // The form and the API report what is wrong with a line.
    for (line, why) in [
        ("*/5 * * * *", "once an hour at most"),
        ("30 2 * * * Europe/Atlantis", "There is no time zone “Europe/Atlantis”"),
        ("", "Enter when to make backups"),
        ("30 2", "five fields"),
    ] {
        let reply = ada.submit_create("lab", &[("backup_freq", "cron"), ("backup_cron", line)]).await.expect(422);
        assert!(reply.all("#backup_cron-error").iter().any(|t| t.contains(why)), "{line}: {}", reply.text());
        assert!(reply.body.contains("<details class=\"fold\" open"), "the section with the error is open");
    }
    let body =
        json!({ "engine": "postgres", "name": "lab", "dbname": "trial", "dbuser": "ada", "backup_freq": "61 2 * * *" });
    let said = api.json(Method::POST, "/api/v1/containers", &body).await.expect(422).body;
    assert!(said.contains("backup_freq") && said.contains("is not a valid cron expression"), "{said}");

    ada.create("lab", &[("backup_freq", "cron"), ("backup_cron", LINE)]).await;
    assert_eq!(api.get("/api/v1/containers/lab").await.expect(200).json()["backup_freq"], LINE);
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains(&format!("Backups follow a custom schedule, “{LINE}”; the next one is due 20")), "{page}");
    assert!(page.contains("02:30 in Europe/Berlin)"), "{page}");
    let settings = ada.get("/containers/lab/settings").await.expect(200).body;
    assert!(settings.contains("value=\"cron\" data-title=\"Custom (cron)\" selected"), "{settings}");
    let wrong =
        ada.post("/containers/lab/settings", &[("backup_freq", "cron"), ("backup_cron", "x")]).await.expect(422);
    assert_eq!(wrong.all("#backup_cron-error").len(), 1, "{}", wrong.text());
    let patch = json!({ "backup_freq": "0 * * * *" });
    api.json(Method::PATCH, "/api/v1/containers/lab", &patch).await.expect(200);
    let log = portal.sql("select detail from log where action = 'container.edit' order by id desc limit 1");
    assert_eq!(log, format!("changed backups {LINE} → 0 * * * *"));

    // Nothing has been due since the schedule was set.
    look(&portal).await;
    assert_eq!(portal.sql("select (select count(*) from backup_log), (select count(*) from notice)"), "0|0");
    // Some runs are missed during maintenance: one notice, and one backup that makes up for all of them.
    admin.post("/containers/lab/maintenance", &[("maintenance", "on"), ("note", "")]).await.expect(303);
    portal.clock.shift(3 * 3600);
    look(&portal).await;
    look(&portal).await;
    assert_eq!(portal.sql("select (select count(*) from backup_log), (select count(*) from notice)"), "0|1");
    let told = told(&portal, 1).await;
    assert_eq!((told[0]["kind"].as_str(), told.len()), (Some("backup_missed"), 1));
    let title = "Backup of lab missed";
    for (who, path) in [(&ada, "/"), (&ada, "/containers/lab"), (&ada, "/containers/lab/backups"), (&admin, "/admin")] {
        let page = who.get(path).await.expect(200).text();
        assert!(
            page.contains(title) && page.contains("was not made in time. There is no backup at all."),
            "{path}: {page}"
        );
    }
    assert_eq!(
        portal.sql("select outcome || ' ' || container_name from log where action = 'backup.missed'"),
        "failed lab"
    );
    admin.post("/admin/backups/audit", &[]).await.expect(303);
    assert_eq!(portal.ended("audit").await.0, "succeeded");
    let audit = admin.get("/admin/backups").await.expect(200).text();
    assert!(audit.contains("backup missed") && audit.contains("(custom schedule “0 * * * *”)"), "{audit}");
    let metrics = portal.nobody().get("/metrics").await.expect(200).body;
    for line in [r#"backup_troubles{kind="backup_missed"} 1"#, r#"audit_findings{kind="stale"} 1"#] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // The notice is dismissed, but stays on the database's own pages until there is a backup.
    let notice = portal.sql("select id from notice");
    ada.post(&format!("/containers/lab/notices/{notice}/seen"), &[]).await.expect(303);
    assert!(!ada.get("/").await.expect(200).text().contains(title));
    assert!(ada.get("/containers/lab").await.expect(200).text().contains("This notice stays until a backup succeeds"));

    admin.post("/containers/lab/maintenance", &[("maintenance", "off")]).await.expect(303);
    look(&portal).await;
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    look(&portal).await;
    assert_eq!(
        portal.sql("select count(*) from backup_log where kind = 'backup'"),
        "1",
        "one backup makes up for all missed runs"
    );
    assert!(!ada.get("/containers/lab").await.expect(200).text().contains(title), "the notice has ended");
    assert_eq!(portal.sql("select count(*) from notice where ended_at is null"), "0");
    assert_eq!(portal.ended("drill").await.0, "succeeded");
}
