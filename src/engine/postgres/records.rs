//! What belongs to a whole PostgreSQL server, as a backup has it: values, one JSON line each. Read here, at the edge: what
//! goes on into a server is what this understands, and nothing else.

use serde::{Deserialize, Serialize};

use super::session::OBSERVER;
use super::statements;

/// Longest name that the server takes.
const NAME_BYTES: usize = 63;
/// Longest value of a setting, a comment, a hash.
const VALUE_BYTES: usize = 64 * 1024;
/// Settings whose values are lists of names, as `pg_dumpall` knows them: each element is a value of its own.
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    /// A role.
    Role(Role),
    /// A role is a member of another.
    Member(Member),
    /// A database.
    Database(Box<Database>),
    /// A setting of a database, a role, or a role in a database.
    Setting(Setting),
    /// What is in a database but not in its dump.
    Inside(Inside),
    /// The last line.
    End(bool),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) superuser: bool,
    pub(super) inherit: bool,
    pub(super) createrole: bool,
    pub(super) createdb: bool,
    pub(super) login: bool,
    pub(super) replication: bool,
    pub(super) bypassrls: bool,
    pub(super) limit: i32,
    /// Its hash.
    pub(super) password: Option<String>,
    pub(super) until: Option<String>,
    pub(super) comment: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the word of the record, which is stored")]
pub(super) struct Member {
    pub(super) of: String,
    pub(super) member: String,
    pub(super) admin: bool,
    pub(super) inherit: Option<bool>,
    pub(super) set: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) name: String,
    /// Absent: the portal's administrator.
    pub(super) owner: Option<String>,
    pub(super) encoding: String,
    pub(super) provider: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    pub(super) locale: Option<String>,
    pub(super) rules: Option<String>,
    pub(super) limit: i32,
    pub(super) template: bool,
    pub(super) connections: bool,
    pub(super) comment: Option<String>,
    /// Absent: nobody has changed the rights.
    pub(super) acl: Option<Vec<Grant>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) privilege: String,
    /// Absent: everybody.
    pub(super) grantee: Option<String>,
    pub(super) grantable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    pub(super) database: Option<String>,
    pub(super) role: Option<String>,
    pub(super) name: String,
    /// As the server keeps it.
    pub(super) value: String,
    /// Its elements.
    #[serde(default)]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inside {
    pub(super) database: String,
    /// Owner of the schema `public`; absent: there is none.
    pub(super) public: Option<String>,
    pub(super) extensions: Vec<InsideExtension>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InsideExtension {
    pub(super) name: String,
    pub(super) schema: String,
    /// Absent: the portal's administrator.
    pub(super) owner: Option<String>,
    pub(super) comment: Option<String>,
}

