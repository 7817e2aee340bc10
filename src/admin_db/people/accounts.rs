//! Table `account`: people.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::domain::names::Username;
use crate::domain::user::{Role, User};

/// A row.
#[derive(Debug, Clone, FromRow)]
pub struct Account {
    /// Key.
    pub id: Uuid,
    /// Name to sign in with.
    pub username: String,
    /// E-mail, or empty.
    pub email: String,
    /// Department, or empty.
    pub department: String,
    /// Role.
    pub role: Role,
    /// argon2id hash in PHC form; absent: can't sign in with a password.
    pub password_hash: Option<String>,
    /// When it was disabled.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Last sign-in.
    pub last_login_at: Option<DateTime<Utc>>,
}

impl Account {
    /// The person, for authorisation. `None` for a row whose name no longer parses.
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

/// An account to be made.
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

/// Inserts an account; its name may be taken (constraint `account_username_key`).
///
/// # Errors
/// The database's.
pub async fn insert(db: &mut PgConnection, new: &NewAccount<'_>, now: DateTime<Utc>) -> Result<Uuid, sqlx::Error> {
    let id = crate::admin_db::new_id();
    sqlx::query(
        "INSERT INTO account (id, username, email, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(new.username.as_str())
    .bind(new.email)
    .bind(new.role)
    .bind(new.password_hash)
    .bind(now)
    .execute(db)
    .await?;
    Ok(id)
}

/// The account of this name.
///
/// # Errors
/// The database's.
pub async fn by_name(db: &mut PgConnection, username: &str) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM account WHERE username = $1").bind(username).fetch_optional(db).await
}

/// The account with this key.
///
/// # Errors
/// The database's.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM account WHERE id = $1").bind(id).fetch_optional(db).await
}

/// All accounts by name.
///
/// # Errors
/// The database's.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Account>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM account ORDER BY username").fetch_all(db).await
}

/// An account in a list.
#[derive(Debug, Clone, FromRow)]
pub struct ListedAccount {
    /// The account.
    #[sqlx(flatten)]
    pub account: Account,
    /// How many living databases are theirs.
    pub databases: i64,
}

/// A page of accounts by name, after the name `after`.
///
/// # Errors
/// The database's.
pub async fn page(db: &mut PgConnection, after: Option<&str>, limit: i64) -> Result<Vec<ListedAccount>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.*, (SELECT count(*) FROM container c WHERE c.account_id = a.id AND c.purged_at IS NULL) AS databases
           FROM account a WHERE ($1::text IS NULL OR a.username > $1) ORDER BY a.username LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many accounts can sign in.
///
/// # Errors
/// The database's.
pub async fn enabled(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM account WHERE disabled_at IS NULL").fetch_one(db).await
}

/// Locks accounts until the transaction ends, and answers them as they are then.
///
/// # Errors
/// The database's.
pub async fn lock(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Account>, sqlx::Error> {
    // In one order for everybody: two admins who change each other then wait, not deadlock.
    sqlx::query_as("SELECT * FROM account WHERE id = ANY($1) ORDER BY id FOR UPDATE").bind(ids).fetch_all(db).await
}

/// Whether any admin can sign in.
///
/// # Errors
/// The database's.
pub async fn any_admin(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM account WHERE role = 'admin' AND disabled_at IS NULL)")
        .fetch_one(db)
        .await
}

/// Sets the password's hash.
///
/// # Errors
/// The database's.
pub async fn set_password(db: &mut PgConnection, id: Uuid, hash: &str) -> Result<(), sqlx::Error> {
    let done =
        sqlx::query("UPDATE account SET password_hash = $2 WHERE id = $1").bind(id).bind(hash).execute(db).await?;
    one_row(&done)
}

/// Disables or enables an account.
///
/// # Errors
/// The database's.
pub async fn set_disabled(db: &mut PgConnection, id: Uuid, at: Option<DateTime<Utc>>) -> Result<(), sqlx::Error> {
    let done = sqlx::query("UPDATE account SET disabled_at = $2 WHERE id = $1").bind(id).bind(at).execute(db).await?;
    one_row(&done)
}

/// Sets the role.
///
/// # Errors
/// The database's.
pub async fn set_role(db: &mut PgConnection, id: Uuid, role: Role) -> Result<(), sqlx::Error> {
    let done = sqlx::query("UPDATE account SET role = $2 WHERE id = $1").bind(id).bind(role).execute(db).await?;
    one_row(&done)
}

/// Notes a sign-in.
///
/// # Errors
/// The database's.
pub async fn signed_in(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done =
        sqlx::query("UPDATE account SET last_login_at = $2 WHERE id = $1").bind(id).bind(now).execute(db).await?;
    one_row(&done)
}

/// By what somebody is known: each is a row whose key is a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// A session of a browser.
    Session,
    /// A token of the API.
    Token,
}

/// The account of a session or token as it is now, without noting a use of it. One that is disabled has none.
///
/// # Errors
/// The database's.
pub async fn holder(
    db: &mut PgConnection,
    by: AccessKind,
    fingerprint: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, sqlx::Error> {
    macro_rules! of {
        ($valid:literal) => {
            concat!("SELECT a.* FROM account a JOIN ", $valid, " WHERE k.token_sha256 = $1 AND a.disabled_at IS NULL")
        };
    }
    let query = match by {
        AccessKind::Session => of!("session k ON k.account_id = a.id AND k.expires_at > $2"),
        AccessKind::Token => {
            of!(
                "token k ON k.account_id = a.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)"
            )
        }
    };
    sqlx::query_as(query).bind(fingerprint.as_slice()).bind(now).fetch_optional(db).await
}
