//! A running backup yields to other actions on its database, but not to requests that are refused for another reason.

use mydb::config::Config;
use mydb::domain::quantity::{ByteSize, GIB};
use reqwest::Method;
use serde_json::json;

use crate::support::{Options, TestPortal, store};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_does_not_end_a_running_backup() {
    let configure = |config: &mut Config| {
        store(config);
        config.limits.containers_per_user = 2;
        config.limits.memory_per_person = ByteSize(2 * GIB);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[]).await;
    ada.create("other", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t (i int); begin; lock table t in access exclusive mode").await.expect("locks");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let waiting = "select count(*) from backup_log b join job j on j.id = b.job_id
                   where b.kind = 'backup' and b.status = 'running' and j.status = 'running' and j.cancelled_by is null";
    portal.until("select count(*) from upload", |said| said != "0").await;
    assert_eq!(portal.sql(waiting), "1");

    let nowhere = uuid::Uuid::now_v7();
    let refused = [
        (Method::POST, "/api/v1/containers/lab/clone", json!({ "name": "other" })),
        (Method::POST, "/api/v1/containers/lab/clone", json!({ "name": "third" })),
        (Method::POST, "/api/v1/containers/lab/clone", json!({ "name": "third", "snapshot": nowhere })),
        (Method::POST, &format!("/api/v1/containers/lab/snapshots/{nowhere}/restore"), json!({ "confirm": "lab" })),
        (Method::PATCH, "/api/v1/containers/lab", json!({ "memory": "1900m" })),
        (Method::POST, "/api/v1/templates", json!({ "name": "course", "source": { "database": "lab" } })),
    ];
    for (method, path, body) in refused {
        let reply = api.json(method, path, &body).await;
        assert!(reply.status.is_client_error(), "{path} {body}: {} {}", reply.status, reply.text());
        assert_eq!(portal.sql(waiting), "1", "{path} {body} ended the backup");
    }

    api.json(Method::POST, "/api/v1/containers/lab/snapshots", &json!({})).await.expect(202);
    assert_eq!(portal.ended("backup").await.0, "cancelled");
    assert_eq!(portal.ended("snapshot").await.0, "succeeded");
    drop(db);
}