/// The elements of a list setting, as the server splits it.
fn elements(value: &str) -> Option<Vec<String>> {
    let mut rest = value.trim_start();
    let mut found = Vec::new();
    if rest.is_empty() {
        return Some(vec![String::new()]);
    }
    loop {
        let (element, after) = match rest.strip_prefix('"') {
            None => rest.split_at_checked(rest.find(',').unwrap_or(rest.len()))?,
            Some(quoted) => {
                let mut at = 0;
                loop {
                    at += quoted.get(at..)?.find('"')?;
                    match quoted.get(at + 1..)?.starts_with('"') {
                        true => at += 2,
                        false => break,
                    }
                }
                (quoted.get(..at)?, quoted.get(at + 1..)?)
            }
        };
        let element = if rest.starts_with('"') { element.replace("\"\"", "\"") } else { element.trim_end().to_owned() };
        found.push(element);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(found);
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
}

impl Setting {
    /// Splits what is a list.
    fn split(&mut self) -> Result<(), String> {
        let list = LISTS.contains(&self.name.to_ascii_lowercase().as_str());
        self.values = match list {
            true => elements(&self.value).ok_or_else(|| format!("the setting {} is no list of names", self.name))?,
            false => vec![self.value.clone()],
        };
        Ok(())
    }
}

fn name(text: &str) -> Result<(), String> {
    match text.is_empty() || text.len() > NAME_BYTES || text.contains('\0') {
        true => Err(format!("“{}” is no name", text.chars().take(80).collect::<String>())),
        false => Ok(()),
    }
}

fn value(text: Option<&String>) -> Result<(), String> {
    match text.is_some_and(|t| t.len() > VALUE_BYTES || t.contains('\0')) {
        true => Err("a value in it is too long".to_owned()),
        false => Ok(()),
    }
}

/// A role that is not the portal's or the server's own.
fn role(text: &str, admin: &str) -> Result<(), String> {
    name(text)?;
    match text == admin || text == OBSERVER || text.starts_with("pg_") {
        true => Err(format!("the role {text} is the server's own")),
        false => Ok(()),
    }
}

impl Record {
    fn checked(mut self, admin: &str) -> Result<Self, String> {
        match &mut self {
            Self::Role(r) => {
                role(&r.name, admin)?;
                [&r.password, &r.until, &r.comment].into_iter().try_for_each(|v| value(v.as_ref()))?;
            }
            Self::Member(m) => {
                name(&m.of)?;
                role(&m.member, admin)?;
                if m.of == admin || m.of == OBSERVER {
                    return Err(format!("{} would become a member of the server's own role", m.member));
                }
            }
            Self::Database(d) => {
                name(&d.name)?;
                if matches!(d.name.as_str(), "postgres" | "template0" | "template1") {
                    return Err(format!("the database {} is the server's own", d.name));
                }
                d.owner.as_ref().map_or(Ok(()), |owner| role(owner, admin))?;
                let values = [Some(&d.encoding), Some(&d.collate), Some(&d.ctype), d.locale.as_ref(), d.rules.as_ref()];
                values.into_iter().chain([d.comment.as_ref()]).try_for_each(value)?;
            }
            Self::Setting(s) => {
                name(&s.name)?;
                value(Some(&s.value))?;
                s.role.as_ref().map_or(Ok(()), |r| role(r, admin))?;
                s.split()?;
            }
            Self::Inside(i) => {
                name(&i.database)?;
                i.extensions.iter().try_for_each(|e| name(&e.name).and_then(|()| name(&e.schema)))?;
            }
            Self::End(_) => {}
        }
        Ok(self)
    }
}

/// Reads the part of a backup that belongs to the whole server, of this form or of the older one, which consisted of
/// statements. Answers what `records.sh` takes.
///
/// # Errors
/// A sentence, if something in it is not of a form that a portal writes.
pub(super) fn read(older: bool, text: &[u8], admin: &str) -> Result<Vec<u8>, String> {
    let refused = |why: String| {
        format!("What belongs to the whole server was refused: {why}. The backup may come from an attacked server.")
    };
    let text = std::str::from_utf8(text).map_err(|e| refused(e.to_string()))?;
    let records: Vec<Record> = match older {
        true => statements::read(text).map_err(refused)?,
        false => {
            let lines = text.lines().enumerate().map(|(i, line)| {
                serde_json::from_str(line).map_err(|e| refused(format!("line {} is not understood ({e})", i + 1)))
            });
            lines.collect::<Result<_, _>>()?
        }
    };
    let mut out = Vec::new();
    for record in records {
        let record = record.checked(admin).map_err(refused)?;
        serde_json::to_writer(&mut out, &record).map_err(|e| refused(e.to_string()))?;
        out.push(b'\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &str) -> Result<String, String> {
        read(false, lines.as_bytes(), "db4sci_admin").map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn lists_are_split_as_the_server_splits_them() {
        let of = |text: &str| elements(text);
        let list = |items: &[&str]| Some(items.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("ctgov, public"), list(&["ctgov", "public"]));
        assert_eq!(of("\"\""), list(&[""]));
        assert_eq!(of(""), list(&[""]));
        assert_eq!(of("\"$user\", public"), list(&["$user", "public"]));
        assert_eq!(of("\"a\"\"b, c\" ,d"), list(&["a\"b, c", "d"]));
        assert_eq!(of("x;CREATE/**/ROLE"), list(&["x;CREATE/**/ROLE"]));
        for wrong in ["\"open", "\"a\" b", "a, \"b"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_a_portal_writes_goes_on() {
        let setting = r#"{"setting":{"database":"trial","role":null,"name":"search_path","value":"a, b"}}"#;
        assert!(said(setting).unwrap().contains(r#""values":["a","b"]"#));
        let style = r#"{"setting":{"database":"trial","role":null,"name":"DateStyle","value":"ISO, DMY"}}"#;
        assert!(said(style).unwrap().contains(r#""values":["ISO, DMY"]"#));
        for wrong in [
            "CREATE ROLE x SUPERUSER;",
            r#"{"statement":"CREATE ROLE x"}"#,
            r#"{"member":{"of":"db4sci_admin","member":"ada","admin":true,"inherit":null,"set":null}}"#,
            r#"{"setting":{"database":null,"role":"db4sci_admin","name":"search_path","value":"x"}}"#,
            r#"{"setting":{"database":null,"role":"ada","name":"search_path","value":"\"x"}}"#,
            r#"{"inside":{"database":"trial","public":null,"extensions":[],"more":1}}"#,
        ] {
            assert!(said(wrong).unwrap_err().contains("may come from an attacked server"), "{wrong}");
        }
    }
}
