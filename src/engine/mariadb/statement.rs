//! Builds statements that the server itself assembles, from fixed words and values in hexadecimal.

use crate::engine::mariadb::grammar::{NotAccepted, StatementReader};

/// A statement under construction.
pub(super) struct StatementBuilder {
    pub(crate) parts: Vec<String>,
}

impl StatementBuilder {
    /// Starts a statement with these fixed words.
    pub(super) fn new(words: &'static str) -> Self {
        Self { parts: Vec::new() }.plain(words)
    }

    /// Adds words that are fixed, or checked to contain only letters, digits and the like.
    pub(super) fn plain(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.parts.push(format!("'{}'", words.replace('\'', "''")));
        }
        self
    }

    /// Adds a name, quoted by the server.
    pub(super) fn name(mut self, name: &[u8]) -> Self {
        self.parts
            .push(format!("CONCAT('`', REPLACE(CONVERT(X'{}' USING utf8mb4), '`', '``'), '`')", hex::encode(name)));
        self
    }

    /// Adds a string, quoted by the server.
    pub(super) fn text(mut self, value: &[u8]) -> Self {
        self.parts.push(format!("QUOTE(CONVERT(X'{}' USING utf8mb4))", hex::encode(value)));
        self
    }

    /// Adds a user or a role.
    pub(super) fn who(self, who: &Grantee) -> Self {
        match &who.host {
            Some(host) => self.name(&who.name).plain("@").name(host),
            // A keyword rather than the name of a role.
            None if who.name == b"PUBLIC" => self.plain("PUBLIC"),
            None => self.name(&who.name),
        }
    }

    /// The statement with which the server assembles and runs the built one.
    pub(super) fn done(self) -> String {
        format!("EXECUTE IMMEDIATE CONCAT({});\n", self.parts.join(", "))
    }
}

/// A user or a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grantee {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// Its host; `None` for a role.
    pub(crate) host: Option<Vec<u8>>,
}

impl Grantee {
    pub(crate) fn read(r: &mut StatementReader<'_>, admin: &str) -> Result<Self, NotAccepted> {
        if r.takes(&["PUBLIC"]) {
            return Ok(Self { name: b"PUBLIC".to_vec(), host: None });
        }
        let name = r.name_or_text()?;
        let host = if r.takes_mark(b'@') { Some(r.name_or_text()?) } else { None };
        Self { name, host }.checked(admin)
    }

    pub(crate) fn role(r: &mut StatementReader<'_>, admin: &str) -> Result<Self, NotAccepted> {
        Self { name: r.name()?, host: None }.checked(admin)
    }

    /// Rejects the built-in accounts of a restored server.
    pub(crate) fn checked(self, admin: &str) -> Result<Self, NotAccepted> {
        let name = String::from_utf8(self.name.clone()).map_err(|_| NotAccepted("a name that is not text"))?;
        let own = [admin, "root", "mariadb.sys"].iter().any(|own| name.eq_ignore_ascii_case(own));
        if own || name.to_ascii_lowercase().starts_with("db4sci_") || name.is_empty() && self.host.is_none() {
            return Err(NotAccepted("a built-in account"));
        }
        Ok(self)
    }

    pub(crate) fn shown(&self) -> String {
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect::<String>();
        match &self.host {
            Some(host) => format!("{}@{}", text(&self.name), text(host)),
            None => text(&self.name),
        }
    }
}
