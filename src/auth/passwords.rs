//! Hashes of account passwords: argon2id with the library's defaults (19 MiB, 2 passes; RFC 9106's second choice).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::{PasswordHasher, PasswordVerifier};

use crate::domain::password::Password;

/// Hashes a password, off the async threads, since it takes tens of milliseconds of CPU.
///
/// # Errors
/// If the hasher refuses, which it does only for absurd lengths.
pub async fn hash(password: &Password) -> anyhow::Result<String> {
    let password = password.clone();
    tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose().as_bytes())
            .map(|h| h.to_string())
            .map_err(|e| anyhow::anyhow!("the password could not be hashed: {e}"))
    })
    .await?
}

/// Whether `typed` is the password of `hash`. With no hash, as for an unknown account, the same
/// work is done, so that the time of an answer does not tell which accounts exist.
///
/// # Errors
/// If a stored hash is damaged.
pub async fn verify(typed: String, hash: Option<String>) -> anyhow::Result<bool> {
    tokio::task::spawn_blocking(move || {
        let Some(hash) = hash else {
            let _ = Argon2::default().hash_password(typed.as_bytes());
            return Ok(false);
        };
        let parsed = PasswordHash::new(&hash).map_err(|e| anyhow::anyhow!("a stored hash is damaged: {e}"))?;
        Ok(Argon2::default().verify_password(typed.as_bytes(), &parsed).is_ok())
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let password = Password::parse("correct horse 🐴").unwrap();
        let hash = hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify("correct horse 🐴".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!verify("correct horse".to_owned(), Some(hash)).await.unwrap());
        assert!(!verify("correct horse 🐴".to_owned(), None).await.unwrap());
        assert!(verify("x".to_owned(), Some("rubbish".to_owned())).await.is_err());
    }
}
