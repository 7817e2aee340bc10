//! The handlers of the pages, one file per group. They are thin: read the input, call the domain, render.

pub mod account;
pub mod actions;
pub mod admin;
pub mod backups;
pub mod container;
pub mod container_head;
pub mod copies;
pub mod docs;
pub mod extend;
pub mod home;
pub mod job;
pub mod login;
pub mod logs;
pub mod metrics;
pub mod new;
pub mod notices;
pub mod orphan_backups;
pub mod replace;
pub mod restore;
pub mod settings;
pub mod shared;
pub mod templates;
pub mod theme;
