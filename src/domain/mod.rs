//! The words of the portal as types. Nothing in here does I/O.

pub mod names;
pub mod password;
pub mod policy;
pub mod quantity;
pub mod retention;
pub mod state;
pub mod user;
