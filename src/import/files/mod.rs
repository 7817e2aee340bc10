//! Dumps that consist of several files, in a directory or in a tar archive of one: of `pg_dump -Fd`, of mydumper, and
//! collections as JSON lines or CSV.

mod batch;
pub mod collections;
mod csv;
mod data_rows;
pub mod insert;
pub mod list;
mod load_data;
pub mod mydumper;
pub mod pg_directory;
pub mod recognise;
pub mod scratch;
pub mod script;
pub mod unpack;
