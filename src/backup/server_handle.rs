//! A server that is being filled or compared.

use crate::engine::{EngineBackup, ServerSpec};

/// A server to fill or compare.
pub struct ServerHandle<'a> {
    /// The engine's id of its container.
    pub id: &'a str,
    /// Input for the engine's description.
    pub spec: ServerSpec<'a>,
    /// How its engine restores.
    pub engine: &'static dyn EngineBackup,
}
