//! The object stores for commands that access them directly.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::objects::Stores;
use crate::tasks;

/// The configuration with its stores.
pub(super) struct ConfiguredStores {
    /// The configuration.
    pub(super) config: Config,
    /// Its stores.
    pub(super) stores: Stores,
    stop: CancellationToken,
    serving: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl ConfiguredStores {
    /// Sets up the clients. Each process serves an embedded store itself: this one starts its own server on the same
    /// directory.
    pub(super) async fn open(at: &Surroundings) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = at.checked_config()?;
        let (stores, servers) = Stores::open(&config).await?;
        let stop = CancellationToken::new();
        let serving = servers.into_iter().map(|s| tasks::spawn(s.serve(stop.clone()))).collect();
        Ok(Self { config, stores, stop, serving })
    }

    /// Stops the embedded stores.
    pub(super) async fn close(self) {
        self.stop.cancel();
        for task in self.serving {
            let _ = task.await;
        }
    }
}
