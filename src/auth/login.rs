//! Signing in and out.

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

/// Seconds to wait where so many sign in at once that no more can.
const CROWDED: u64 = 5;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown account, wrong password or disabled: one answer for all three.
    #[error("User name or password is wrong.")]
    Wrong,
    /// Too many tries; seconds to wait.
    #[error("Too many attempts. Wait {0} s and try again.")]
    TooMany(u64),
    /// The database's.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// The hasher's.
    #[error(transparent)]
    Hash(#[from] anyhow::Error),
}

/// Somebody at the sign-in form.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What was typed as a name.
    pub username: &'a str,
    /// What was typed as a password.
    pub password: String,
    /// From where.
    pub actor: &'a Actor,
    /// Browser.
    pub user_agent: &'a str,
    /// Hash of the secret of the browser's device cookie.
    pub device: Option<[u8; 32]>,
}

/// The secrets for the cookies of somebody who is signed in now.
pub struct SignedIn {
    /// Of the session.
    pub session: SecretString,
    /// Of the device, where it is new.
    pub device: Option<SecretString>,
}

/// Signs somebody in. Every try is logged.
///
/// # Errors
/// [`LoginError`].
pub async fn sign_in(app: &App, limits: &LoginLimits, attempt: Attempt<'_>) -> Result<SignedIn, LoginError> {
    let Attempt { username, password, actor, user_agent, device } = attempt;
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    // What was typed as a name is logged cut short: people type passwords there by mistake.
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
    // The hash takes long; the connection is for others meanwhile.
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

/// How long an idle session lasts.
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
