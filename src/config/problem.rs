//! Describes problems with the configuration.

/// A problem with the configuration: where, which key, which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, `environment` or `defaults`.
    pub source: String,
    /// The key as written there.
    pub key: String,
    /// What is wrong and how to correct it.
    pub rule: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.source, self.key, self.rule)
    }
}
