//! The pages in a real Chromium: what a researcher does by clicking and typing, without scripting, and by keyboard only.

mod backups;
pub mod driver;
mod dump;
pub mod fill;
mod keyboard;
mod layout;
mod no_script;
pub mod tour;
mod whole_way;
