//! Dumps that consist of several files, in a directory or in a tar archive of one: of `pg_dump -Fd`, of mydumper, and
//! collections as JSON lines, a JSON array or CSV.

mod batch;
pub mod collections;
mod csv;
mod csv_separator;
mod data_rows;
mod extended_json;
pub mod insert;
mod json_array;
pub mod list;
mod load_data;
pub mod mydumper;
pub mod pg_directory;
pub mod recognise;
pub mod scratch;
pub mod script;
pub mod unpack;
