//! Hashes and verifies account passwords: argon2id with the library's defaults (19 MiB, 2 passes; RFC 9106's second
//! choice).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::domain::password::Password;
use crate::tasks;

/// Hashes a password on a separate thread, because it takes tens of milliseconds of CPU time.
///
/// # Errors
/// If the hasher rejects the input, which happens only for absurd lengths.
pub async fn hash(password: &Password) -> anyhow::Result<String> {
    let password = password.clone();
    tasks::blocking(move || {
        Argon2::default()
            .hash_password(password.expose().as_bytes())
            .map(|h| h.to_string())
            .map_err(|e| anyhow::anyhow!("the password could not be hashed: {e}"))
    })
    .await?
}

/// Whose password is verified. Each verification takes 19 MiB and tens of milliseconds of CPU time, so only a few run
/// at once, and a flood of strangers must not delay known users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Anybody.
    Strangers,
    /// Users on a device or in a session that belongs to the account.
    Known,
}

/// Simultaneous verifications in each lane.
const AT_ONCE: usize = 2;
/// Verifications that may wait in each lane.
const WAITING: usize = 100;

/// One lane: limits how many are admitted, and how many of them run at once.
struct Queue {
    places: Semaphore,
    work: Semaphore,
}

impl Queue {
    const fn new() -> Self {
        Self { places: Semaphore::const_new(AT_ONCE + WAITING), work: Semaphore::const_new(AT_ONCE) }
    }
}

static STRANGERS: Queue = Queue::new();
static KNOWN: Queue = Queue::new();

/// Whether `typed` is the password of `hash`; `None` if too many verifications are waiting. Without a hash, as for an
/// unknown account, the same work is done, so that the response time does not reveal which accounts exist.
pub async fn verify(lane: Lane, typed: String, hash: Option<String>) -> anyhow::Result<Option<bool>> {
    let queue = match lane {
        Lane::Strangers => &STRANGERS,
        Lane::Known => &KNOWN,
    };
    let Ok(_place) = queue.places.try_acquire() else { return Ok(None) };
    let _turn = queue.work.acquire().await?;
    let checked = tasks::blocking(move || {
        let Some(hash) = hash else {
            let _ = Argon2::default().hash_password(typed.as_bytes());
            return Ok(false);
        };
        let parsed = PasswordHash::new(&hash).map_err(|e| anyhow::anyhow!("a stored hash is damaged: {e}"))?;
        Ok::<_, anyhow::Error>(Argon2::default().verify_password(typed.as_bytes(), &parsed).is_ok())
    });
    Ok(Some(checked.await??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_only_its_own_password() {
        let password = Password::parse("correct horse 🐴").unwrap();
        let hash = hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let check = |typed: &str, hash: Option<String>| verify(Lane::Strangers, typed.to_owned(), hash);
        assert_eq!(check("correct horse 🐴", Some(hash.clone())).await.unwrap(), Some(true));
        assert_eq!(check("correct horse", Some(hash)).await.unwrap(), Some(false));
        assert_eq!(check("correct horse 🐴", None).await.unwrap(), Some(false));
        assert!(check("x", Some("rubbish".to_owned())).await.is_err());
    }
}
