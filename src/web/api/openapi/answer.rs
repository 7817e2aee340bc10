//! What operations return, and the schemas of it.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::web::api::backups::BackupJson;
use crate::web::api::catalog::{CatalogJson, EngineJson, ImageJson, LimitsJson, TierJson};
use crate::web::api::copies::SnapshotJson;
use crate::web::api::json::{ContainerJson, JobJson, PortJson, StepJson};
use crate::web::api::notices::NoticeJson;
use crate::web::api::templates::{TemplateJson, VersionJson};

/// What an operation returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A database.
    Container,
    /// Databases.
    Containers,
    /// A job.
    Job,
    /// Backups.
    Backups,
    /// A snapshot.
    Snapshot,
    /// Snapshots.
    Snapshots,
    /// Notices.
    Notices,
    /// A template.
    Template,
    /// Templates.
    Templates,
    /// The catalog.
    Catalog,
    /// What an update of the templates did.
    Update,
    /// That something was deleted.
    Deleted,
    /// A file.
    File,
}

impl Answer {
    /// Name of the schema of an object, and whether a list of them is returned; `None` for a file.
    pub fn schema(self) -> Option<(&'static str, bool)> {
        Some(match self {
            Self::Container => ("Container", false),
            Self::Containers => ("Container", true),
            Self::Job => ("Job", false),
            Self::Backups => ("Backup", true),
            Self::Snapshot => ("Snapshot", false),
            Self::Snapshots => ("Snapshot", true),
            Self::Notices => ("Notice", true),
            Self::Template => ("Template", false),
            Self::Templates => ("Template", true),
            Self::Catalog => ("Catalog", false),
            Self::Update => ("TemplateUpdate", false),
            Self::Deleted => ("Deleted", false),
            Self::File => return None,
        })
    }
}

/// The schemas of everything returned, by name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    add::<ContainerJson<'_>>(&mut all);
    add::<PortJson<'_>>(&mut all);
    add::<JobJson<'_>>(&mut all);
    add::<StepJson<'_>>(&mut all);
    add::<BackupJson<'_>>(&mut all);
    add::<SnapshotJson<'_>>(&mut all);
    add::<NoticeJson<'_>>(&mut all);
    add::<TemplateJson<'_>>(&mut all);
    add::<VersionJson<'_>>(&mut all);
    add::<CatalogJson<'_>>(&mut all);
    add::<EngineJson<'_>>(&mut all);
    add::<ImageJson<'_>>(&mut all);
    add::<TierJson<'_>>(&mut all);
    add::<LimitsJson>(&mut all);
    let text = |description: &str| json!({ "type": "string", "description": description });
    let texts =
        |description: &str| json!({ "type": "array", "items": { "type": "string" }, "description": description });
    let problem = json!({ "type": "object", "properties": {
        "what": text("File or template."), "why": text("Why it was not imported."),
    }});
    let update = json!({ "type": "object", "required": ["importing", "unchanged", "problems"], "properties": {
        "importing": texts("Templates that are being imported."),
        "unchanged": texts("Templates whose dump has not changed."),
        "problems": { "type": "array", "items": problem, "description": "What cannot be imported." },
    }});
    all.insert("TemplateUpdate".to_owned(), update);
    let deleted = json!({ "type": "object", "required": ["name", "deleted"], "properties": {
        "name": text("What was deleted."), "deleted": { "type": "boolean", "description": "True." },
    }});
    all.insert("Deleted".to_owned(), deleted);
    let errors = json!({ "type": "object", "additionalProperties": { "type": "string" }, "description": "A sentence for each invalid field." });
    let problem = json!({ "type": "object", "required": ["type", "title", "status", "detail", "request_id"], "properties": {
        "type": text("`about:blank`."),
        "title": text("What happened."),
        "status": { "type": "integer", "description": "Status code." },
        "detail": text("What happened and what can be done, as sentences."),
        "request_id": text("Id of the request in the log."),
        "errors": errors,
    }});
    all.insert("Problem".to_owned(), problem);
    all
}

fn add<T: ToSchema + PartialSchema>(all: &mut Map<String, Value>) {
    // A schema is plain data: it can be converted.
    let schema = serde_json::to_value(T::schema()).unwrap_or_default();
    all.insert(T::name().into_owned(), schema);
}
