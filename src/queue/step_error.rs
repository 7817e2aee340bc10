//! How a step of a job fails.

use crate::blueprint::BlueprintError;
use crate::domain::stream_error::StreamError;
use crate::runtime::RuntimeError;
use crate::storage::error::StorageError;

/// How a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It may work if tried again later.
    #[error("{0}")]
    Retry(String),
    /// It won't; the sentence is shown to the owner.
    #[error("{0}")]
    Fail(String),
    /// What a store has could not be read or written. Another store may do.
    #[error(transparent)]
    Store(#[from] StreamError),
}

impl StepError {
    /// Whether it may work if tried again later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Retry(_) => true,
            Self::Fail(_) => false,
            Self::Store(e) => e.may_pass(),
        }
    }

    /// The same with another sentence, made of the one it has.
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
