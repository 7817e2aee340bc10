//! What the portal's conversations with a server have in common.

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::DuplexStream;

use super::wire::{Client, WireError};
use crate::engine::conversation::Print;

/// A connection to the server in a container.
pub(super) type Server = Client<DuplexStream>;

/// Names and secrets of a server.
pub(super) struct Names {
    pub admin: String,
    pub admin_password: SecretString,
    pub observer_password: SecretString,
    pub database: String,
    pub user: String,
}

/// What the portal asks of a server once it has signed in.
#[async_trait]
pub(super) trait Script: Send + Sync + 'static {
    /// Asks, and prints what a client would print.
    async fn run(&self, server: &mut Server, names: &Names, print: &Print) -> Result<(), WireError>;
}
