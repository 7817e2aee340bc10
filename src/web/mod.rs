//! What answers on HTTP: routes with their access levels, layers, pages and the JSON API.

pub mod access;
pub mod api;
pub mod assets;
pub mod caps;
pub mod connections;
pub mod context;
pub mod download;
pub mod error;
pub mod forms;
pub mod going_on;
pub mod layers;
pub mod metrics;
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
    /// Open connections.
    pub connections: Arc<connections::Connections>,
    /// Answers that go on: logs and jobs as they happen.
    pub streams: caps::Caps,
    /// Calls that wait for a job.
    pub waits: caps::Caps,
}

impl Portal {
    /// The portal of these parts, with nobody connected.
    pub fn new(app: Arc<App>) -> Self {
        let server = &app.config.server;
        Self {
            limits: LoginLimits::default(),
            metrics: metrics::Metrics::default(),
            connections: connections::Connections::new(server),
            streams: caps::Caps::new(server.streams_per_person),
            waits: caps::Caps::new(server.waits_per_person),
            app,
        }
    }
}

/// The state of every handler.
pub type Shared = Arc<Portal>;
