//! Clones of backups.

use reqwest::Method;
use serde_json::json;

use super::call;
use crate::backups::back_up;
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_backup_is_independent_and_names_its_source() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("ttl", "30d"), ("memory", "256 MB")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("writes");
    let id = back_up(&portal, &ada, "lab").await;
    // What a rebuild from the bucket needs is in the manifest.
    let end = "select (manifest->'container'->>'expires_at')::timestamptz = expires_at
                 from backup_log b join container c on c.id = b.container_id where c.name = 'lab' and kind = 'backup'";
    assert_eq!(portal.sql(end), "t");
    db.batch_execute("update t set x = 8").await.expect("writes");

    let path = "/api/v1/containers/lab/clone";
    let both = json!({ "name": "copy", "backup": id, "snapshot": id });
    let refused = api.json(Method::POST, path, &both).await.expect(422).text();
    assert!(refused.contains("Send a snapshot or a backup, not both."), "{refused}");
    let unknown = json!({ "name": "copy", "backup": "01990c3e-7d53-7c70-a3a4-1f0d6f4f2b11" });
    let refused = api.json(Method::POST, path, &unknown).await.expect(422).text();
    assert!(refused.contains("There is no such backup of this database."), "{refused}");

    let wanted = json!({ "name": "copy", "backup": id, "memory": "300m", "ttl": "2d" });
    let made = call(&api, "lab/clone", &wanted, 201).await;
    assert_eq!((&made["clone_of"], &made["memory"]), (&json!("lab"), &json!(300 * 1024 * 1024)), "{made}");
    assert!(made["as_of"].is_string() && made["expires_at"].is_string(), "{made}");
    let copy = portal.connect("copy", made["password"].as_str().expect("a password")).await.expect("signs in");
    assert_eq!(copy.query_one("select x from t", &[]).await.expect("reads").get::<_, i32>(0), 7);
    let page = ada.get("/containers/copy").await.expect(200).text();
    assert!(page.contains("Restored from a backup of"), "{page}");

    // The same on the page.
    let form = ada.get(&format!("/containers/lab/clone?backup={id}")).await.expect(200).text();
    assert!(form.contains("The backup is restored to a new database,"), "{form}");
    ada.post("/containers/lab/clone", &[("name", "copy-2"), ("backup", &id)]).await.expect(303);
    ada.wait_for("copy-2", "running").await;
}
