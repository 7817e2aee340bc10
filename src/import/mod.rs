//! Dumps that people bring: recognised, kept in a file for as long as it takes, and loaded into a new database by the
//! tools of its own image, as its own user. What failed in it is told.

pub mod archive;
pub mod choice;
pub mod course;
pub mod encoding;
pub mod format;
pub mod load;
pub mod load_stopped;
pub mod measured;
pub mod packing;
pub mod pour;
pub mod report;
pub mod request;
pub mod scan;
pub mod sending;
pub mod staging;
pub mod unknown;
pub mod zip;
