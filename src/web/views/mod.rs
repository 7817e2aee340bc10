//! What the pages show: plain structs for the templates in `templates/`.
//!
//! A view holds text, numbers and lists that are ready to be shown; it knows
//! no domain type and does no I/O. A handler fills one and renders it.
//! [`Frame`] is in every page, [`elements`] holds what several pages share.

pub mod account;
pub mod admin;
pub mod backups;
pub mod branding;
pub mod confirm;
pub mod container;
pub mod contents;
pub mod docs;
pub mod elements;
pub mod error;
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
