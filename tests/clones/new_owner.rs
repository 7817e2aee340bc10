//! A copy that was requested before its source got another owner is not made, however long the request waited.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::json;

use super::{call, sign};
use crate::support::TestPortal;

/// Makes the jobs that copy data wait.
const LATER: &str = "create function later() returns trigger language plpgsql as $$ begin
      new.run_at = now() + interval '4 minutes'; return new; end $$;
    create trigger later before insert on job for each row when (new.kind = 'snapshot') execute function later()";

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_requested_before_the_owner_changed_is_not_made() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    portal.user("eve").await;
    let (api, root) = (portal.token(&ada).await, portal.token(&portal.admin().await).await);
    ada.create("lab", &[]).await;
    let mut lab = sign(&portal, EngineKind::Postgres, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    let made = call(&api, "lab/clone", &json!({ "name": "copy" }), 201).await;
    let password = made["password"].as_str().expect("a password").to_owned();

    portal.sql(LATER);
    for (path, body) in [
        ("containers/lab/clone", json!({ "name": "late" })),
        ("containers/copy/refresh", json!({})),
        ("templates", json!({ "name": "course", "source": { "database": "lab" } })),
    ] {
        api.json(Method::POST, &format!("/api/v1/{path}"), &body).await.expect(202);
    }
    root.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "owner": "eve" })).await.expect(200);
    lab.put("secret", "of eve").await.expect("writes");
    portal.sql("drop trigger later on job; update job set run_at = now() where status = 'queued'");
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    // All three share the snapshot of the first.
    let told =
        portal.sql("select count(*) || ' ' || max(error) from job where kind = 'snapshot' and status = 'failed'");
    assert_eq!(told, "1 The database has had another owner since ada requested this.");
    assert_eq!(sign(&portal, EngineKind::Postgres, "copy", &password).await.get("secret").await, Ok(None));
    assert_eq!(portal.sql("select count(*) from template_version where made_at is not null"), "0");

    // Nor is it made if an administrator requested the snapshot that it shares: administrators may take one of every database.
    root.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "owner": "ada" })).await.expect(200);
    portal.sql(
        "create trigger later before insert on job for each row when (new.kind = 'snapshot') execute function later()",
    );
    root.json(Method::POST, "/api/v1/containers/copy/refresh", &json!({})).await.expect(202);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "later" })).await.expect(202);
    root.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "owner": "eve" })).await.expect(200);
    portal.sql("drop trigger later on job; update job set run_at = now() where status = 'queued'");
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    let told = portal.sql(
        "select string_agg(kind || ' ' || coalesce(error, ''), '; ' order by kind) from job
          where status = 'failed' and kind in ('clone', 'restore-snapshot')",
    );
    assert_eq!(told.matches("The source of this clone belongs to somebody else now.").count(), 2, "{told}");
    assert_eq!(sign(&portal, EngineKind::Postgres, "copy", &password).await.get("secret").await, Ok(None));
}
