//! The pages, as a researcher's browser without scripting sees them.

mod admin;
mod create;
