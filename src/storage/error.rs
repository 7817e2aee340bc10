//! The error type of operations on data directories.

use std::path::Path;

use crate::runtime::RuntimeError;

/// Why an operation on a data directory failed, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system reported an error.
    #[error("Could not {operation} in {path}: {cause}")]
    Io {
        /// The operation that failed.
        operation: &'static str,
        /// The path concerned.
        path: String,
        /// The system's error message.
        cause: String,
    },
    /// The directory contains something that is not acceptable.
    #[error("{0}")]
    Refused(String),
    /// An error of the container engine that runs the helper container.
    #[error(transparent)]
    Engine(#[from] RuntimeError),
}

pub(crate) fn io(operation: &'static str, path: &Path) -> impl Fn(std::io::Error) -> StorageError {
    let path = path.display().to_string();
    move |e| StorageError::Io { operation, path: path.clone(), cause: e.to_string() }
}
