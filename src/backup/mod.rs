//! Backups: dumped by a command in the database's own container, streamed through compression into an object store,
//! proven there, and restored into new containers.

pub mod audit;
pub mod drill;
pub mod dump;
pub mod find;
pub mod hand;
pub mod last;
pub mod manifest;
pub mod pack;
pub mod portal_jobs;
pub mod prove;
pub mod prune;
pub mod request;
pub mod restore;
pub mod stream;
pub mod upload;
pub mod worth;

use crate::engine::{Backup, EngineKind};
use crate::objects::ObjectError;
use crate::provision::flow::StepError;
use crate::provision::request::RequestError;

impl From<ObjectError> for StepError {
    fn from(e: ObjectError) -> Self {
        if e.is_transient() { Self::Retry(e.to_string()) } else { Self::Fail(e.to_string()) }
    }
}

/// How an engine is backed up.
///
/// # Errors
/// [`StepError::Fail`] where that is not to be had yet.
fn describes(engine: EngineKind) -> Result<&'static dyn Backup, StepError> {
    let found = engine.engine().backup();
    found.ok_or_else(|| StepError::Fail(RequestError::NoBackup(engine.label()).to_string()))
}
