//! Backups: dumped by a command in the database's own container, streamed through compression into an object store,
//! verified there, and restored into new containers.

pub mod compare;
pub mod definitions;
pub mod download;
pub mod drill;
pub mod dump;
pub mod pipeline;
pub mod possible_loss;
pub mod replicate;
pub mod request;
pub mod restore;
pub mod restore_script;
pub mod retention;
pub mod rights;
pub mod server_handle;
pub mod sign;
pub mod sign_older;
pub mod unregistered;
pub mod verification;

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

/// The engine's description of backups.
///
/// # Errors
/// [`StepError::Fail`] if the engine does not support backups yet.
pub(crate) fn engine_backup(engine: EngineKind) -> Result<&'static dyn EngineBackup, StepError> {
    let found = engine.engine().backup();
    found.ok_or_else(|| StepError::Fail(RequestError::NoBackup(engine.label()).to_string()))
}
