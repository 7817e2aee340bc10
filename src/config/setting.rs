//! A setting: its key, type, default and meaning.

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// `host:port` of a listener, or empty for none.
    Address,
    /// An IP address.
    Ip,
    /// An amount of memory such as `2g`.
    Memory,
    /// A number of CPUs such as `0.5`.
    Cpus,
    /// A file or directory; relative paths start at the portal's home directory.
    Path,
    /// A list of texts.
    List,
}

impl ValueKind {
    /// The name of the type in messages and in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "true/false",
            Self::Number => "number",
            Self::Address => "address:port",
            Self::Ip => "IP address",
            Self::Memory => "memory",
            Self::Cpus => "CPUs",
            Self::Path => "path",
            Self::List => "list",
        }
    }
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted key, as in `config.toml`.
    pub key: &'static str,
    /// Type of the value.
    pub kind: ValueKind,
    /// Default in both modes, unless a mode overrides it. `None`: the setting may be absent.
    pub default: Option<&'static str>,
    /// Whether it is a secret, which is shown masked and may be given as `…_file`.
    pub secret: bool,
    /// The meaning, with its unit.
    pub doc: &'static str,
}

pub(super) const fn s(key: &'static str, kind: ValueKind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), secret: false, doc }
}

pub(super) const fn o(key: &'static str, kind: ValueKind, doc: &'static str) -> Setting {
    Setting { key, kind, default: None, secret: false, doc }
}
