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
    /// How to install what it needs: the system or package manager, and the command.
    pub install: &'static [(&'static str, &'static str)],
}

impl Snippet {
    /// Sets how to install what it needs.
    pub(super) fn install(mut self, commands: &'static [(&'static str, &'static str)]) -> Self {
        self.install = commands;
        self
    }
}

/// Whether the examples verify the server's certificate.
#[derive(Debug, Clone, Copy)]
pub enum Tls<'a> {
    /// They verify it with the portal's CA certificate, which those that are programs fetch first.
    Verified(&'a Authority),
    /// They do not verify it.
    Unverified,
}

impl<'a> Tls<'a> {
    /// The authority, if the examples verify the certificate.
    pub(super) fn authority(self) -> Option<&'a Authority> {
        match self {
            Self::Verified(authority) => Some(authority),
            Self::Unverified => None,
        }
    }

    /// The first of these texts if the examples verify the certificate, otherwise the second.
    pub(super) fn pick<'t>(self, verified: &'t str, unverified: &'t str) -> &'t str {
        if self.authority().is_some() { verified } else { unverified }
    }
}

/// Where the CA certificate of the databases is downloaded from.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its URL.
    pub url: String,
    /// Whether clients trust the certificate of the portal itself.
    pub trusted: bool,
}

impl Authority {
    /// A line for a terminal that fetches the certificate.
    pub fn shell(&self) -> String {
        format!("curl -{} {} -o ca.pem\n", if self.trusted { "fsS" } else { "fsSk" }, self.url)
    }

    /// The same as a program in Python.
    pub(super) fn python(&self) -> String {
        if self.trusted {
            return format!("from urllib.request import urlretrieve\nurlretrieve(\"{}\", \"ca.pem\")\n\n", self.url);
        }
        format!(
            "import ssl\nfrom urllib.request import urlopen\nwith open(\"ca.pem\", \"wb\") as file:\n    file.write(urlopen(\"{}\", context=ssl._create_unverified_context()).read())\n\n",
            self.url
        )
    }

    /// The same as a program in R.
    pub(super) fn r(&self) -> String {
        let unverified = if self.trusted { "" } else { ", method = \"curl\", extra = \"-k\"" };
        format!("download.file(\"{}\", \"ca.pem\", quiet = TRUE{unverified})\n", self.url)
    }
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
    Snippet { id, label, language, note, text, install: &[] }
}
