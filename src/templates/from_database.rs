//! Creates templates from databases and from their snapshots.

use serde::Deserialize;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::containers::snapshots;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::log::Actor;
use crate::admin_db::templates::Template;
use crate::admin_db::{containers, new_id};
use crate::app::App;
use crate::domain::names::TemplateName;
use crate::queue::refusal::RequestError;
use crate::templates::request::{insert, ttl_seconds};

/// What a template is made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateSource {
    /// The database of this name, as it is at each import.
    Database(String),
    /// One snapshot.
    Snapshot(Uuid),
}

impl TemplateSource {
    /// Parses `database:NAME` or `snapshot:ID`, as forms send it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("database", name) => Some(Self::Database(name.to_owned())),
            ("snapshot", id) => id.parse().ok().map(Self::Snapshot),
            _ => None,
        }
    }
}

/// The database of a source, and the snapshot if it is one. `None` if there is no such database, or the snapshot is not
/// complete.
///
/// # Errors
/// If mydb_admin is unavailable.
pub async fn source(app: &App, source: &TemplateSource) -> Result<Option<(Container, Option<Snapshot>)>, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    match source {
        TemplateSource::Database(name) => Ok(containers::by_name(&mut db, name).await?.map(|c| (c, None))),
        TemplateSource::Snapshot(id) => {
            let found = snapshots::by_id(&mut db, *id).await?.filter(|s| s.is_copy() && s.made_at.is_some());
            let Some(snapshot) = found else { return Ok(None) };
            let c = containers::by_id(&mut db, snapshot.container_id).await?.filter(|c| c.purged_at.is_none());
            Ok(c.map(|c| (c, Some(snapshot))))
        }
    }
}

/// Creates a template from a database, or from one of its snapshots. For its creator only, unless that is an administrator.
///
/// # Errors
/// [`RequestError::TemplateNameTaken`] if another template has the name; nothing is written then.
pub async fn create_from_database(
    app: &App,
    name: &TemplateName,
    (c, snapshot): (&Container, Option<&Snapshot>),
    is_admin: bool,
    actor: &Actor,
) -> Result<Template, RequestError> {
    let image = snapshot.map_or(&c.image, |s| &s.image);
    let source = match snapshot.map(|s| s.frozen_at.unwrap_or(s.requested_at)) {
        Some(at) => format!("snapshot of {} from {}", c.name, at.format("%Y-%m-%d %H:%M UTC")),
        None => format!("database {}", c.name),
    };
    let t = Template {
        id: new_id(),
        name: name.to_string(),
        engine: c.engine,
        image: image.clone(),
        storage: c.storage.clone(),
        source,
        source_container: Some(c.id),
        source_snapshot: snapshot.map(|s| s.id),
        dbname: c.dbname.clone(),
        dbuser: c.dbuser.clone(),
        memory_bytes: c.memory_bytes,
        millicpus: c.millicpus,
        ttl_seconds: ttl_seconds(app),
        users: if is_admin { Vec::new() } else { vec![actor.name.clone()] },
        description: String::new(),
        current_version: None,
        created_by: actor.name.clone(),
        created_at: app.clock.now(),
    };
    insert(app, &t, actor).await?;
    Ok(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_database_or_a_snapshot() {
        let id = Uuid::from_u128(7);
        assert_eq!(TemplateSource::parse("database:lab"), Some(TemplateSource::Database("lab".to_owned())));
        assert_eq!(TemplateSource::parse(&format!("snapshot:{id}")), Some(TemplateSource::Snapshot(id)));
        for text in ["", "lab", "snapshot:lab", "file:lab.sql"] {
            assert_eq!(TemplateSource::parse(text), None, "{text}");
        }
        let of = |text: &str| serde_json::from_str::<TemplateSource>(text).ok();
        assert_eq!(of(r#"{"database": "lab"}"#), Some(TemplateSource::Database("lab".to_owned())));
        assert_eq!(of(&format!(r#"{{"snapshot": "{id}"}}"#)), Some(TemplateSource::Snapshot(id)));
        assert_eq!((of(r#"{"file": "lab"}"#), of(r#""lab""#)), (None, None));
    }
}
