//! Reads single settings from the collected values and records every problem.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::load::Values;

pub(super) struct Reader<'a> {
    pub(super) home: &'a Path,
    pub(super) values: Values,
}

impl Reader<'_> {
    pub(super) fn text(&self, key: &str) -> String {
        self.optional(key).unwrap_or_default()
    }

    pub(super) fn optional(&self, key: &str) -> Option<String> {
        let value = &self.values.settings.get(key)?.value;
        value.as_str().map(str::to_owned).filter(|s| !s.is_empty())
    }

    pub(super) fn number(&self, key: &str) -> i64 {
        self.values.settings.get(key).and_then(|v| v.value.as_integer()).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.values.settings.get(key).and_then(|v| v.value.as_bool()).unwrap_or_default()
    }

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let items = self.values.settings.get(key).and_then(|v| v.value.as_array());
        items.into_iter().flatten().filter_map(|v| v.as_str()).map(str::to_owned).collect()
    }

    pub(super) fn problem(&mut self, key: &str, rule: impl Into<String>) {
        let source = self.values.source(key);
        self.values.problem(&source, key, rule);
    }

    /// A number of seconds (or another unit), at least 1.
    pub(super) fn seconds(&mut self, key: &str) -> Duration {
        let n = self.number(key);
        if n < 1 {
            self.problem(key, "must be at least 1");
        }
        Duration::from_secs(u64::try_from(n).unwrap_or(1))
    }

    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.home.join(text)
    }

    pub(super) fn path_or(&self, key: &str, otherwise: PathBuf) -> PathBuf {
        self.optional(key).map_or(otherwise, |p| self.path(&p))
    }

    pub(super) fn table<T: serde::de::DeserializeOwned + Default>(&mut self, key: &str) -> T {
        let Some(found) = self.values.tables.get(key) else { return T::default() };
        match found.value.clone().try_into() {
            Ok(read) => read,
            Err(e) => {
                self.problem(key, e.to_string().trim().replace('\n', " "));
                T::default()
            }
        }
    }
}
