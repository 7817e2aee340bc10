//! Snapshots and clones.

mod faults;
mod from_backup;
mod journey;
mod limits;
mod new_owner;
mod on_btrfs;
mod others;
mod scheduled;
mod take_over;
mod under_load;

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::Value;

use crate::backups::dump::frozen_copy::place;
use crate::engines::{Session, sign_in};
use crate::support::{Client, TestPortal};

/// Calls the API about a database and waits for the job.
async fn call(api: &Client, path: &str, body: &Value, status: u16) -> Value {
    api.outcome(Method::POST, &format!("/api/v1/containers/{path}"), body).await.expect(status).json()
}

/// A session of the user of a database.
async fn sign(portal: &TestPortal, engine: EngineKind, name: &str, password: &str) -> Box<dyn Session> {
    sign_in(&place(portal, engine, name), password).await.unwrap_or_else(|e| panic!("{name}: {e}"))
}
