//! Why a stream of bytes broke off.

/// What may be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFault {
    /// It may go well if tried again later.
    Transient,
    /// What came is not what was stored. Another copy of it may be.
    Damaged,
    /// It won't go well until somebody changes something; the text says what.
    Refused,
    /// It is not there. Another copy of it may be.
    Missing,
}

/// Why a stream of bytes broke off: the fault decides what is done about it, the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct StreamError {
    /// What may be done about it.
    pub fault: StreamFault,
    /// A sentence.
    pub text: String,
}

impl From<std::io::Error> for StreamError {
    /// The same where it went through a reader; any other error of a reader stays.
    fn from(e: std::io::Error) -> Self {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(same) => same.clone(),
            None => Self::refused(e.to_string()),
        }
    }
}

impl StreamError {
    /// One that may pass.
    pub fn transient(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Transient, text: text.into() }
    }

    /// One that shows that what was stored is no longer that.
    pub fn damaged(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Damaged, text: text.into() }
    }

    /// One that stays until somebody does something.
    pub fn refused(text: impl Into<String>) -> Self {
        Self { fault: StreamFault::Refused, text: text.into() }
    }

    /// Whether it may go well if tried again later.
    pub fn may_pass(&self) -> bool {
        self.fault == StreamFault::Transient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_does_not_change_what_went_wrong() {
        let lost = StreamError::transient("The store is away.");
        assert_eq!(StreamError::from(std::io::Error::other(lost.clone())), lost);
        let other = StreamError::from(std::io::Error::other("No such statement."));
        assert_eq!(other, StreamError::refused("No such statement."));
    }
}
