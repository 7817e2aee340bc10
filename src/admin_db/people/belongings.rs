//! What an account owns, and how it passes to another account before the first one is deleted.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::accounts::Account;

/// Numbers of what belongs to an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Belongings {
    /// Existing databases, including those in the trash.
    pub databases: i64,
    /// Complete backups of existing databases.
    pub backups: i64,
    /// Complete backups of databases that were deleted permanently.
    pub left_backups: i64,
    /// API tokens that are not revoked.
    pub tokens: i64,
    /// Templates.
    pub templates: i64,
    /// Jobs that it requested, or that work on its databases, and have not ended.
    pub jobs: i64,
}

impl Belongings {
    /// Whether somebody must own what remains.
    pub fn need_an_owner(&self) -> bool {
        self.databases + self.left_backups + self.templates > 0
    }
}

/// Counts what belongs to an account.
pub async fn of(db: &mut PgConnection, account: &Account) -> Result<Belongings, sqlx::Error> {
    sqlx::query_as!(
        Belongings,
        r#"WITH good AS (
               SELECT c.purged_at FROM container c JOIN backup_log b ON b.container_id = c.id
                WHERE c.account_id = $1 AND b.kind = 'backup' AND b.status = 'succeeded'
                  AND b.removed_at IS NULL AND b.removing_at IS NULL)
           SELECT (SELECT count(*) FROM container WHERE account_id = $1 AND purged_at IS NULL) AS "databases!"
                , (SELECT count(*) FROM good WHERE purged_at IS NULL) AS "backups!"
                , (SELECT count(*) FROM good WHERE purged_at IS NOT NULL) AS "left_backups!"
                , (SELECT count(*) FROM token WHERE account_id = $1 AND revoked_at IS NULL) AS "tokens!"
                , (SELECT count(*) FROM template WHERE created_by = $2 AND deleted_at IS NULL) AS "templates!"
                , (SELECT count(*) FROM job j LEFT JOIN container c ON c.id = j.container_id
                    WHERE j.status IN ('queued', 'running') AND (j.created_by = $2 OR c.account_id = $1)) AS "jobs!""#,
        account.id,
        account.username
    )
    .fetch_one(db)
    .await
}

/// The existing databases of an account: ids and names, sorted by name.
pub async fn databases(db: &mut PgConnection, account: Uuid) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query!("SELECT id, name FROM container WHERE account_id = $1 AND purged_at IS NULL ORDER BY name", account)
        .map(|r| (r.id, r.name))
        .fetch_all(db)
        .await
}

/// Makes `to` the owner of everything that belongs to `from`, including the records of databases that no longer exist.
/// Names in the lists of those who may use a template are replaced: removing one could open the template to everybody,
/// and a later account of the same name must not inherit it.
pub async fn transfer(db: &mut PgConnection, from: &Account, to: &Account) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE container SET account_id = $2 WHERE account_id = $1", from.id, to.id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("UPDATE dump_upload SET account_id = $2 WHERE account_id = $1", from.id, to.id)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "UPDATE template SET created_by = CASE created_by WHEN $1 THEN $2 ELSE created_by END
              , users = array_replace(users, $1, $2)
          WHERE created_by = $1 OR $1 = ANY (users)",
        from.username,
        to.username
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Deletes an account with its sessions, tokens and known browsers. It must own nothing (constraint
/// `container_account_id_fkey`) and not be the last administrator (`account_last_administrator`).
pub async fn delete(db: &mut PgConnection, account: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("DELETE FROM account WHERE id = $1", account).execute(db).await?;
    crate::admin_db::one_row(&done)
}
