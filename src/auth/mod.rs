//! Authentication: local accounts, sessions, tokens, and limits on guessing.

pub mod access;
pub mod first_admin;
pub mod limits;
pub mod login;
pub mod passwords;
