//! Names, parsed once where they enter the portal. Code that holds one of these types needs no further checks or
//! quoting.

use std::fmt;

/// Why a name was rejected, as a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The name of a database container: part of its URL in the portal and of its name in the container engine.
    ContainerName
}
name_type! {
    /// The id of one portal, attached to every container, network and directory it creates.
    InstanceId
}
name_type! {
    /// The name of a user account in the portal.
    Username
}
name_type! {
    /// The name of a database inside a container, checked against its engine's [`NameRules`].
    DbName
}
name_type! {
    /// The name of a role inside a container, checked against its engine's [`NameRules`].
    DbUser
}

/// The rules of an engine for the names of databases and roles.
#[derive(Debug, Clone, Copy)]
pub struct NameRules {
    /// Maximum length in bytes of UTF-8.
    pub max_bytes: usize,
    /// Names reserved by the engine or the portal (lower case).
    pub reserved: &'static [&'static str],
    /// Prefixes reserved by the engine (lower case).
    pub reserved_prefixes: &'static [&'static str],
}

/// Names not allowed for containers, because they would shadow the portal's own.
const RESERVED_CONTAINERS: &[&str] =
    &["mydb_admin", "postgres", "template0", "template1", "root", "admin", "new", "from-dump", "db4sci"];

fn check_text(what: &str, raw: &str) -> Result<(), NameError> {
    if raw.is_empty() {
        return Err(NameError(format!("Enter {what}.")));
    }
    if let Some(bad) = raw.chars().find(|c| c.is_control()) {
        return Err(NameError(format!("Control characters are not allowed (found U+{:04X}).", u32::from(bad))));
    }
    Ok(())
}

fn check_charset(raw: &str, first: fn(char) -> bool, rest: fn(char) -> bool, rule: &str) -> Result<(), NameError> {
    let mut chars = raw.chars();
    if !chars.next().is_some_and(first) {
        return Err(NameError(format!("Start with a lower-case letter (a to z). {rule}")));
    }
    match chars.find(|c| !rest(*c)) {
        None => Ok(()),
        Some(' ') => Err(NameError(format!("Spaces are not allowed. {rule}"))),
        Some(c) if c.is_ascii_uppercase() => {
            Err(NameError(format!("Use lower-case letters only: “{}”.", raw.to_lowercase())))
        }
        Some(c) => Err(NameError(format!("The character “{c}” is not allowed. {rule}"))),
    }
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}

impl ContainerName {
    /// Parses a container name: 2 to 40 characters, a lower-case letter first, then lower-case letters, digits, `-` and
    /// `_`. Only lower case, so that a name means the same in a URL, a file name and an e-mail.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        check_text("a name", raw)?;
        let rule = "A name consists of 2 to 40 lower-case letters, digits, “-” and “_”.";
        if raw.chars().next().is_some_and(|c| c.is_ascii_uppercase()) {
            return Err(NameError(format!("Use lower-case letters only: “{}”.", raw.to_lowercase())));
        }
        check_charset(raw, lower, |c| lower(c) || c.is_ascii_digit() || c == '-' || c == '_', rule)?;
        if raw.len() < 2 || raw.len() > 40 {
            let characters = if raw.len() == 1 { "character" } else { "characters" };
            return Err(NameError(format!("This name has {} {characters}. {rule}", raw.len())));
        }
        if RESERVED_CONTAINERS.contains(&raw) {
            return Err(NameError(format!("“{raw}” is reserved for the portal. Choose another name.")));
        }
        Ok(Self(raw.to_owned()))
    }
}

impl InstanceId {
    /// Parses an instance id: 1 to 40 lower-case letters, digits and `-`, a letter first.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        check_text("an instance id", raw)?;
        let rule = "An instance id consists of 1 to 40 lower-case letters, digits and “-”.";
        check_charset(raw, lower, |c| lower(c) || c.is_ascii_digit() || c == '-', rule)?;
        if raw.len() > 40 {
            return Err(NameError(rule.to_owned()));
        }
        Ok(Self(raw.to_owned()))
    }
}

