//! What a password opened, and what becomes of it when the password changes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::{accounts, devices, sessions, tokens};

/// What becomes of an account's API tokens when its password changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPolicy {
    /// They are revoked: whoever knew the password may have made one.
    End,
    /// They stay.
    Keep,
}

impl TokenPolicy {
    /// Reads the form's field; all but the one word that keeps them ends them.
    pub fn parse(word: &str) -> Self {
        if word == "keep" { Self::Keep } else { Self::End }
    }
}

/// What survives a change of a password: the session and the device of whoever changes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptAccess<'a> {
    /// Hash of the session's secret.
    pub session: Option<&'a [u8; 32]>,
    /// Hash of the device's secret.
    pub device: Option<&'a [u8; 32]>,
}

/// Sets a password and ends what the old one opened: sessions, known devices and, unless they are kept, tokens. Answers
/// how many tokens ended.
pub async fn set_password(
    db: &mut PgConnection,
    account: Uuid,
    hash: &str,
    (keep, tokens): (KeptAccess<'_>, TokenPolicy),
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    accounts::set_password(&mut *db, account, hash).await?;
    sessions::delete_others(&mut *db, account, keep.session).await?;
    devices::forget_others(&mut *db, account, keep.device).await?;
    match tokens {
        TokenPolicy::End => tokens::revoke_all(db, account, now).await,
        TokenPolicy::Keep => Ok(0),
    }
}

/// What to say about tokens after a change.
pub fn sentence(tokens: TokenPolicy, ended: u64) -> String {
    match (tokens, ended) {
        (TokenPolicy::Keep, _) => "API tokens stay valid.".to_owned(),
        (TokenPolicy::End, 0) => "There was no API token to revoke.".to_owned(),
        (TokenPolicy::End, 1) => "One API token was revoked.".to_owned(),
        (TokenPolicy::End, n) => format!("{n} API tokens were revoked."),
    }
}
