//! Backups: dumped by a command in the database's own container, streamed through compression into an object store,
//! proven there, and restored into new containers.

pub mod assurance;
pub mod compare;
pub mod definitions;
pub mod download;
pub mod drill;
pub mod dump;
mod kept;
pub mod pipeline;
pub mod replicate;
pub mod request;
pub mod resign;
pub mod restore;
pub mod restore_script;
pub mod retention;
pub mod rights;
pub mod server;
pub mod sign;
pub mod unregistered;

use crate::domain::engine::EngineKind;
use crate::engine::EngineBackup;
use crate::objects::ObjectError;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

impl From<ObjectError> for StepError {
    fn from(e: ObjectError) -> Self {
        Self::Store(e.into())
    }
}

/// How an engine is backed up.
///
/// # Errors
/// [`StepError::Fail`] where that is not to be had yet.
pub(crate) fn engine_backup(engine: EngineKind) -> Result<&'static dyn EngineBackup, StepError> {
    let found = engine.engine().backup();
    found.ok_or_else(|| StepError::Fail(RequestError::NoBackup(engine.label()).to_string()))
}
