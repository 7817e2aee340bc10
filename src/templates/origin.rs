//! What a template is made from, as it is requested.

use serde::Deserialize;
use uuid::Uuid;

/// What a template is made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateSource {
    /// The database of this name, as it is at each import.
    Database(String),
    /// One snapshot.
    Snapshot(Uuid),
    /// One backup.
    Backup(Uuid),
    /// A dump in a backup target.
    Object(TargetObject),
}

/// An object in a backup target: the name of the target, and the key after its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TargetObject {
    /// Name of the target.
    pub target: String,
    /// Key, without the target's prefix.
    pub key: String,
}

impl TryFrom<String> for TargetObject {
    type Error = &'static str;

    /// Parses `TARGET/KEY`.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once('/') {
            Some((target, key)) if !target.is_empty() && !key.is_empty() && !key.ends_with('/') => {
                Ok(Self { target: target.to_owned(), key: key.to_owned() })
            }
            _ => Err("send the name of the backup target, a slash and the key of the object"),
        }
    }
}

impl TargetObject {
    /// The last part of the key, which is the name of the dump.
    pub fn file(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl TemplateSource {
    /// Parses `database:NAME`, `snapshot:ID`, `backup:ID` or `object:TARGET/KEY`, as forms and commands send it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("database", name) => Some(Self::Database(name.to_owned())),
            ("snapshot", id) => id.parse().ok().map(Self::Snapshot),
            ("backup", id) => id.parse().ok().map(Self::Backup),
            ("object", place) => place.to_owned().try_into().ok().map(Self::Object),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_database_a_snapshot_a_backup_or_an_object() {
        let id = Uuid::from_u128(7);
        let object = TargetObject { target: "lab".to_owned(), key: "dumps/shop.sql.gz".to_owned() };
        assert_eq!(object.file(), "shop.sql.gz");
        assert_eq!(TemplateSource::parse("database:lab"), Some(TemplateSource::Database("lab".to_owned())));
        assert_eq!(TemplateSource::parse(&format!("snapshot:{id}")), Some(TemplateSource::Snapshot(id)));
        assert_eq!(TemplateSource::parse(&format!("backup:{id}")), Some(TemplateSource::Backup(id)));
        let parsed = TemplateSource::parse("object:lab/dumps/shop.sql.gz");
        assert_eq!(parsed, Some(TemplateSource::Object(object.clone())));
        for text in
            ["", "lab", "snapshot:lab", "backup:lab", "object:lab", "object:/x", "object:lab/x/", "file:lab.sql"]
        {
            assert_eq!(TemplateSource::parse(text), None, "{text}");
        }
        let of = |text: &str| serde_json::from_str::<TemplateSource>(text).ok();
        assert_eq!(of(r#"{"database": "lab"}"#), Some(TemplateSource::Database("lab".to_owned())));
        assert_eq!(of(&format!(r#"{{"snapshot": "{id}"}}"#)), Some(TemplateSource::Snapshot(id)));
        assert_eq!(of(&format!(r#"{{"backup": "{id}"}}"#)), Some(TemplateSource::Backup(id)));
        assert_eq!(of(r#"{"object": "lab/dumps/shop.sql.gz"}"#), Some(TemplateSource::Object(object)));
        assert_eq!((of(r#"{"file": "lab"}"#), of(r#""lab""#), of(r#"{"object": "lab"}"#)), (None, None, None));
    }
}
