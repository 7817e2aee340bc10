//! Lists of templates with their versions, read with a fixed number of statements.

use sqlx::PgConnection;

use super::versions::TemplateVersion;
use super::{Template, all, instances, versions};

/// A template in a list.
#[derive(Debug)]
pub struct ListedTemplate {
    /// The template.
    pub template: Template,
    /// Its latest versions, and its current one; the newest first.
    pub versions: Vec<TemplateVersion>,
    /// Number of existing databases made from it.
    pub databases: i64,
}

impl ListedTemplate {
    /// The version that new databases are copied from.
    pub fn current(&self) -> Option<&TemplateVersion> {
        self.versions.iter().find(|v| self.template.current_version == Some(v.id))
    }
}

/// All existing templates by name, each with its latest `limit` versions.
pub async fn list(db: &mut PgConnection, limit: i64) -> Result<Vec<ListedTemplate>, sqlx::Error> {
    let templates = all(&mut *db).await?;
    let mut versions = versions::latest_of_all(&mut *db, limit).await?;
    let counts = instances::counts(db).await?;
    let listed = templates.into_iter().map(|template| ListedTemplate {
        versions: versions.extract_if(.., |v| v.template_id == template.id).collect(),
        databases: counts.iter().find(|(id, _)| *id == template.id).map_or(0, |(_, n)| *n),
        template,
    });
    Ok(listed.collect())
}
