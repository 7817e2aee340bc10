//! User accounts with their sessions, tokens, devices and quotas.

pub mod accounts;
pub mod devices;
pub mod quotas;
pub mod sessions;
pub mod tokens;
