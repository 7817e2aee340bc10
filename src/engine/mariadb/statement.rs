//! Statements that the server itself puts together, from fixed words and values in hexadecimal digits.

use super::accounts::Who;

/// A statement on its way.
pub(super) struct Built {
    parts: Vec<String>,
}

impl Built {
    /// Begins with these fixed words.
    pub(super) fn new(words: &'static str) -> Self {
        Self { parts: Vec::new() }.plain(words)
    }

    /// Words that are fixed, or checked to be letters, digits and the like.
    pub(super) fn plain(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.parts.push(format!("'{}'", words.replace('\'', "''")));
        }
        self
    }

    /// A name, quoted by the server.
    pub(super) fn name(mut self, name: &[u8]) -> Self {
        self.parts
            .push(format!("CONCAT('`', REPLACE(CONVERT(X'{}' USING utf8mb4), '`', '``'), '`')", hex::encode(name)));
        self
    }

    /// A string, quoted by the server.
    pub(super) fn text(mut self, value: &[u8]) -> Self {
        self.parts.push(format!("QUOTE(CONVERT(X'{}' USING utf8mb4))", hex::encode(value)));
        self
    }

    /// A user or a role.
    pub(super) fn who(self, who: &Who) -> Self {
        match &who.host {
            Some(host) => self.name(&who.name).plain("@").name(host),
            // A word of its own, not the name of a role.
            None if who.name == b"PUBLIC" => self.plain("PUBLIC"),
            None => self.name(&who.name),
        }
    }

    /// The statement that has the server put it together and run it.
    pub(super) fn done(self) -> String {
        format!("EXECUTE IMMEDIATE CONCAT({});\n", self.parts.join(", "))
    }
}
