//! Names, parsed once where they enter the portal. Code that holds one of these types needs no further checks or
//! quoting.

mod faults;
pub mod own_name;

use std::fmt;

use uuid::Uuid;

use faults::{Charset, charset_faults, plain};

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
    /// The name of a template.
    TemplateName
}
name_type! {
    /// The name that a person gives to a database among those made from one template.
    InstanceName
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

impl NameRules {
    /// Whether the engine or the portal reserves this name.
    fn reserves(&self, name: &str) -> bool {
        self.reserved.contains(&name) || self.reserved_prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// Maximum length of a suggested name: with the prefix of a reserved one, any engine accepts it.
const SUGGESTED_MAX: usize = 40;

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

/// All faults of a name in one text: those of its characters and `others`, the rule, and a valid name if there is one.
fn faulty(faults: Vec<String>, rule: &str, valid: Option<String>) -> Result<(), NameError> {
    if faults.is_empty() {
        return Ok(());
    }
    let valid = valid.map(|name| format!("For example: “{name}”."));
    let sentences = faults.into_iter().chain([rule.to_owned()]).chain(valid);
    Err(NameError(sentences.collect::<Vec<_>>().join(" ")))
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
        let rest = |c| lower(c) || c.is_ascii_digit() || c == '-' || c == '_';
        let mut faults = charset_faults(raw, Charset { first: lower, rest });
        let length = raw.chars().count();
        if !(2..=40).contains(&length) {
            let characters = if length == 1 { "character" } else { "characters" };
            faults.push(format!("This name has {length} {characters}."));
        }
        faulty(faults, rule, Self::suggestion(raw))?;
        if RESERVED_CONTAINERS.contains(&raw) {
            let valid = Self::suggestion(raw).map(|name| format!(", for example “{name}”")).unwrap_or_default();
            return Err(NameError(format!("“{raw}” is reserved for the portal. Choose another name{valid}.")));
        }
        Ok(Self(raw.to_owned()))
    }

    /// A valid name close to what was typed, unless that has too few letters and digits.
    fn suggestion(raw: &str) -> Option<String> {
        let name = plain(raw, '-', 40);
        let name = if RESERVED_CONTAINERS.contains(&name.as_str()) { format!("{name}-db") } else { name };
        (name.len() >= 2).then_some(name)
    }

    /// The name suggested for its database and for the role, within the rules of an engine.
    pub fn identifier(&self, rules: &NameRules) -> String {
        suggested(&self.0, rules)
    }
}

impl InstanceId {
    /// Parses an instance id: 1 to 40 lower-case letters, digits and `-`, a letter first.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        check_text("an instance id", raw)?;
        let rule = "An instance id consists of 1 to 40 lower-case letters, digits and “-”.";
        let rest = |c| lower(c) || c.is_ascii_digit() || c == '-';
        faulty(charset_faults(raw, Charset { first: lower, rest }), rule, None)?;
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
        let rest = |c| lower(c) || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        faulty(charset_faults(raw, Charset { first: lower, rest }), rule, None)?;
        if raw.len() > 63 {
            return Err(NameError("A user name has at most 63 characters.".to_owned()));
        }
        Ok(Self(raw.to_owned()))
    }
}

/// Parses a name that comes from a file or a program: at most `longest` letters, digits, `.`, `-` and `_`, a letter or
/// digit first.
fn label(what: &str, raw: &str, longest: usize) -> Result<String, NameError> {
    check_text(what, raw)?;
    let rule = format!("Use at most {longest} letters, digits, “.”, “-” and “_”, a letter or digit first.");
    let first = raw.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let others = raw.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if first && others && raw.len() <= longest { Ok(raw.to_owned()) } else { Err(NameError(rule)) }
}

impl TemplateName {
    /// Parses the name of a template, which is usually that of a file: at most 60 letters, digits, `.`, `-` and `_`.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        let name = label("a name for the template", raw, 60)?;
        // Paths of pages and calls about all templates.
        if ["new", "from-dump", "update"].contains(&name.as_str()) {
            return Err(NameError(format!("“{name}” is reserved for the portal. Choose another name.")));
        }
        Ok(Self(name))
    }

    /// A name for a database or a role derived from it, within the rules of an engine.
    pub fn identifier(&self, rules: &NameRules) -> String {
        suggested(&self.0, rules)
    }
}

impl InstanceName {
    /// Parses the name of a database made from a template: at most 100 letters, digits, `.`, `-` and `_`.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        label("a name", raw, 100).map(Self)
    }
}

/// A valid name for a database or a role, close to `raw`.
fn suggested(raw: &str, rules: &NameRules) -> String {
    let text = plain(raw, '_', rules.max_bytes.min(SUGGESTED_MAX));
    if text.is_empty() {
        return "db".to_owned();
    }
    if rules.reserves(&text) { format!("db_{text}") } else { text }
}

