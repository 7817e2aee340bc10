//! Errors of the container engine.

use crate::domain::stream_error::StreamError;

/// An error of the container engine. Every message is a sentence for the container's page.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not respond.
    #[error("The container engine did not respond when asked to {operation}: {cause}")]
    Unreachable {
        /// The operation that failed.
        operation: String,
        /// The client's error message.
        cause: String,
    },
    /// The requested object does not exist.
    #[error("Could not {operation}, because it does not exist: {cause}")]
    NotFound {
        /// The operation that failed.
        operation: String,
        /// The engine's error message.
        cause: String,
    },
    /// The container is not running.
    #[error("Could not {operation}, because its container is not running. It may have run out of memory.")]
    NotRunning {
        /// The operation that failed.
        operation: String,
    },
    /// A container or network of this name already exists.
    #[error("The container engine could not {operation}, because the name is already in use: {cause}")]
    Conflict {
        /// The operation that failed.
        operation: String,
        /// The engine's error message.
        cause: String,
    },
    /// Another program uses a published port.
    #[error("Port {port} is in use by another program.")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The image is not on this machine and cannot be pulled.
    #[error("The image {image} is not on this machine and cannot be pulled: {cause}")]
    ImageUnavailable {
        /// Its reference.
        image: String,
        /// The engine's error message.
        cause: String,
    },
    /// The input of a command failed.
    #[error(transparent)]
    Input(#[from] StreamError),
    /// The engine failed for another reason.
    #[error("The container engine could not {operation}: {cause}")]
    Failed {
        /// The operation that failed.
        operation: String,
        /// The engine's error message.
        cause: String,
    },
}

impl RuntimeError {
    /// Whether a command could not run because its container has ended, was removed or is changing its state.
    pub fn is_container_down(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::NotFound { .. } | Self::Conflict { .. })
    }

    /// Whether a later retry may succeed without intervention.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Input(e) => e.may_pass(),
            _ => false,
        }
    }
}
