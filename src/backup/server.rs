//! A server that is being filled or compared.

use crate::engine::{EngineBackup, ServerSpec};

/// The row of a backup that lies in its target.
/// A server that is to be filled.
pub struct ServerHandle<'a> {
    /// The engine's id of its container.
    pub id: &'a str,
    /// What its engine's description needs.
    pub spec: ServerSpec<'a>,
    /// How its engine restores.
    pub engine: &'static dyn EngineBackup,
}
