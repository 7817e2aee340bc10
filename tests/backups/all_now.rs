//! Backing up all databases at once, by button and by command.

use super::cli;
use crate::support::TestPortal;

/// The names of the databases with this many complete backups.
fn backed_up(times: u32) -> String {
    format!(
        "select coalesce(string_agg(name, ' ' order by name), '') from
           (select c.name from container c join backup_log b on b.container_id = c.id
             where b.kind = 'backup' and b.status = 'succeeded' group by c.name having count(*) = {times}) found"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn all_databases_are_backed_up_by_button_and_by_command() {
    let portal = TestPortal::with_store().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    for name in ["running", "stopped", "failed"] {
        ada.create(name, &[]).await;
    }
    ada.post("/containers/stopped/stop", &[]).await.expect(303);
    ada.wait_for("stopped", "stopped").await;
    portal.sql("update state set state = 'failed', failed_step = 'x', failed_reason = 'x' where container_id = (select id from container where name = 'failed')");

    ada.post("/admin/backups/all", &[]).await.expect(403);
    admin.post("/admin/backups/all", &[]).await.expect(303);
    let page = admin.get("/admin/backups").await.expect(200).text();
    let told =
        "2 backups enqueued. 1 database is not backed up. failed: This is not possible while the database is failed.";
    assert!(page.contains(told), "{page}");
    portal.until(&backed_up(1), |names| names == "running stopped").await;

    let (code, said) = cli(&portal, &["backup", "now", "running", "mistyped"]);
    assert!(code == 1 && said.contains("there is no database mistyped"), "{said}");
    let (code, said) = cli(&portal, &["backup", "now"]);
    assert!(code == 2 && said.contains("--all"), "{said}");
    let (code, said) = cli(&portal, &["backup", "now", "--all"]);
    assert!(
        code == 1 && said.contains("no backup: This is not possible") && said.matches(" job ").count() == 2,
        "{said}"
    );
    portal.until(&backed_up(2), |names| names == "running stopped").await;
    let (code, said) = cli(&portal, &["backup", "now", "running"]);
    assert_eq!(code, 0, "{said}");
    portal.until(&backed_up(3), |names| names == "running").await;
    assert_eq!(portal.sql("select count(*) from log where action = 'job.failed'"), "0");
}
