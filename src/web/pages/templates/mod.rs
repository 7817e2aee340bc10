//! `/templates`: the templates, one template with its versions, and the form that creates a database from it.

pub mod list;
mod shared;
pub mod show;
