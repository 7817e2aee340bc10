//! The data shown on pages: plain structs for the templates in `templates/`.
//!
//! A view contains text, numbers and lists that are ready to be displayed; it has no domain types and does no I/O. A
//! handler fills a view and renders it. [`Frame`] is part of every page, and [`elements`] contains what several pages
//! share.

pub mod account;
pub mod admin;
pub mod backups;
pub mod branding;
pub mod confirm;
pub mod container;
pub mod contents;
pub mod copies;
mod crumbs;
pub mod docs;
pub mod elements;
pub mod error;
pub mod extend;
pub mod frame;
pub mod home;
pub mod job;
pub mod login;
pub mod logs;
pub mod metrics;
pub mod new;
pub mod notices;
pub mod settings;

pub use crate::web::views::elements::field::{Choice, Field};
pub use crate::web::views::elements::format::{Moment, Size};
pub use crate::web::views::elements::parts::{ActionButton, Chip, Column, Fact, FilterForm, Link, Pager};
pub use crate::web::views::elements::steps::{FailureView, StepView, Steps};
pub use frame::{Flash, Frame};