fn identifier(what: &str, raw: &str, rules: &NameRules) -> Result<String, NameError> {
    check_text(what, raw)?;
    let rule = "Use lower-case letters, digits and “_”, so that the name never needs quoting in queries.";
    let (first, rest) = (|c| lower(c) || c == '_', |c| lower(c) || c.is_ascii_digit() || c == '_');
    let mut faults = charset_faults(raw, Charset { first, rest });
    if raw.len() > rules.max_bytes {
        faults.push(format!("This name has {} bytes; the server allows at most {}.", raw.len(), rules.max_bytes));
    }
    let valid = raw.chars().any(|c| c.is_ascii_alphanumeric()).then(|| suggested(raw, rules));
    faulty(faults, rule, valid)?;
    if rules.reserves(raw) {
        let valid = suggested(raw, rules);
        return Err(NameError(format!(
            "“{raw}” is reserved by the server. Choose another name, for example “{valid}”."
        )));
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

/// The engine's name for a database's container. It is not derived from the database's name, because the engine's name
/// server tells every container on a network the names and addresses of the others.
pub fn container_name(instance: &InstanceId, id: Uuid) -> String {
    format!("{instance}-{}", id.simple())
}

/// The network of mydb_admin's container. No database is on it.
pub fn admin_network_name(instance: &InstanceId) -> String {
    format!("{instance}-admin")
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
    fn container_names_at_the_length_limits() {
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
    fn template_names_accept_file_names() {
        for good in ["shop", "Shop-2.1", "2024_q1", "a", &"a".repeat(60)] {
            assert_eq!(TemplateName::parse(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "../x", "a/b", "-x", ".x", "a b", "é", "a\nb", "new", &"a".repeat(61), &"a".repeat(300)] {
            assert!(TemplateName::parse(bad).is_err(), "{bad:?} must be refused");
        }
        for (name, wanted) in [
            ("shop", "shop"),
            ("Shop-2.1", "shop_2_1"),
            ("2024", "db_2024"),
            ("postgres", "db_postgres"),
            ("pg_x", "db_pg_x"),
        ] {
            assert_eq!(TemplateName::parse(name).unwrap().identifier(&RULES), wanted);
        }
    }

    #[test]
    fn a_name_of_one_character_is_rejected_as_too_short() {
        let said = ContainerName::parse("a").map_err(|e| e.to_string());
        assert!(said.unwrap_err().starts_with("This name has 1 character. "));
    }

    #[test]
    fn an_upper_case_name_gets_a_lower_case_suggestion() {
        let said = ContainerName::parse("MyLab").map_err(|e| e.to_string());
        let said = said.unwrap_err();
        assert!(said.starts_with("Use lower-case letters only. ") && said.ends_with("For example: “mylab”."), "{said}");
    }

    #[test]
    fn all_errors_in_a_name_are_reported_with_a_suggestion() {
        let said = ContainerName::parse("UX, my mice!").unwrap_err().to_string();
        for piece in ["lower-case letters only", "Spaces", "“!” and “,”", "“ux-my-mice”"] {
            assert!(said.contains(piece), "{piece}: {said}");
        }
        let said = DbName::parse("postgres", &RULES).unwrap_err().to_string();
        assert!(said.ends_with("for example “db_postgres”."), "{said}");
        assert!(!DbName::parse("é", &RULES).unwrap_err().to_string().contains("For example"));
    }

    proptest::proptest! {
        #[test]
        fn suggested_names_are_valid(raw in "\\PC{0,70}", name in "[a-z][a-z0-9_-]{1,39}") {
            if let Some(name) = ContainerName::suggestion(&raw) {
                proptest::prop_assert!(ContainerName::parse(&name).is_ok(), "{}", name);
            }
            proptest::prop_assert!(DbName::parse(&suggested(&raw, &RULES), &RULES).is_ok());
            if let Ok(name) = ContainerName::parse(&name) {
                proptest::prop_assert!(DbUser::parse(&name.identifier(&RULES), &RULES).is_ok());
            }
        }
    }

    #[test]
    fn identifiers_are_limited_in_bytes_and_reserved_ones_rejected() {
        assert!(DbName::parse(&"a".repeat(63), &RULES).is_ok());
        assert!(DbName::parse(&"a".repeat(64), &RULES).is_err());
        for bad in ["postgres", "pg_x", "a-b", "A", "a b", "a;drop", "a\"", "💧"] {
            assert!(DbName::parse(bad, &RULES).is_err(), "{bad:?} must be refused");
            assert!(DbUser::parse(bad, &RULES).is_err(), "{bad:?} must be refused");
        }
    }

    proptest::proptest! {
        #[test]
        fn accepted_names_never_need_quoting(raw in "\\PC{0,70}") {
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
