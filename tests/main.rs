//! The integration tests: one binary with real components. Each test starts its own portal, with its own instance id,
//! ports, directories and tables; all share the container engine and one server for the tables.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test says what must be, and ends where it is not"
)]

mod access;
mod api;
mod attacks;
mod backups;
mod browser;
mod by_helper;
mod clones;
mod documents;
mod engines;
mod fair;
mod faults;
mod lifetime;
mod pages;
mod screenshots;
mod scripts;
mod snippets;
mod statements;
mod storage;
mod structure;
mod support;
mod templates;
