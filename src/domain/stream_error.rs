//! Why a stream of bytes failed.

/// Last sentence of errors about objects that differ from what was stored.
pub const DAMAGED: &str = "This backup is damaged.";

/// The kinds of failures, which decide what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFault {
    /// A later retry may succeed.
    Transient,
    /// The data differs from what was stored. Another copy may be intact.
    Damaged,
    /// Retrying will not help until somebody changes something; the text says what.
    Refused,
    /// The object does not exist. Another copy may.
    Missing,
}

/// Why a stream of bytes failed: the fault decides what is done next, the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct StreamError {
    /// The kind of failure.
    pub fault: StreamFault,
    /// A sentence for people.
    pub text: String,
}

impl From<std::io::Error> for StreamError {
    /// Recovers the original error if it was passed through a reader; other errors of readers stay as they are.
    fn from(e: std::io::Error) -> Self {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(same) => same.clone(),
            None => Self::refused(e.to_string()),
        }
    }
}

impl StreamError {
    /// An error that a retry may resolve.
    pub fn transient(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Transient, text: text.into() }
    }

    /// An error that shows that the stored data has changed.
    pub fn damaged(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Damaged, text: text.into() }
    }

    /// An error that persists until somebody intervenes.
    pub fn refused(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Refused, text: text.into() }
    }

    /// Whether a later retry may succeed.
    pub fn may_pass(&self) -> bool {
        self.fault == StreamFault::Transient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_preserves_the_original_error() {
        let lost = StreamError::transient("The store is away.");
        assert_eq!(StreamError::from(std::io::Error::other(lost.clone())), lost);
        let other = StreamError::from(std::io::Error::other("No such statement."));
        assert_eq!(other, StreamError::refused("No such statement."));
    }
}
