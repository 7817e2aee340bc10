//! Uploaded dumps.

pub mod archives;
pub mod load;
pub mod mysql8;
pub mod sql;
