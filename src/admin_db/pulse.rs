//! Fingerprints of what the pages show. One that differs from an earlier one means that a page has to be rendered again.

use sqlx::PgConnection;
use uuid::Uuid;

/// The fingerprint of everything that the pages of one database show.
pub async fn of_container(db: &mut PgConnection, id: Uuid) -> Result<String, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT md5(concat_ws('|', s.state, s.changed_at, s.maintenance_note, c.name, c.description, c.account_id, c.docker_id
                , c.size_at, c.expires_at, c.purged_at, c.oom_killed_at, c.backup_freq
                , (SELECT string_agg(concat_ws(' ', j.id, j.status), ',')
                     FROM (SELECT id, status FROM job WHERE container_id = c.id ORDER BY created_at DESC LIMIT 10) j)
                , (SELECT string_agg(concat_ws(' ', n.id, n.owner_seen_at, n.admin_seen_at), ',' ORDER BY n.id)
                     FROM notice n WHERE n.container_id = c.id AND n.ended_at IS NULL)
                , (SELECT string_agg(concat_ws(' ', b.id, b.status, b.level, b.removing_at, b.removed_at, b.locked_until), ',')
                     FROM (SELECT id, status, level, removing_at, removed_at, locked_until FROM backup_log
                            WHERE container_id = c.id ORDER BY started_at DESC LIMIT 20) b)
                , (SELECT string_agg(concat_ws(' ', k.id, k.made_at, k.bytes), ',' ORDER BY k.id)
                     FROM snapshot k WHERE k.container_id = c.id AND k.removed_at IS NULL)
                , (SELECT max(p.at) FROM sample p WHERE p.container_id = c.id)
                , (SELECT y.at FROM survey y WHERE y.container_id = c.id))) AS "pulse!"
             FROM container c LEFT JOIN state s ON s.container_id = c.id
            WHERE c.id = $1"#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or_default())
}

/// The fingerprint of an account's list of databases: of the newest ones, and of jobs and notices about any.
pub async fn of_account(db: &mut PgConnection, id: Uuid) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT md5(concat_ws('|', count(*), max(s.changed_at), max(c.size_at), max(c.created_at), max(c.expires_at)
                , count(s.maintenance_note), sum(hashtextextended(c.description, 0))
                , (SELECT string_agg(concat_ws(' ', j.id, j.status), ',' ORDER BY j.id)
                     FROM job j JOIN container o ON o.id = j.container_id
                    WHERE j.status IN ('queued', 'running') AND o.account_id = $1)
                , (SELECT string_agg(concat_ws(' ', n.id, n.owner_seen_at), ',' ORDER BY n.id)
                     FROM notice n JOIN container o ON o.id = n.container_id
                    WHERE n.ended_at IS NULL AND o.account_id = $1))) AS "pulse!"
             FROM (SELECT * FROM container WHERE account_id = $1 AND purged_at IS NULL
                    ORDER BY created_at DESC, id DESC LIMIT 200) c
             JOIN state s ON s.container_id = c.id"#,
        id
    )
    .fetch_one(db)
    .await
}

/// The fingerprint of the versions of these templates and of the databases made from them. Each change of a version sets
/// one of its times.
pub async fn of_templates(db: &mut PgConnection, ids: &[Uuid]) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT md5(concat_ws('|'
                , (SELECT concat_ws(' ', count(*), max(requested_at), max(begun_at), max(made_at), max(failed_at), max(removed_at))
                     FROM template_version WHERE template_id = ANY($1))
                , (SELECT count(*) FROM container
                    WHERE template_version IS NOT NULL AND template_id = ANY($1) AND purged_at IS NULL))) AS "pulse!""#,
        ids
    )
    .fetch_one(db)
    .await
}

/// The fingerprint of what administrators see of the whole portal. Every action writes a log row.
pub async fn of_portal(db: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT md5(concat_ws('|', (SELECT max(id) FROM log), (SELECT max(changed_at) FROM state)
                , (SELECT string_agg(concat_ws(' ', id, status), ',' ORDER BY id) FROM job WHERE status IN ('queued', 'running'))
                , (SELECT string_agg(concat_ws(' ', id, admin_seen_at), ',' ORDER BY id) FROM notice WHERE ended_at IS NULL)
                , (SELECT concat_ws(' ', count(*), max(first_seen)) FROM finding)
                , (SELECT max(at) FROM backup_audit))) AS "pulse!""#
    )
    .fetch_one(db)
    .await
}
