//! What all handlers share.

use std::sync::Arc;

use crate::app::App;
use crate::auth::limits::LoginLimits;
use crate::web::caps::Caps;
use crate::web::connections::connection::Connections;
use crate::web::metrics::Metrics;

/// What the handlers share.
pub struct Portal {
    /// The portal's parts.
    pub app: Arc<App>,
    /// Limits on guessing passwords.
    pub limits: LoginLimits,
    /// Counters and durations for `/metrics`.
    pub metrics: Metrics,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Answers that go on: logs and jobs as they happen.
    pub streams: Caps,
    /// Calls that wait for a job.
    pub waits: Caps,
}

impl Portal {
    /// The portal of these parts, with nobody connected.
    pub fn new(app: Arc<App>) -> Self {
        let server = &app.config.server;
        Self {
            limits: LoginLimits::default(),
            metrics: Metrics::default(),
            connections: Connections::new(server),
            streams: Caps::new(server.streams_per_person),
            waits: Caps::new(server.waits_per_person),
            app,
        }
    }
}

/// The state of every handler.
pub type Shared = Arc<Portal>;
