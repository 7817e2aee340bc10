//! What is wrong with a configuration.

/// Something wrong with the configuration: where, which key, which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File, or `environment`, or `defaults`.
    pub source: String,
    /// Key as written there.
    pub key: String,
    /// What is wrong and what to write.
    pub rule: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.source, self.key, self.rule)
    }
}
