//! Ways to connect to a database: its address, and the examples shown on its page.

/// The address and the user of a connection.
#[derive(Debug, Clone)]
pub struct Endpoint<'a> {
    /// Host name.
    pub host: &'a str,
    /// Published ports by purpose.
    pub ports: &'a [(String, u16)],
    /// Database.
    pub dbname: &'a str,
    /// Role.
    pub dbuser: &'a str,
}

impl Endpoint<'_> {
    /// The published port for this purpose, or 0 if none is assigned yet.
    pub fn port(&self, purpose: &str) -> u16 {
        crate::engine::spec::port_of(self.ports, purpose)
    }
}

/// An example of how to connect, as shown on a container's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Id for tabs and tests.
    pub id: &'static str,
    /// Label of its tab.
    pub label: &'static str,
    /// Its language: `sh`, `url`, `python`, `r`, `java`.
    pub language: &'static str,
    /// A sentence on how to use it.
    pub note: &'static str,
    /// The text to copy.
    pub text: String,
}

/// Percent-encodes everything except the unreserved characters of a URL (RFC 3986, 2.3).
pub(super) fn url_encode(text: &str) -> String {
    const SET: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, SET).to_string()
}

/// Builds a [`Snippet`] in one line.
pub(super) fn snippet(
    id: &'static str,
    label: &'static str,
    language: &'static str,
    note: &'static str,
    text: String,
) -> Snippet {
    Snippet { id, label, language, note, text }
}
