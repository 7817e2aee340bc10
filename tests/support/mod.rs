//! Helpers shared by all tests: a portal per test, HTTP clients, and the cleanup of both.

pub mod admin_db;
mod client;
pub mod compose;
mod configuration;
pub mod disk;
pub mod docker;
mod outcome;
pub mod portal;
pub mod program;
pub mod seeds;
pub mod store_proxy;

pub use client::{Client, Reply, http};
pub use portal::{ADMIN_PASSWORD, Options, Tables, TestPortal, store};

/// How long a test waits for an expected event. It only ends tests that hang: a slow machine is not a failure.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// The image most tests use: results also apply to the other versions, which have their own tests.
pub const POSTGRES_17: &str = "docker.io/library/postgres:17";
/// The other version whose image is built here.
pub const POSTGRES_15: &str = "docker.io/library/postgres:15";
