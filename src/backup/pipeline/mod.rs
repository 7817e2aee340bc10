//! The way of the bytes between a container and a store: compressed, encrypted, summed and cut into parts, and back.

pub mod multipart;
pub mod pack;
pub mod peek;
pub mod reports;
pub(crate) mod rewrite;
pub mod transfer;
pub mod unpack;
mod words;
