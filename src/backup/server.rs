//! A server that is being filled or compared.

use crate::engine::{Backup as Describes, Plan};

/// The row of a backup that lies in its target.
/// A server that is to be filled.
pub struct Server<'a> {
    /// The engine's id of its container.
    pub id: &'a str,
    /// What its engine's description needs.
    pub plan: Plan<'a>,
    /// How its engine restores.
    pub describes: &'static dyn Describes,
}
