//! Streams data between a container and a store, with compression, encryption, checksums and multipart uploads.

mod messages;
pub mod multipart;
pub mod pack;
pub mod peek;
pub mod reports;
pub(crate) mod rewrite;
pub mod transfer;
pub mod unpack;
pub mod verified;
