//! Users learn nothing about other people's databases, not even that they exist.

use crate::support::{Reply, TestPortal};

#[tokio::test(flavor = "multi_thread")]
async fn for_a_stranger_a_database_does_not_exist() {
    let portal = TestPortal::start().await;
    let (ada, eve) = (portal.user("ada").await, portal.user("eve").await);
    let token = portal.token(&eve).await;
    ada.submit_create("genome-77", &[]).await.expect(303);
    // A response without the parts that differ in every response.
    let told = |reply: Reply, name: &str| {
        let id = reply.headers["x-request-id"].to_str().expect("text").to_owned();
        (reply.status, reply.body.replace(&id, "ID").replace(name, "NAME"))
    };
    for path in ["", "/logs", "/settings", "/delete"] {
        let theirs = told(eve.get(&format!("/containers/genome-77{path}")).await.expect(404), "genome-77");
        let none = told(eve.get(&format!("/containers/absent-77{path}")).await.expect(404), "absent-77");
        assert_eq!(theirs, none, "{path}");
    }
    let theirs = told(token.get("/api/v1/containers/genome-77").await.expect(404), "genome-77");
    assert_eq!(theirs, told(token.get("/api/v1/containers/absent-77").await.expect(404), "absent-77"));
    for list in ["/", "/?q=genome"] {
        assert!(!eve.get(list).await.expect(200).body.contains("/containers/genome-77"), "{list}");
    }
    assert_eq!(token.get("/api/v1/containers?owner=ada").await.expect(200).json()["items"], serde_json::json!([]));
}