impl Username {
    /// Parses an account name: 1 to 63 lower-case letters, digits, `.`, `_`, `-`, a letter first.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        check_text("a user name", raw)?;
        let rule = "A user name consists of lower-case letters, digits, “.”, “_” and “-”.";
        check_charset(raw, lower, |c| lower(c) || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'), rule)?;
        if raw.len() > 63 {
            return Err(NameError("A user name has at most 63 characters.".to_owned()));
        }
        Ok(Self(raw.to_owned()))
    }
}

fn identifier(what: &str, raw: &str, rules: &NameRules) -> Result<String, NameError> {
    check_text(what, raw)?;
    let rule = "Use lower-case letters, digits and “_”, so that the name never needs quoting in queries.";
    check_charset(raw, |c| lower(c) || c == '_', |c| lower(c) || c.is_ascii_digit() || c == '_', rule)?;
    if raw.len() > rules.max_bytes {
        return Err(NameError(format!(
            "This name has {} bytes; the server allows at most {}.",
            raw.len(),
            rules.max_bytes
        )));
    }
    let reserved = rules.reserved.contains(&raw);
    if reserved || rules.reserved_prefixes.iter().any(|p| raw.starts_with(p)) {
        return Err(NameError(format!("“{raw}” is reserved by the server. Choose another name.")));
    }
    Ok(raw.to_owned())
}

impl DbName {
    /// Parses a database name by its engine's rules.
    pub fn parse(raw: &str, rules: &NameRules) -> Result<Self, NameError> {
        identifier("a database name", raw, rules).map(Self)
    }
}

impl DbUser {
    /// Parses a role name by its engine's rules.
    pub fn parse(raw: &str, rules: &NameRules) -> Result<Self, NameError> {
        identifier("a database user", raw, rules).map(Self)
    }
}

/// The network of an instance's database containers.
pub fn network_name(instance: &InstanceId) -> String {
    format!("{instance}-databases")
}

/// The network of containers whose image may open connections (`egress = true` in the catalog).
pub fn open_network_name(instance: &InstanceId) -> String {
    format!("{instance}-databases-open")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: NameRules = NameRules { max_bytes: 63, reserved: &["postgres"], reserved_prefixes: &["pg_"] };

    #[test]
    fn container_names_at_their_edges() {
        for good in ["ab", "lab-1", "a_b", &"a".repeat(40)] {
            assert_eq!(ContainerName::parse(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(41);
        for bad in [
            "",
            "a",
            "Lab",
            "my db",
            "../etc",
            "a/b",
            "a;b",
            "a'b",
            "a\"b",
            "é",
            "1ab",
            "-a",
            "a\nb",
            "root",
            "mydb_admin",
            "a\u{200b}b",
            &long,
        ] {
            assert!(ContainerName::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn a_name_of_one_character_is_told_so() {
        let said = ContainerName::parse("a").map_err(|e| e.to_string());
        assert!(said.unwrap_err().starts_with("This name has 1 character. "));
    }

    #[test]
    fn an_upper_case_name_is_answered_with_its_lower_case_form() {
        let said = ContainerName::parse("MyLab").map_err(|e| e.to_string());
        assert_eq!(said, Err("Use lower-case letters only: “mylab”.".to_owned()));
    }

    #[test]
    fn identifiers_are_measured_in_bytes_and_reserved_ones_refused() {
        assert!(DbName::parse(&"a".repeat(63), &RULES).is_ok());
        assert!(DbName::parse(&"a".repeat(64), &RULES).is_err());
        for bad in ["postgres", "pg_x", "a-b", "A", "a b", "a;drop", "a\"", "💧"] {
            assert!(DbName::parse(bad, &RULES).is_err(), "{bad:?} must be refused");
            assert!(DbUser::parse(bad, &RULES).is_err(), "{bad:?} must be refused");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_never_needs_quoting(raw in "\\PC{0,70}") {
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
            if let Ok(name) = ContainerName::parse(&raw) {
                proptest::prop_assert!(plain(name.as_str()) && name.as_str() == raw && !raw.contains(".."));
            }
            if let Ok(name) = DbName::parse(&raw, &RULES) {
                proptest::prop_assert!(plain(name.as_str()) && !raw.contains(['-', '.']) && raw.len() <= 63);
            }
            if let Ok(name) = Username::parse(&raw) {
                proptest::prop_assert!(plain(name.as_str()));
            }
        }
    }
}
