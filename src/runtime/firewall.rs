//! What the portal knows of the firewall around its databases.

use std::time::Instant;

use tokio::sync::Mutex;

/// Whether the rules stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wall {
    /// They do.
    Stands,
    /// They don't; a sentence says why.
    Missing(String),
    /// `databases.firewall` is false: somebody else keeps them.
    Theirs,
}

/// What the portal knows of its wall.
#[derive(Debug, Default)]
pub struct Egress {
    /// Held while it is looked at: one helper at a time.
    pub(crate) last: Mutex<Option<(Instant, Wall)>>,
}

impl Egress {
    /// How the wall was when it was looked at last.
    pub async fn seen(&self) -> Option<Wall> {
        self.last.lock().await.as_ref().map(|(_, wall)| wall.clone())
    }
}
