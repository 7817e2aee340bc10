//! Why work on a data directory failed.

use std::path::Path;

use crate::runtime::RuntimeError;

/// Why work on a data directory failed, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("Could not {operation} in {path}: {cause}")]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// Where.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// Something is wrong with what lies there.
    #[error("{0}")]
    Refused(String),
    /// The container engine's, where a helper container does the work.
    #[error(transparent)]
    Engine(#[from] RuntimeError),
}

pub(crate) fn io(operation: &'static str, path: &Path) -> impl Fn(std::io::Error) -> StorageError {
    let path = path.display().to_string();
    move |e| StorageError::Io { operation, path: path.clone(), cause: e.to_string() }
}
