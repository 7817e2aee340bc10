//! Merges defaults, mode, `config.toml` and environment into one set of values that record their sources.

use std::collections::BTreeMap;
use std::path::Path;

use super::setting::{Setting, ValueKind};
use super::settings::TABLES;
use super::{Mode, myaas_env, settings};
use crate::config::myaas_env::Meaning;
use crate::config::problem::Problem;

/// A value and its source.
#[derive(Debug, Clone)]
pub struct Value {
    /// The value, in the type of its setting.
    pub value: toml::Value,
    /// Where the value was set.
    pub source: String,
}

/// All values by dotted key, and the problems found while reading them.
#[derive(Debug, Default)]
pub struct Values {
    /// Settings by key.
    pub settings: BTreeMap<&'static str, Value>,
    /// The raw tables of [`TABLES`].
    pub tables: BTreeMap<&'static str, Value>,
    /// The problems found.
    pub problems: Vec<Problem>,
}

impl Values {
    /// Records a problem.
    pub fn problem(&mut self, source: &str, key: &str, rule: impl Into<String>) {
        self.problems.push(Problem { source: source.to_owned(), key: key.to_owned(), rule: rule.into() });
    }

    /// The source of the value of `key`.
    pub fn source(&self, key: &str) -> String {
        self.settings
            .get(key)
            .or_else(|| self.tables.get(key))
            .map_or_else(|| "defaults".to_owned(), |v| v.source.clone())
    }

    fn set_text(&mut self, setting: &'static Setting, text: &str, source: &str) {
        match coerce(setting.kind, text) {
            Ok(value) => {
                self.settings.insert(setting.key, Value { value, source: source.to_owned() });
            }
            Err(rule) => self.problem(source, setting.key, rule),
        }
    }
}

/// Collects the values of `mode`. `file` is its `config.toml`, which may be missing; `env` is the environment.
pub fn gather(mode: Mode, file: &Path, env: &[(String, String)]) -> Values {
    let mut values = Values::default();
    for setting in settings::all() {
        if let Some(default) = setting.default {
            values.set_text(setting, default, "defaults");
        }
    }
    for (key, text) in mode.class_defaults() {
        if let Some(setting) = settings::find(key) {
            values.set_text(setting, text, &format!("{mode} class"));
        }
    }
    read_file(&mut values, file);
    read_myaas(&mut values, env);
    read_env(&mut values, env);
    values
}

fn read_file(values: &mut Values, file: &Path) {
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return,
        Err(e) => return values.problem(&name, "(file)", format!("can't be read: {e}")),
    };
    match text.parse::<toml::Table>() {
        Ok(table) => walk(values, &name, "", &table),
        Err(e) => values.problem(&name, "(syntax)", e.to_string().trim().replace('\n', " ")),
    }
}

fn walk(values: &mut Values, source: &str, prefix: &str, table: &toml::Table) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Some((table_key, _)) = TABLES.iter().find(|(k, _)| *k == path) {
            values.tables.insert(table_key, Value { value: value.clone(), source: source.to_owned() });
        } else if let Some(setting) = settings::find(&path) {
            match check(setting.kind, value) {
                Ok(value) => {
                    values.settings.insert(setting.key, Value { value, source: source.to_owned() });
                }
                Err(rule) => values.problem(source, &path, rule),
            }
        } else if let Some(setting) = secret_file_setting(&path) {
            read_secret_file(values, source, setting, value.as_str().unwrap_or_default());
        } else if let Some(inner) = value.as_table() {
            walk(values, source, &path, inner);
        } else {
            values.problem(source, &path, unknown(&path));
        }
    }
}

/// Reads the variables of the predecessor. An unknown one is a problem, because its author expects an effect.
fn read_myaas(values: &mut Values, env: &[(String, String)]) {
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with("MYAAS_")) {
        let source = format!("environment variable {name}");
        let set = |values: &mut Values, key: &str, text: &str| {
            if let Some(setting) = settings::find(key) {
                values.set_text(setting, text, &source);
            }
        };
        match myaas_env::meaning(name) {
            Some(Meaning::Setting(key)) => set(values, key, text),
            Some(Meaning::Base(key)) => set(values, key, &format!("{}/dumps", text.trim_end_matches('/'))),
            Some(Meaning::Debug) if text.eq_ignore_ascii_case("true") => set(values, "log.level", "debug"),
            Some(Meaning::Debug) => {}
            Some(Meaning::Nothing(why)) => tracing::warn!("{name} has no effect: {why}"),
            None => values.problem(&source, name, "there is no such variable; for a list, see docs/OPERATIONS.md"),
        }
    }
}

