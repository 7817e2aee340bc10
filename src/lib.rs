//! DB4SCI: a self-hosted database-as-a-service portal for researchers.
//!
//! In the code it is called `mydb`; users know it as DB4SCI. `docs/ARCHITECTURE.md` describes the structure.

pub mod admin_db;
pub mod app;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod blueprint;
pub mod bootstrap;
pub mod catalog;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod clones;
pub mod config;
pub mod configured;
pub mod data_dir_lock;
pub mod domain;
pub mod encryption;
pub mod engine;
pub mod import;
pub mod jobs;
pub mod lifecycle;
pub mod manifest;
pub mod notify;
pub mod objects;
pub mod preflight;
pub mod process;
pub mod provision;
pub mod queue;
pub mod rebuild;
pub mod recovery;
pub mod recovery_key;
pub mod runtime;
pub mod secrets;
pub mod serve;
pub mod sql;
pub mod storage;
pub(crate) mod tasks;
pub mod templates;
pub mod tls;
pub mod trash;
pub mod web;
