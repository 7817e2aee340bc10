//! What answers on HTTP: routes with their access levels, layers, pages and the JSON API.

pub mod api;
pub mod assets;
pub mod backups_access;
pub mod context;
pub mod create;
pub mod download;
pub mod dump_form;
pub mod edit;
pub mod error;
pub mod form;
pub mod identity;
pub mod jobs_access;
pub mod layers;
pub mod metrics;
pub mod only;
pub mod pages;
pub mod routes;
pub mod server;
pub mod views;

use std::sync::Arc;

use crate::app::App;
use crate::auth::limits::LoginLimits;

/// What the handlers share.
pub struct Portal {
    /// The portal's parts.
    pub app: Arc<App>,
    /// Limits on guessing passwords.
    pub limits: LoginLimits,
    /// Counters and durations for `/metrics`.
    pub metrics: metrics::Metrics,
}

/// The state of every handler.
pub type Shared = Arc<Portal>;
