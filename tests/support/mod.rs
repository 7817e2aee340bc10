//! What the tests share: a portal each, browsers without a screen, and the clean-up after both.

pub mod admin_db;
mod client;
pub mod compose;
pub mod docker;
pub mod portal;
pub mod program;
pub mod seeds;
pub mod store_proxy;

pub use client::{Client, Reply};
pub use portal::{ADMIN_PASSWORD, Options, Tables, TestPortal, store};

/// The image most tests use: whatever holds for it holds for the other versions too, which have tests of their own.
pub const POSTGRES_17: &str = "docker.io/library/postgres:17";
/// The other version whose image is built here.
pub const POSTGRES_15: &str = "docker.io/library/postgres:15";
