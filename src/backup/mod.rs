//! Backups: dumped by a command in the database's own container, streamed through compression into an object store,
//! proven there, and restored into new containers.

pub mod audit;
pub mod beside;
pub mod compare;
pub mod copy;
pub mod definitions;
pub mod download;
pub mod drill;
pub mod dump;
pub mod find;
pub mod hand;
pub mod head;
pub mod in_place;
mod kept;
pub mod last;
pub mod leftover;
pub mod manifest;
pub mod mark;
pub mod pack;
pub mod portal_jobs;
pub mod prove;
pub mod prune;
pub mod recover;
pub mod replace;
pub mod reports;
pub mod request;
pub mod resign;
pub mod restore;
pub mod restore_copy;
pub mod seal;
pub mod second;
pub mod sign;
pub mod site;
pub mod source;
pub mod storing;
pub mod stream;
pub mod sum;
mod through;
pub mod unpack;
pub mod upgrade;
pub mod upload;
pub mod worth;

use crate::engine::backup::When;
use crate::engine::{Backup, EngineKind};
use crate::objects::ObjectError;
use crate::provision::flow::{Flow, StepError};
use crate::provision::request::RequestError;

impl From<ObjectError> for StepError {
    fn from(e: ObjectError) -> Self {
        Self::Store(e.into())
    }
}

/// The flow that makes a new database of this engine from a backup.
pub fn restore_flow(engine: EngineKind) -> &'static Flow {
    match engine.engine().backup().map(Backup::moves) {
        Some(When::Stopped) => &restore_copy::RESTORE_COPY,
        _ => &restore::RESTORE,
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
