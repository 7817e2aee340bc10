//! The state shared by all handlers.

use std::sync::Arc;

use crate::app::App;
use crate::auth::limits::LoginLimits;
use crate::web::connections::connection::Connections;
use crate::web::metrics::Metrics;
use crate::web::open_requests::Caps;

/// The state shared by all handlers.
pub struct Portal {
    /// The parts of the portal.
    pub app: Arc<App>,
    /// Limits on guessing passwords.
    pub limits: LoginLimits,
    /// Counters and durations for `/metrics`.
    pub metrics: Metrics,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Limit on open streams of logs and job progress.
    pub streams: Caps,
    /// Limit on calls that wait for a job.
    pub waits: Caps,
}

impl Portal {
    /// A portal made of these parts, without connections.
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

/// The state type of all handlers.
pub type Shared = Arc<Portal>;
