//! Table `account`: user accounts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::{constraint, one_row};
use crate::domain::names::Username;
use crate::domain::user::{Role, User};

/// A user account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Id of the account.
    pub id: Uuid,
    /// User name for signing in.
    pub username: String,
    /// E-mail, or empty.
    pub email: String,
    /// Department, or empty.
    pub department: String,
    /// Role.
    pub role: Role,
    /// argon2id hash in PHC format; without it, signing in with a password is not possible.
    pub password_hash: Option<String>,
    /// When it was disabled.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When the user last signed in.
    pub last_login_at: Option<DateTime<Utc>>,
}

impl Account {
    /// The user, for authorisation. `None` if the stored name is no longer valid.
    pub fn user(&self) -> Option<User> {
        Some(User {
            id: self.id,
            username: Username::parse(&self.username).ok()?,
            role: self.role,
            email: self.email.clone(),
            department: self.department.clone(),
        })
    }
}

/// An account to create.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Name.
    pub username: &'a Username,
    /// E-mail, or empty.
    pub email: &'a str,
    /// Role.
    pub role: Role,
    /// Hash of the password.
    pub password_hash: &'a str,
}

/// Reads rows of `a` as [`Account`], with the same columns in every query.
macro_rules! select {
    ($from:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Account,
            r#"SELECT a.id, a.username, a.email, a.department, a.role AS "role: _", a.password_hash, a.disabled_at, a.created_at
                    , a.last_login_at
                 FROM account a "#
                + $from
            $(, $arg)*
        )
    };
}

/// Inserts an account; its name may be in use (constraint `account_username_key`).
pub async fn insert(db: &mut PgConnection, new: &NewAccount<'_>, now: DateTime<Utc>) -> Result<Uuid, sqlx::Error> {
    let id = crate::admin_db::new_id();
    sqlx::query!(
        "INSERT INTO account (id, username, email, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        new.username.as_str(),
        new.email,
        new.role as _,
        new.password_hash,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// The account of this name.
pub async fn by_name(db: &mut PgConnection, username: &str) -> Result<Option<Account>, sqlx::Error> {
    select!("WHERE a.username = $1", username).fetch_optional(db).await
}

/// The account with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
    select!("WHERE a.id = $1", id).fetch_optional(db).await
}

/// All accounts, sorted by name.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Account>, sqlx::Error> {
    select!("ORDER BY a.username").fetch_all(db).await
}

/// An account in a list.
#[derive(Debug, Clone)]
pub struct ListedAccount {
    /// The account.
    pub account: Account,
    /// Number of existing databases that it owns.
    pub databases: i64,
}

/// A page of accounts after the name `after`, sorted by name.
pub async fn page(db: &mut PgConnection, after: Option<&str>, limit: i64) -> Result<Vec<ListedAccount>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT a.id, a.username, a.email, a.department, a.role AS "role: Role", a.password_hash, a.disabled_at, a.created_at
                , a.last_login_at
                , (SELECT count(*) FROM container c WHERE c.account_id = a.id AND c.purged_at IS NULL) AS "databases!"
             FROM account a WHERE ($1::text IS NULL OR a.username > $1) ORDER BY a.username LIMIT $2"#,
        after,
        limit
    )
    .map(|r| ListedAccount {
        account: Account {
            id: r.id,
            username: r.username,
            email: r.email,
            department: r.department,
            role: r.role,
            password_hash: r.password_hash,
            disabled_at: r.disabled_at,
            created_at: r.created_at,
            last_login_at: r.last_login_at,
        },
        databases: r.databases,
    })
    .fetch_all(db)
    .await
}

/// Number of accounts that are not disabled.
pub async fn enabled(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "enabled!" FROM account WHERE disabled_at IS NULL"#).fetch_one(db).await
}

/// Locks accounts until the transaction ends, and returns their current values.
pub async fn lock(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Account>, sqlx::Error> {
    // Always in the same order, so that two admins who change each other's accounts wait instead of deadlocking.
    select!("WHERE a.id = ANY($1) ORDER BY a.id FOR UPDATE", ids).fetch_all(db).await
}

/// Whether any admin account is enabled.
pub async fn any_admin(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM account WHERE role = 'admin' AND disabled_at IS NULL) AS "any!""#)
        .fetch_one(db)
        .await
}

/// Sets the hash of the password.
pub async fn set_password(db: &mut PgConnection, id: Uuid, hash: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE account SET password_hash = $2 WHERE id = $1", id, hash).execute(db).await?;
    one_row(&done)
}

/// Disables or enables an account.
pub async fn set_disabled(db: &mut PgConnection, id: Uuid, at: Option<DateTime<Utc>>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE account SET disabled_at = $2 WHERE id = $1", id, at).execute(db).await?;
    one_row(&done)
}

/// Sets the role.
pub async fn set_role(db: &mut PgConnection, id: Uuid, role: Role) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE account SET role = $2 WHERE id = $1", id, role as _).execute(db).await?;
    one_row(&done)
}

/// Sets e-mail and department.
pub async fn set_details(db: &mut PgConnection, id: Uuid, email: &str, department: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE account SET email = $2, department = $3 WHERE id = $1", id, email, department)
        .execute(db)
        .await?;
    one_row(&done)
}

/// Names of enabled accounts other than this one, for suggestions.
pub async fn other_names(db: &mut PgConnection, id: Uuid, limit: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT username FROM account WHERE id <> $1 AND disabled_at IS NULL ORDER BY username LIMIT $2",
        id,
        limit
    )
    .fetch_all(db)
    .await
}

/// Whether a statement was rejected because it would have left the portal without an administrator.
pub fn is_last_administrator(e: &sqlx::Error) -> bool {
    constraint(e) == Some("account_last_administrator")
}

/// Records a sign-in.
pub async fn signed_in(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE account SET last_login_at = $2 WHERE id = $1", id, now).execute(db).await?;
    one_row(&done)
}

/// The kinds of credentials that identify a user: each is a row whose key is a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// A browser session.
    Session,
    /// An API token.
    Token,
}

/// The current account of a session or token, without recording its use. None if the account is disabled.
pub async fn holder(
    db: &mut PgConnection,
    by: AccessKind,
    fingerprint: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, sqlx::Error> {
    let fingerprint = fingerprint.as_slice();
    match by {
        AccessKind::Session => {
            select!(
                "JOIN session k ON k.account_id = a.id AND k.expires_at > $2
                  WHERE k.token_sha256 = $1 AND a.disabled_at IS NULL",
                fingerprint,
                now
            )
            .fetch_optional(db)
            .await
        }
        AccessKind::Token => {
            select!(
                "JOIN token k ON k.account_id = a.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
                  WHERE k.token_sha256 = $1 AND a.disabled_at IS NULL",
                fingerprint,
                now
            )
            .fetch_optional(db)
            .await
        }
    }
}
