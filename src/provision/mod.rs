//! Creates, starts, stops and edits databases: lists of steps with undo, to be read from top to bottom.
//!
//! A request only writes rows ([`request`]); the steps run as jobs.

pub mod container;
pub mod create;
pub mod data_directory;
pub mod edit;
pub mod exec;
pub mod firewall;
pub mod freeze;
pub mod hand_over;
pub(crate) mod initial_data;
pub mod lifetime;
pub mod pinning;
pub mod power;
pub(crate) mod quota;
pub(crate) mod readiness;
pub mod request;
pub mod resume;
pub mod rotate_password;
pub mod sealed_server;
pub mod seed;
pub mod seed_builder;
pub mod server;
pub mod spares;
pub(crate) mod template_copy;
pub(crate) mod tier_access;
