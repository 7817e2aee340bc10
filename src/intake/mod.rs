//! Dumps that people bring: recognised, kept in a file for as long as it takes, and loaded into a new database by the
//! tools of its own image, as its own user. What failed in it is told.

pub mod archive;
pub mod format;
pub mod load;
pub mod load_stopped;
pub mod mysql;
pub mod report;
pub mod request;
pub mod sql;
pub mod staging;
