//! Uploaded dumps: recognised, kept in a file until they are loaded, and loaded into a new database by the tools of its
//! own image, as its own user. Failed statements are reported.

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
