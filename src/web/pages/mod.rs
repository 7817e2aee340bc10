//! The pages: for each family a file with its handlers, thin: read, ask, render.

pub mod account;
pub mod account_tokens;
pub mod actions;
pub mod admin;
pub mod admin_contents;
mod admin_facts;
pub mod admin_lists;
pub mod admin_people;
pub mod admin_people_changes;
pub mod admin_states;
pub mod admin_storage;
pub mod admin_system;
pub mod backups;
pub mod container;
pub mod docs;
pub mod home;
pub mod job;
pub mod login;
pub mod logs;
pub mod metrics;
pub mod new;
pub mod replace;
pub mod settings;
pub mod shared;
pub mod theme;
