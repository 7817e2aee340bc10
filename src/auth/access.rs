//! Changes passwords and ends the sessions, devices and tokens that depend on the old one.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::{accounts, devices, sessions, tokens};

/// What happens to an account's API tokens when its password changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPolicy {
    /// They are revoked: whoever knew the password may have created one.
    End,
    /// They stay valid.
    Keep,
}

impl TokenPolicy {
    /// Parses the form field; every value except “keep” revokes the tokens.
    pub fn parse(word: &str) -> Self {
        if word == "keep" { Self::Keep } else { Self::End }
    }
}

/// What survives a change of password: the session and the device from which it is changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptAccess<'a> {
    /// Fingerprint of the session's secret.
    pub session: Option<&'a [u8; 32]>,
    /// Fingerprint of the device's secret.
    pub device: Option<&'a [u8; 32]>,
}

/// Sets a password and ends what the old one gave access to: sessions, known devices and, unless they are kept, tokens.
/// Returns the number of revoked tokens.
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

/// The message about tokens after a change of password.
pub fn sentence(tokens: TokenPolicy, ended: u64) -> String {
    match (tokens, ended) {
        (TokenPolicy::Keep, _) => "API tokens stay valid.".to_owned(),
        (TokenPolicy::End, 0) => "There was no API token to revoke.".to_owned(),
        (TokenPolicy::End, 1) => "One API token was revoked.".to_owned(),
        (TokenPolicy::End, n) => format!("{n} API tokens were revoked."),
    }
}
