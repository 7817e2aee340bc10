//! The error type of job steps.

use crate::blueprint::BlueprintError;
use crate::configured::{NotConfigured, TierError};
use crate::domain::stream_error::StreamError;
use crate::runtime::RuntimeError;
use crate::storage::error::StorageError;

/// How a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A later attempt may succeed.
    #[error("{0}")]
    Retry(String),
    /// No later attempt can succeed. The sentence is shown to the owner.
    #[error("{0}")]
    Fail(String),
    /// A target could not be read or written. Another target may work.
    #[error(transparent)]
    Store(#[from] StreamError),
}

impl StepError {
    /// Whether a later attempt may succeed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Retry(_) => true,
            Self::Fail(_) => false,
            Self::Store(e) => e.may_pass(),
        }
    }

    /// The same error with its message replaced by the result of `tell`.
    #[must_use]
    pub fn with_message(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Retry(why) => Self::Retry(tell(why)),
            Self::Fail(why) => Self::Fail(tell(why)),
            Self::Store(e) => Self::Store(StreamError { fault: e.fault, text: tell(e.text) }),
        }
    }
}

impl From<sqlx::Error> for StepError {
    fn from(e: sqlx::Error) -> Self {
        Self::Retry(format!("Cannot query mydb_admin: {e}"))
    }
}

impl From<TierError> for StepError {
    fn from(e: TierError) -> Self {
        Self::Fail(e.to_string())
    }
}

impl From<NotConfigured> for StepError {
    fn from(e: NotConfigured) -> Self {
        Self::Fail(e.to_string())
    }
}

impl From<BlueprintError> for StepError {
    fn from(e: BlueprintError) -> Self {
        match e {
            BlueprintError::Missing(why) => Self::Fail(why),
            BlueprintError::Db(e) => e.into(),
        }
    }
}

impl From<RuntimeError> for StepError {
    fn from(e: RuntimeError) -> Self {
        match e {
            RuntimeError::Input(e) => Self::Store(e),
            e if e.is_transient() => Self::Retry(e.to_string()),
            e => Self::Fail(e.to_string()),
        }
    }
}

impl From<StorageError> for StepError {
    fn from(e: StorageError) -> Self {
        match e {
            StorageError::Engine(e) => e.into(),
            e => Self::Fail(e.to_string()),
        }
    }
}
