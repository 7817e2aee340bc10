//! The records of `roles.json`, parsed strictly: roles, databases, grants, memberships and settings.

use serde::{Deserialize, Serialize};

use crate::engine::postgres::session::OBSERVER;

/// Maximum bytes of a name in the server.
const NAME_BYTES: usize = 63;
/// Maximum bytes of a setting's value, a comment or a hash.
const VALUE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseRecord {
    pub(crate) name: String,
    /// `None` for the portal's administrator.
    pub(crate) owner: Option<String>,
    pub(crate) encoding: String,
    pub(crate) provider: String,
    pub(crate) collate: String,
    pub(crate) ctype: String,
    pub(crate) locale: Option<String>,
    pub(crate) rules: Option<String>,
    pub(crate) limit: i32,
    pub(crate) template: bool,
    pub(crate) connections: bool,
    pub(crate) comment: Option<String>,
    /// `None` if the default privileges were not changed.
    pub(crate) acl: Option<Vec<Grant>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    pub(crate) privilege: String,
    /// `None` for everybody.
    pub(crate) grantee: Option<String>,
    pub(crate) grantable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the word of the record, which is stored")]
pub(crate) struct Member {
    pub(crate) of: String,
    pub(crate) member: String,
    pub(crate) admin: bool,
    pub(crate) inherit: Option<bool>,
    pub(crate) set: Option<bool>,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Record {
    /// A role.
    Role(RoleRecord),
    /// A membership of a role in another.
    Member(Member),
    /// A database.
    Database(Box<DatabaseRecord>),
    /// A setting of a database, a role, or a role in a database.
    Setting(SettingRecord),
    /// Content of a database that its dump does not contain.
    Inside(PerDatabase),
    /// The last line.
    End(bool),
}

impl Record {
    pub(crate) fn checked(mut self, admin: &str) -> Result<Self, String> {
        match &mut self {
            Self::Role(r) => {
                role(&r.name, admin)?;
                [&r.password, &r.until, &r.comment].into_iter().try_for_each(|v| value(v.as_ref()))?;
            }
            Self::Member(m) => {
                name(&m.of)?;
                role(&m.member, admin)?;
                if m.of == admin || m.of == OBSERVER {
                    return Err(format!("{} would become a member of a built-in role", m.member));
                }
            }
            Self::Database(d) => {
                name(&d.name)?;
                if matches!(d.name.as_str(), "postgres" | "template0" | "template1") {
                    return Err(format!("the database {} is built-in", d.name));
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

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRecord {
    pub(crate) name: String,
    pub(crate) superuser: bool,
    pub(crate) inherit: bool,
    pub(crate) createrole: bool,
    pub(crate) createdb: bool,
    pub(crate) login: bool,
    pub(crate) replication: bool,
    pub(crate) bypassrls: bool,
    pub(crate) limit: i32,
    /// The hash of its password.
    pub(crate) password: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingRecord {
    pub(crate) database: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) name: String,
    /// As stored by the server.
    pub(crate) value: String,
    /// The elements of a list setting, or the value itself.
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

impl SettingRecord {
    /// Splits the value if the setting is a list.
    pub(crate) fn split(&mut self) -> Result<(), String> {
        let list = LISTS.contains(&self.name.to_ascii_lowercase().as_str());
        self.values = match list {
            true => elements(&self.value).ok_or_else(|| format!("the setting {} is not a list of names", self.name))?,
            false => vec![self.value.clone()],
        };
        Ok(())
    }
}

/// Settings whose values are lists of names, as in `pg_dumpall`: each element is a separate value.
pub(crate) const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The elements of a list setting, split as the server does.
pub(crate) fn elements(value: &str) -> Option<Vec<String>> {
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

pub(crate) fn name(text: &str) -> Result<(), String> {
    match text.is_empty() || text.len() > NAME_BYTES || text.contains('\0') {
        true => Err(format!("“{}” is not a name", text.chars().take(80).collect::<String>())),
        false => Ok(()),
    }
}

/// Checks that a role is neither the portal's nor the server's own.
pub(crate) fn role(text: &str, admin: &str) -> Result<(), String> {
    name(text)?;
    match text == admin || text == OBSERVER || text.starts_with("pg_") {
        true => Err(format!("the role {text} is built-in")),
        false => Ok(()),
    }
}

pub(crate) fn value(text: Option<&String>) -> Result<(), String> {
    match text.is_some_and(|t| t.len() > VALUE_BYTES || t.contains('\0')) {
        true => Err("a value in it is too long".to_owned()),
        false => Ok(()),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerDatabase {
    pub(crate) database: String,
    /// Owner of the schema `public`; `None` if there is no such schema.
    pub(crate) public: Option<String>,
    pub(crate) extensions: Vec<InsideExtension>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InsideExtension {
    pub(crate) name: String,
    pub(crate) schema: String,
    /// `None` for the portal's administrator.
    pub(crate) owner: Option<String>,
    pub(crate) comment: Option<String>,
}
