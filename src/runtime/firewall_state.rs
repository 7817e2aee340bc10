//! The last known state of the firewall rules for databases.

use std::time::Instant;

use tokio::sync::Mutex;

/// Whether the firewall rules are in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wall {
    /// They are in place.
    Stands,
    /// They are missing; a sentence says why.
    Missing(String),
    /// `databases.firewall` is false: somebody else manages them.
    Theirs,
}

/// The last known state of the firewall.
#[derive(Debug, Default)]
pub struct Egress {
    /// Locked during a check, so that only one helper runs at a time.
    pub(crate) last: Mutex<Option<(Instant, Wall)>>,
}

impl Egress {
    /// The result of the last check.
    pub async fn seen(&self) -> Option<Wall> {
        self.last.lock().await.as_ref().map(|(_, wall)| wall.clone())
    }
}
