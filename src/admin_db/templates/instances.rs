//! Databases that were copied from templates.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::{Container, select};
use crate::admin_db::one_row;
use crate::admin_db::templates::versions::TemplateVersion;

/// What a database is copied from.
#[derive(Debug)]
pub struct Origin<'a> {
    /// The template.
    pub template: Uuid,
    /// Its version.
    pub version: Uuid,
    /// The name of the database among its owner's from this template.
    pub name: &'a str,
}

/// Records what a new container is copied from. The name may be in use (index `container_instance_key`).
pub async fn set_origin(db: &mut PgConnection, container: Uuid, origin: &Origin<'_>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET template_id = $2, template_version = $3, instance_name = $4 WHERE id = $1",
        container,
        origin.template,
        origin.version,
        origin.name
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Changes the version that a database is copied from, before it is.
pub async fn set_version(db: &mut PgConnection, container: Uuid, v: &TemplateVersion) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container
            SET template_version = $2, image = $3, image_digest = NULL, dbname = $4, dbuser = $5
          WHERE id = $1 AND started_at IS NULL",
        container,
        v.id,
        &v.image,
        &v.dbname,
        &v.dbuser
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// The existing database that this account made from a template under this name.
pub async fn by_name(
    db: &mut PgConnection,
    account: Uuid,
    template: Uuid,
    name: &str,
) -> Result<Option<Container>, sqlx::Error> {
    select!(
        "WHERE c.account_id = $1 AND c.template_id = $2 AND c.instance_name = $3 AND c.purged_at IS NULL",
        account,
        template,
        name
    )
    .fetch_optional(db)
    .await
}

/// The same by the name of the template, which may have been deleted since: an existing one counts first.
pub async fn by_names(
    db: &mut PgConnection,
    account: Uuid,
    template: &str,
    name: &str,
) -> Result<Option<Container>, sqlx::Error> {
    select!(
        "JOIN template t ON t.id = c.template_id
         WHERE c.account_id = $1 AND t.name = $2 AND c.instance_name = $3 AND c.purged_at IS NULL
         ORDER BY t.deleted_at DESC NULLS FIRST LIMIT 1",
        account,
        template,
        name
    )
    .fetch_optional(db)
    .await
}

/// The existing databases from templates that belong to this account, by the time of their creation.
pub async fn of_account(db: &mut PgConnection, account: Uuid) -> Result<Vec<Container>, sqlx::Error> {
    select!(
        "WHERE c.account_id = $1 AND c.template_id IS NOT NULL AND c.purged_at IS NULL ORDER BY c.created_at, c.id",
        account
    )
    .fetch_all(db)
    .await
}

/// The number of existing databases from a template.
pub async fn count(db: &mut PgConnection, template: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM container WHERE template_id = $1 AND purged_at IS NULL"#,
        template
    )
    .fetch_one(db)
    .await
}

/// The number of existing databases from each template; without templates that have none.
pub(super) async fn counts(db: &mut PgConnection) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT template_id AS "template!", count(*) AS "databases!"
             FROM container WHERE template_id IS NOT NULL AND purged_at IS NULL GROUP BY template_id"#
    )
    .map(|row| (row.template, row.databases))
    .fetch_all(db)
    .await
}
