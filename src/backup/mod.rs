//! Backups: dumped by a command in the database's own container, streamed through compression into an object store,
//! proven there, and restored into new containers.

pub mod drill;
pub mod dump;
pub mod hand;
pub mod manifest;
pub mod pack;
pub mod prove;
pub mod request;
pub mod restore;
pub mod stream;
pub mod upload;
pub mod worth;

use crate::objects::ObjectError;
use crate::provision::flow::StepError;

impl From<ObjectError> for StepError {
    fn from(e: ObjectError) -> Self {
        if e.is_transient() { Self::Retry(e.to_string()) } else { Self::Fail(e.to_string()) }
    }
}
