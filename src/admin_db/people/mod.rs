//! User accounts with their sessions, tokens, devices, quotas and belongings.

pub mod accounts;
pub mod belongings;
pub mod devices;
pub mod ownership;
pub mod quotas;
pub mod sessions;
pub mod tokens;
