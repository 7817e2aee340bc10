//! The state shared by all handlers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::limits::LoginLimits;
use crate::web::connections::connection::Connections;
use crate::web::metrics::Metrics;
use crate::web::open_requests::Caps;

/// Maximum number of dumps that are received from one person at a time. Each takes a thread while it is examined.
const UPLOADS: usize = 4;

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
    /// Limit on dumps that are being received.
    pub uploads: Caps,
    /// Limit on calls that wait for a job.
    pub waits: Caps,
    /// Cancelled when the portal stops, which ends the streams of pages.
    pub closing: CancellationToken,
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
            uploads: Caps::new(UPLOADS),
            waits: Caps::new(server.waits_per_person),
            closing: CancellationToken::new(),
            app,
        }
    }
}

/// The state type of all handlers.
pub type Shared = Arc<Portal>;
