//! Backups whose database has been deleted permanently, and backups that mydb_admin does not know.

use crate::backups::{back_up, cli, object, objects};
use crate::support::{Client, TestPortal};

async fn holds_seven(portal: &TestPortal, client: &Client, name: &str) {
    let (status, error) = portal.ended("restore").await;
    assert_eq!(status, "succeeded", "{error}");
    client.wait_for(name, "running").await;
    let shown = client.post(&format!("/containers/{name}/password"), &[]).await.expect(200);
    let password = shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown");
    let db = portal.connect(name, &password).await.expect("signs in");
    let row = db.query_one("select x from t", &[]).await.expect("it is there");
    assert_eq!(row.get::<_, i32>(0), 7);
}

async fn lab(portal: &TestPortal, ada: &Client) -> String {
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    let id = back_up(portal, ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    id
}

async fn purge(portal: &TestPortal, ada: &Client) {
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("purge").await.0, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_restores_backups_of_a_purged_database() {
    let portal = TestPortal::with_store().await;
    let (ada, eve, admin) = (portal.user("ada").await, portal.user("eve").await, portal.admin().await);
    assert!(!ada.get("/").await.expect(200).text().contains("deleted database"));
    let id = lab(&portal, &ada).await;
    purge(&portal, &ada).await;
    let home = ada.get("/").await.expect(200).text();
    assert!(home.contains("Backups of 1 permanently deleted database are still available"), "{home}");
    let page = ada.get("/backups").await.expect(200);
    assert!(
        page.text().contains("lab PostgreSQL") && page.body.contains(&format!("/backups/{id}/restore")),
        "{}",
        page.text()
    );
    assert!(!eve.get("/backups").await.expect(200).body.contains(&id));
    eve.get(&format!("/backups/{id}/restore")).await.expect(404);
    eve.post(&format!("/backups/{id}/restore"), &[("name", "mine")]).await.expect(404);
    let form = ada.get(&format!("/backups/{id}/restore")).await.expect(200);
    assert!(form.text().contains("Restore lab"), "{}", form.text());
    ada.post(&format!("/backups/{id}/restore"), &[("name", "no name")]).await.expect(422);
    ada.post(&format!("/backups/{id}/restore"), &[("name", "lab")]).await.expect(303);
    holds_seven(&portal, &ada, "lab").await;

    // An administrator restores it for another user.
    let restore = format!("/admin/backups/{id}/restore");
    let page = admin.post(&restore, &[("name", "for-eve"), ("owner", "nobody")]).await.expect(422).text();
    assert!(page.contains("There is no account “nobody”"), "{page}");
    let page = admin.post(&restore, &[("name", "lab"), ("owner", "eve")]).await.expect(422).text();
    assert!(page.contains("already exists"), "{page}");
    admin.post(&restore, &[("name", "for-eve"), ("owner", "eve")]).await.expect(303);
    holds_seven(&portal, &eve, "for-eve").await;
    ada.get("/containers/for-eve").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_deletes_backups_of_a_purged_database() {
    let portal = TestPortal::with_store().await;
    let (ada, eve, admin) = (portal.user("ada").await, portal.user("eve").await, portal.admin().await);
    let first = lab(&portal, &ada).await;
    let delete = |id: &str| format!("/backups/{id}/delete");
    let said = ada.get(&delete(&first)).await.expect(409).text();
    assert!(said.contains("still exists"), "{said}");
    let second = back_up(&portal, &ada, "lab").await;
    let third = back_up(&portal, &ada, "lab").await;
    purge(&portal, &ada).await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |open| open == "0").await;

    let lock = format!("/admin/backups/{first}/lock");
    admin.post(&lock, &[("until", "2099-01-01")]).await.expect(303);
    assert!(ada.get("/backups").await.expect(200).text().contains("locked until 2099-01-01"));
    ada.get(&delete(&first)).await.expect(409);
    ada.post(&delete(&first), &[("confirm", "lab")]).await.expect(409);
    eve.get(&delete(&second)).await.expect(404);
    eve.post(&delete(&second), &[("confirm", "lab")]).await.expect(404);

    let preview = ada.get(&delete(&second)).await.expect(200).text();
    for part in
        ["The backup of lab from", "is deleted from local", "the 1 other backup of lab", "1 backup that is locked"]
    {
        assert!(preview.contains(part), "{part}: {preview}");
    }
    ada.post(&delete(&second), &[("confirm", "LAB"), ("all", "on")]).await.expect(422);
    let gone = "select count(*) from backup_log where removed_at is not null";
    assert_eq!(portal.sql(gone), "0");
    let reply = ada.post(&delete(&second), &[("confirm", "lab"), ("all", "on")]).await.expect(303);
    ada.get(&reply.location).await.expect(200);
    assert_eq!(portal.ended("remove-backups").await, ("succeeded".to_owned(), String::new()));
    let left = |id: &str| objects(&portal).iter().filter(|path| path.to_string_lossy().contains(id)).count();
    assert_eq!((left(&second), left(&third)), (0, 0), "nothing of the deleted ones is left");
    assert!(left(&first) > 0, "the locked one is kept");
    assert_eq!(portal.sql("select count(*) from log where action = 'backup.remove' and actor = 'ada'"), "2");

    admin.post(&lock, &[("until", "")]).await.expect(303);
    let preview = ada.get(&delete(&first)).await.expect(200).text();
    assert!(preview.contains("It is the last backup of lab"), "{preview}");
    ada.post(&delete(&first), &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("remove-backups").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(left(&first), 0);
    assert!(!ada.get("/").await.expect(200).text().contains("deleted database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unregistered_backup_is_found_checked_and_restored() {
    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let id = lab(&portal, &ada).await;
    let damaged = back_up(&portal, &ada, "lab").await;
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("purge").await.0, "succeeded");
    // mydb_admin forgets the backups, as if it had been restored from an older state.
    portal.sql("begin; alter table log disable trigger all; delete from log where container_id is not null; alter table log enable trigger all;
                delete from job where container_id is not null; delete from backup_log where kind = 'drill'; delete from backup_log; delete from container; commit");
    let lost = object(&portal, &damaged, "roles.json.zst");
    std::fs::remove_file(&lost).expect("removed");
    let location = |id: &str| {
        let path = object(&portal, id, "manifest.json");
        let home = path.parent().expect("a directory").to_string_lossy().into_owned();
        home[home
            .find(&portal.instance.clone())
            .map(|_| home.rfind(&format!("/{}/", portal.instance)).expect("its place"))
            .expect("its place")
            + 1..]
            .to_owned()
    };
    let (good, bad) = (location(&id), location(&damaged));

    let page = admin.get("/admin/backups/find?target=local").await.expect(200);
    let text = page.text();
    assert!(
        text.contains("(this portal)") && text.contains(&good) && text.contains(&bad) && text.contains("of ada"),
        "{text}"
    );
    let (code, said) = cli(&portal, &["backup", "find", "--target", "local"]);
    assert!(code == 0 && said.contains(&good) && said.contains("2 unregistered backups of"), "{code} {said}");
    admin.get("/admin/backups/find?target=nowhere").await.expect(404);

    for (wrong, why) in [
        (bad.clone(), "roles.json.zst is missing"),
        ("x".to_owned(), "not a backup location"),
        (format!("{}/../{good}", portal.instance), "not a backup location"),
        (good.replace(&id, &damaged).replace(&portal.instance, "other"), "has no"),
    ] {
        let reply = admin.post("/admin/backups/import", &[("target", "local"), ("location", &wrong)]).await.expect(303);
        assert!(reply.location.starts_with("/admin/backups/find"), "{}", reply.location);
        let text = admin.get("/admin/backups/find?target=local").await.expect(200).text();
        assert!(text.contains(why), "{wrong}: {text}");
    }
    assert_eq!(portal.sql("select count(*) from backup_log"), "0");
    let reply = admin.post("/admin/backups/import", &[("target", "local"), ("location", &good)]).await.expect(303);
    assert_eq!(reply.location, format!("/admin/backups/{id}"));
    assert_eq!(
        portal
            .sql("select reason || ' ' || level || ' ' || (locked_until > now() + interval '29 days') from backup_log"),
        "import 2 true"
    );
    let reply = admin.post("/admin/backups/import", &[("target", "local"), ("location", &good)]).await.expect(303);
    let text = admin.get(&reply.location).await.expect(200).text();
    assert!(text.contains("already registered"), "{text}");
    let (code, said) = cli(&portal, &["backup", "import", "--target", "local", "--owner", "ada", &bad]);
    assert!(code == 1 && said.contains("roles.json.zst is missing"), "{code} {said}");

    // It belongs to ada again, who can restore it; its test restore passes.
    ada.post(&format!("/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    holds_seven(&portal, &ada, "lab-2").await;
    admin.post(&format!("/admin/backups/{id}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));

    of_another_portal(&portal, (&ada, &admin), &id, &good).await;
}

/// A backup of another portal in the same bucket is listed separately, can be imported and restored, and is never
/// removed by this portal.
async fn of_another_portal(portal: &TestPortal, (ada, admin): (&Client, &Client), id: &str, good: &str) {
    let theirs = object(portal, id, "manifest.json");
    let from = theirs.parent().expect("a directory");
    let elsewhere = uuid::Uuid::from_u128(7).to_string();
    let to = from
        .parent()
        .and_then(std::path::Path::parent)
        .and_then(std::path::Path::parent)
        .expect("the bucket")
        .join("other")
        .join(from.parent().and_then(|p| p.file_name()).expect("its database"))
        .join(&elsewhere);
    std::fs::create_dir_all(&to).expect("made");
    for file in objects(portal).iter().filter(|p| p.parent() == Some(from)) {
        std::fs::copy(file, to.join(file.file_name().expect("a name"))).expect("copied");
    }
    let manifest = std::fs::read_to_string(&theirs)
        .expect("read")
        .replace(id, &elsewhere)
        .replace(&format!("\"instance\": \"{}\"", portal.instance), "\"instance\": \"other\"");
    std::fs::write(to.join("manifest.json"), manifest).expect("written");
    let page = admin.get("/admin/backups/find?target=local").await.expect(200);
    assert!(page.body.contains("instance=other") && !page.text().contains(&elsewhere), "{}", page.text());
    let page = admin.get("/admin/backups/find?target=local&instance=other").await.expect(200).text();
    assert!(page.contains(&elsewhere), "{page}");
    let place = format!("other/{}/{elsewhere}", good.split('/').nth(1).expect("its database"));
    let (code, said) = cli(portal, &["backup", "import", "--target", "local", "--owner", "ada", &place]);
    assert!(
        code == 1 && said.contains("another portal or with another sealing key") && said.contains("--unsigned"),
        "{said}"
    );
    let reply = admin.post("/admin/backups/import", &[("target", "local"), ("location", &place)]).await.expect(303);
    assert!(reply.location.starts_with("/admin/backups/find"), "{}", reply.location);
    let (code, said) = cli(portal, &["backup", "find", "--target", "local", "--instance", "other"]);
    assert!(code == 0 && said.lines().any(|l| l.contains(&place) && l.trim_end().ends_with("no")), "{said}");
    let import = ["backup", "import", "--target", "local", "--owner", "ada", "--unsigned", &place];
    let (code, said) = cli(portal, &import);
    assert!(code == 0 && said.contains(&elsewhere), "{code} {said}");
    let page = admin.get(&format!("/admin/backups/{elsewhere}")).await.expect(200).text();
    assert!(page.contains("It is stored under the prefix of another portal"), "{page}");
    ada.post(&format!("/backups/{elsewhere}/restore"), &[("name", "lab-3")]).await.expect(303);
    holds_seven(portal, ada, "lab-3").await;
}
