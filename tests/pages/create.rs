//! A database from the form to a responding server, and through its whole lifetime.

use crate::support::seeds::directories;
use crate::support::{Client, POSTGRES_15, POSTGRES_17, TestPortal};

async fn whole_life(image: &str, version: &str) {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("image", image)]).await;

    let page = ada.get("/containers/lab").await.expect(200);
    let text = page.text();
    assert!(text.contains(&format!("PostgreSQL {version}")), "{text}");
    let psql = page.all("pre, code").into_iter().find(|t| t.trim_start().starts_with("psql ")).expect("a psql line");
    assert!(psql.contains(&format!("port={}", portal.port("lab"))), "{psql}");
    assert!(text.contains("moves to the trash. You can restore it"), "{text}");
    let backups = ada.get("/containers/lab/backups").await.expect(200).text();
    let none = "No backups are made: no backup target is configured.";
    assert!(backups.contains(none) && !backups.contains("is due"), "no backup is announced: {backups}");

    let db = portal.connect("lab", "correct-horse").await.expect("the user signs in");
    db.batch_execute("create table kept (x text); insert into kept values ('💧 row')")
        .await
        .expect("the user can work");
    assert!(portal.connect("lab", "wrong-horse").await.is_err(), "a wrong password is refused");

    ada.post("/containers/lab/restart", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    assert_eq!(kept(&portal).await, "💧 row");

    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    assert!(portal.connect("lab", "correct-horse").await.is_err());
    ada.post("/containers/lab/start", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;

    ada.post("/containers/lab/delete", &[("confirm", "lba")]).await.expect(422);
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(portal.containers(), Vec::<String>::new(), "nothing runs while it is in the trash");
    in_the_trash(&ada).await;
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    assert_eq!(kept(&portal).await, "💧 row");

    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    ada.wait_until_gone("lab").await;
    let left = directories(&portal.dir.join("tiers/standard").join(&portal.instance));
    assert!(left.is_empty(), "the data is removed: {left:?}");
    assert_eq!(portal.sql("select count(*) from port"), "0");
    assert_eq!(portal.sql("select count(*) from credential"), "0");
    // The page disappears a moment before the job that removed it ends.
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    assert_eq!(portal.sql("select count(*) from job where status <> 'succeeded'"), "0");
}

/// Checks the pages of a database in the trash.
async fn in_the_trash(ada: &Client) {
    let text = ada.get("/containers/lab").await.expect(200).text();
    assert!(text.contains("deleted permanently in 10 d"), "no day is lost: {text}");
    let list = ada.get("/?state=trashed").await.expect(200);
    assert_eq!(list.all("option[value=trashed][selected]"), ["in the trash"]);
    assert!(list.text().contains("lab"));
    let settings = ada.get("/containers/lab/settings").await.expect(200);
    assert!(
        settings.text().contains("You cannot change settings while the database is in the trash"),
        "{}",
        settings.text()
    );
    assert!(settings.all("input[name=memory]").is_empty(), "no form");
    let refused = ada.post("/containers/lab/settings", &[("contact", "grace")]).await.expect(409);
    assert!(refused.text().contains("cannot change settings"), "{}", refused.text());
    let logs = ada.get("/containers/lab/logs").await.expect(200).text();
    assert!(
        logs.contains("No log is available") && !logs.contains("The log is empty"),
        "only one of the two messages: {logs}"
    );
}

async fn kept(portal: &TestPortal) -> String {
    let db = portal.connect("lab", "correct-horse").await.expect("the user signs in again");
    db.query_one("select x from kept", &[]).await.expect("the row is there").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_17_lives_from_form_to_purge() {
    whole_life(POSTGRES_17, "17").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_15_lives_from_form_to_purge() {
    whole_life(POSTGRES_15, "15").await;
}
