//! The effective settings for `check-config`, with their sources and with secrets masked.

use std::path::Path;

use super::setting::ValueKind;
use super::settings;
use super::settings::TABLES;
use super::{Mode, load};
use crate::domain::quantity::{ByteSize, MilliCpus};

/// An effective setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Dotted key of the setting.
    pub key: &'static str,
    /// Its value; masked if it is a secret.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

/// Every setting that has a value, in the order of the reference.
pub fn effective(mode: Mode, home: &Path, env: &[(String, String)]) -> Vec<Effective> {
    let values = load::gather(mode, &home.join(mode.as_str()).join("config.toml"), env);
    let settings = settings::all().filter_map(|setting| {
        let found = values.settings.get(setting.key)?;
        let number = found.value.as_integer().unwrap_or_default();
        let value = match setting.kind {
            _ if setting.secret => "(secret)".to_owned(),
            ValueKind::Memory => ByteSize(number).to_string(),
            ValueKind::Cpus => MilliCpus(i32::try_from(number).unwrap_or_default()).to_string(),
            // A secret key entered as a recipient is rejected, and must not be shown either.
            _ if found.value.to_string().contains("AGE-SECRET-KEY-") => "(secret)".to_owned(),
            _ => found.value.to_string(),
        };
        Some(Effective { key: setting.key, value, source: found.source.clone() })
    });
    let tables = TABLES.iter().filter_map(|(key, _)| {
        let found = values.tables.get(key)?;
        Some(Effective { key, value: masked(found.value.clone()).to_string(), source: found.source.clone() })
    });
    settings.chain(tables).collect()
}

/// Masks secrets in tables, recognised by the names of their keys.
fn masked(mut value: toml::Value) -> toml::Value {
    match &mut value {
        toml::Value::Array(items) => items.iter_mut().for_each(|i| *i = masked(i.clone())),
        toml::Value::Table(table) => {
            for (key, inner) in table.iter_mut() {
                *inner = match key.as_str() {
                    "secret_access_key" => toml::Value::String("(secret)".to_owned()),
                    _ => masked(inner.clone()),
                };
            }
        }
        _ => {}
    }
    value
}
