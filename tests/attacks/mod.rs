//! Booby-trapped databases: they contain everything an owner can place in a server for someone with more privileges to
//! run. Every operation of the portal is applied to each; all succeed, and none escalates privileges.

mod gained;
mod gained_in_copies;
mod mariadb;
pub mod mongodb;
pub mod neo4j;
mod postgres;

use crate::support::{Client, TestPortal};

/// Waits until the newest job of this kind has succeeded.
async fn well(portal: &TestPortal, kind: &str) {
    let (status, error) = portal.ended(kind).await;
    assert_eq!(status, "succeeded", "{kind}: {error}");
}

/// The password of a database, which the portal shows once.
async fn password(ada: &Client, name: &str) -> String {
    let shown = ada.post(&format!("/containers/{name}/password"), &[]).await.expect(200);
    shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown")
}
