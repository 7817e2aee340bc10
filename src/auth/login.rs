//! Signs users in and out.

use chrono::Duration;
use secrecy::{ExposeSecret, SecretString};

use super::limits::LoginLimits;
use super::passwords;
use super::passwords::Lane;
use crate::admin_db::log;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::{accounts, devices, sessions};
use crate::app::App;
use crate::secrets::fingerprint;

/// Seconds to wait if too many users are signing in at once.
const CROWDED: u64 = 5;

/// Why a sign-in was rejected.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown account, wrong password or disabled account: the same response for all three.
    #[error("User name or password is wrong.")]
    Wrong,
    /// Too many attempts; contains the seconds to wait.
    #[error("Too many attempts. Wait {0} s and try again.")]
    TooMany(u64),
    /// An error from the database.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// An error from hashing.
    #[error(transparent)]
    Hash(#[from] anyhow::Error),
}

/// A sign-in attempt.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The text entered as user name.
    pub username: &'a str,
    /// The text entered as password.
    pub password: String,
    /// Who makes the attempt, with the address.
    pub actor: &'a Actor,
    /// The browser's user agent.
    pub user_agent: &'a str,
    /// Fingerprint of the secret in the browser's device cookie.
    pub device: Option<[u8; 32]>,
}

/// The secrets for the cookies of a user who has just signed in.
pub struct SignedIn {
    /// Secret of the session.
    pub session: SecretString,
    /// Secret of the device, if it is new.
    pub device: Option<SecretString>,
}

/// Signs a user in. Every attempt is logged.
///
/// # Errors
/// [`LoginError`].
pub async fn sign_in(app: &App, limits: &LoginLimits, attempt: Attempt<'_>) -> Result<SignedIn, LoginError> {
    let Attempt { username, password, actor, user_agent, device } = attempt;
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    // Truncate the user name in the log, because users type passwords there by mistake.
    let shown: String = username.chars().filter(|c| !c.is_control()).take(63).collect();
    let as_typed = Actor { name: shown.clone(), ..actor.clone() };
    let known = match device {
        Some(print) if devices::knows(&mut db, &print, username).await? => Some(print),
        _ => None,
    };
    let counted = match known {
        Some(print) => limits.count_known(&hex::encode(print), &shown),
        None => limits.count(&actor.address, &shown),
    };
    if let Err(seconds) = counted {
        note(&mut db, &as_typed, Outcome::Refused, "too many attempts", now).await?;
        return Err(LoginError::TooMany(seconds));
    }
    let account = accounts::by_name(&mut db, username).await?;
    // Hashing takes long, so release the connection meanwhile.
    drop(db);
    let hash = account.as_ref().and_then(|a| a.password_hash.clone());
    let lane = if known.is_some() { Lane::Known } else { Lane::Strangers };
    let right = passwords::verify(lane, password, hash).await?.ok_or(LoginError::TooMany(CROWDED))?;
    let mut tx = app.db.begin().await?;
    let enabled = account.filter(|a| right && a.disabled_at.is_none());
    let Some(account) = enabled else {
        note(&mut tx, &as_typed, Outcome::Refused, "wrong name or password, or disabled", now).await?;
        tx.commit().await?;
        return Err(LoginError::Wrong);
    };
    let session = app.random.token();
    let expires = now + idle(app);
    let print = fingerprint(session.expose_secret());
    sessions::insert(&mut tx, &print, account.id, &actor.address, user_agent, (now, expires)).await?;
    let new = known.is_none().then(|| app.random.token());
    let print = new.as_ref().map(|secret| fingerprint(secret.expose_secret())).or(known);
    if let Some(print) = print {
        devices::note(&mut tx, &print, account.id, now).await?;
    }
    accounts::signed_in(&mut tx, account.id, now).await?;
    note(&mut tx, &as_typed, Outcome::Ok, "", now).await?;
    tx.commit().await?;
    Ok(SignedIn { session, device: new })
}

/// Ends a session.
pub async fn sign_out(app: &App, print: &[u8; 32], actor: &Actor) -> Result<(), sqlx::Error> {
    let mut tx = app.db.begin().await?;
    sessions::delete(&mut tx, print).await?;
    let entry = LogEntry { action: "session.sign_out", container: None, outcome: Outcome::Ok, detail: "" };
    log::append(&mut tx, actor, &entry, app.clock.now()).await?;
    tx.commit().await
}

/// The idle time after which a session expires.
pub fn idle(app: &App) -> Duration {
    Duration::from_std(app.config.server.session).unwrap_or(Duration::hours(12))
}

async fn note(
    db: &mut sqlx::PgConnection,
    actor: &Actor,
    outcome: Outcome,
    detail: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), sqlx::Error> {
    let entry = LogEntry { action: "session.sign_in", container: None, outcome, detail };
    log::append(db, actor, &entry, now).await
}