fn read_env(values: &mut Values, env: &[(String, String)]) {
    for (name, text) in env {
        let Some(rest) = name.strip_prefix("DB4SCI__") else { continue };
        let path = rest.to_ascii_lowercase().replace("__", ".");
        let source = format!("environment variable {name}");
        if let Some(setting) = settings::find(&path) {
            values.set_text(setting, text, &source);
        } else if let Some(setting) = secret_file_setting(&path) {
            read_secret_file(values, &source, setting, text);
        } else {
            values.problem(&source, &path, unknown(&path));
        }
    }
}

fn secret_file_setting(path: &str) -> Option<&'static Setting> {
    settings::find(path.strip_suffix("_file")?).filter(|s| s.secret)
}

fn read_secret_file(values: &mut Values, source: &str, setting: &'static Setting, file: &str) {
    match std::fs::read_to_string(file) {
        Ok(text) => values.set_text(setting, text.trim_end_matches(['\n', '\r']), &format!("{source} → {file}")),
        Err(e) => values.problem(source, &format!("{}_file", setting.key), format!("can't read {file}: {e}")),
    }
}

/// The message for an unknown key, with the most similar known one.
fn unknown(path: &str) -> String {
    let nearest = settings::all().map(|s| s.key).min_by_key(|known| distance(known, path));
    match nearest.filter(|known| distance(known, path) <= 4) {
        Some(known) => format!("there is no such setting; did you mean {known}?"),
        None => "there is no such setting; for a list, see docs/OPERATIONS.md".to_owned(),
    }
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.chars().enumerate() {
            let substitute = row.get(j).copied().unwrap_or(0) + usize::from(ca != cb);
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            let insert = next.last().copied().unwrap_or(0) + 1;
            next.push(substitute.min(delete).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Checks that a value from a file has the type of its setting; text is parsed as if it came from the environment.
fn check(kind: ValueKind, value: &toml::Value) -> Result<toml::Value, String> {
    match (kind, value) {
        (ValueKind::Bool, toml::Value::Boolean(_)) | (ValueKind::Number, toml::Value::Integer(_)) => Ok(value.clone()),
        (ValueKind::Cpus | ValueKind::Memory, toml::Value::Integer(n)) => coerce(kind, &n.to_string()),
        (ValueKind::Cpus, toml::Value::Float(n)) => coerce(kind, &n.to_string()),
        (ValueKind::List, toml::Value::Array(items)) if items.iter().all(toml::Value::is_str) => Ok(value.clone()),
        (ValueKind::Bool | ValueKind::Number | ValueKind::List, _) => Err(format!("must be a {}", kind.as_str())),
        (_, toml::Value::String(text)) => coerce(kind, text),
        _ => Err(format!("must be a string that contains a {}", kind.as_str())),
    }
}

fn coerce(kind: ValueKind, text: &str) -> Result<toml::Value, String> {
    use crate::domain::quantity::{ByteSize, MilliCpus};
    let string = || toml::Value::String(text.to_owned());
    match kind {
        ValueKind::Text | ValueKind::Path => Ok(string()),
        ValueKind::Bool => match text {
            "true" | "1" | "yes" | "on" => Ok(true.into()),
            "false" | "0" | "no" | "off" => Ok(false.into()),
            _ => Err(format!("“{text}” is neither true nor false")),
        },
        ValueKind::Number => text
            .parse::<i64>()
            .ok()
            .filter(|n| *n >= 0)
            .map(toml::Value::Integer)
            .ok_or_else(|| format!("“{text}” is not a non-negative integer")),
        ValueKind::Address if text.is_empty() => Ok(string()),
        ValueKind::Address => text
            .parse::<std::net::SocketAddr>()
            .map(|_| string())
            .map_err(|_| format!("“{text}” is not an address; use the form 0.0.0.0:443 or [::]:443")),
        ValueKind::Ip => {
            text.parse::<std::net::IpAddr>().map(|_| string()).map_err(|_| format!("“{text}” is not an IP address"))
        }
        ValueKind::Memory => ByteSize::parse(text).map(|b| toml::Value::Integer(b.0)),
        ValueKind::Cpus => MilliCpus::parse(text).map(|c| toml::Value::Integer(i64::from(c.0))),
        ValueKind::List => Ok(toml::Value::Array(
            text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.to_owned().into()).collect(),
        )),
    }
}
