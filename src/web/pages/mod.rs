//! The pages: for each family a file with its handlers, thin: read, ask, render.

pub mod account;
pub mod actions;
pub mod admin;
pub mod admin_people;
pub mod container;
pub mod docs;
pub mod home;
pub mod job;
pub mod login;
pub mod logs;
pub mod new;
pub mod settings;
pub mod shared;
pub mod theme;
