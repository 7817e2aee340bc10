//! Uploaded dumps: recognised, kept in a file until they are loaded, and loaded into a new database by the tools of its
//! own image, as its own user. Failed statements are reported.

pub mod archive;
pub mod content;
pub mod dump_file;
pub mod encoding;
pub mod files;
pub mod format;
pub mod load;
pub mod load_offline;
pub mod packing;
pub mod read_meter;
pub mod report;
pub mod request;
pub mod run_tool;
pub mod scan;
pub mod selection;
pub mod sql_dump;
pub mod staging;
pub mod text_dialect;
pub mod unsupported;
pub mod zip;
