//! Randomness, encryption of secrets at rest, and signatures.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Source of random bytes.
#[derive(Debug, Clone)]
pub struct Random(SystemRandom);

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(SystemRandom::new())
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// If the system's generator fails, which does not happen once it has started. Continuing with predictable secrets
    /// would be worse than stopping.
    #[expect(clippy::expect_used, reason = "no secret may be made without randomness")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        self.0.fill(&mut bytes).expect("the system's random generator answers");
        bytes
    }

    /// 256 random bits as 64 hexadecimal digits: the secret of a session or token.
    pub fn token(&self) -> SecretString {
        SecretString::from(hex::encode(self.bytes::<32>()))
    }
}

/// SHA-256 of the secret of a session or token. Only this fingerprint is stored.
pub fn fingerprint(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// HMAC-SHA-256.
pub fn hmac_sha256(key: &[u8], content: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), content);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Signs content with HMAC-SHA-256 and verifies signatures.
#[derive(Clone)]
pub struct Signer(Arc<hmac::Key>);

impl Signer {
    /// A signer for one purpose, with a key derived from a secret.
    pub fn derived(secret: &[u8], purpose: &str) -> Self {
        Self::with_key(&hmac_sha256(secret, purpose.as_bytes()))
    }

    /// A signer with this key.
    pub fn with_key(key: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The signature of `content` in hexadecimal.
    pub fn sign(&self, content: &[u8]) -> String {
        hex::encode(hmac::sign(&self.0, content).as_ref())
    }

    /// Whether `signature` is a valid signature of `content`.
    pub fn verifies(&self, content: &[u8], signature: &str) -> bool {
        hex::decode(signature).is_ok_and(|tag| hmac::verify(&self.0, content, &tag).is_ok())
    }
}

/// Encrypts and decrypts secrets with AES-256-GCM, using the key in the directory of the mode.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<LessSafeKey>,
    receipts: Signer,
    manifests: Signer,
    random: Random,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer with this 256-bit key.
    pub fn new(key: &[u8], random: Random) -> anyhow::Result<Self> {
        // Derive a separate key for each purpose.
        let receipts = Signer::derived(key, "db4sci receipts");
        let manifests = Signer::derived(key, "db4sci manifests");
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| anyhow!("a sealing key has 32 bytes"))?;
        Ok(Self { key: Arc::new(LessSafeKey::new(key)), receipts, manifests, random })
    }

    /// Reads the key file: 32 bytes in base64.
    pub fn from_file(path: &Path, random: Random) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("can't read the sealing key {}", path.display()))?;
        let key = BASE64_STANDARD
            .decode(text.trim())
            .with_context(|| format!("the sealing key {} is not base64", path.display()))?;
        Self::new(&key, random).with_context(|| format!("in {}", path.display()))
    }

    /// Writes a new key file that only its owner can read.
    pub fn create_key_file(path: &Path, random: &Random) -> anyhow::Result<()> {
        let text = BASE64_STANDARD.encode(random.bytes::<32>());
        write_private(path, format!("{text}\n").as_bytes())
    }

    /// Encrypts `secret`. Decryption requires the same `context` (for example the container's id), so a value copied to
    /// another row cannot be decrypted there.
    ///
    /// # Errors
    /// If the cipher rejects the input, which happens only for absurd lengths.
    pub fn seal(&self, secret: &SecretString, context: &str) -> anyhow::Result<Vec<u8>> {
        let nonce = self.random.bytes::<NONCE_LEN>();
        let mut data = secret.expose_secret().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut data)
            .map_err(|_| anyhow!("sealing failed"))?;
        Ok([nonce.as_slice(), &data].concat())
    }

    /// HMAC-SHA-256 of `content` in hexadecimal, with a key derived from the sealing key. It proves that the portal
    /// wrote the content.
    pub fn mac(&self, content: &[u8]) -> String {
        self.receipts.sign(content)
    }

    /// Signs and verifies manifests and deletion records.
    pub fn manifests(&self) -> &Signer {
        &self.manifests
    }

    /// Decrypts the result of [`Sealer::seal`].
    ///
    /// # Errors
    /// If the value was encrypted with another key or context, or was altered.
    pub fn open(&self, sealed: &[u8], context: &str) -> anyhow::Result<SecretString> {
        let Some((nonce, body)) = sealed.split_first_chunk::<NONCE_LEN>() else {
            bail!("a sealed secret is too short");
        };
        let mut body = body.to_vec();
        let plain = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut body)
            .map_err(|_| anyhow!("a sealed secret does not open: it was sealed with another key"))?;
        Ok(SecretString::from(std::str::from_utf8(plain)?.to_owned()))
    }
}

/// Writes a file that only its owner can read (mode 0600); never replaces an existing file.
pub fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("can't create {}", dir.display()))?;
    }
    let new = beside(path);
    let _ = std::fs::remove_file(&new);
    let wrote = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        // The file gets its name only when it is complete, and only if the name is free.
        std::fs::hard_link(&new, path)
    };
    let done = wrote().with_context(|| format!("can't write {}", path.display()));
    let _ = std::fs::remove_file(&new);
    done
}

/// Writes a file that is not secret. Readers see either the old or the new content, never a part.
pub fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let new = beside(path);
    let wrote = std::fs::write(&new, content).and_then(|()| std::fs::rename(&new, path));
    wrote.with_context(|| format!("can't write {}", path.display()))
}

/// The temporary path of a file being written. It contains the process id, because several portals may write at once.
fn beside(path: &Path) -> std::path::PathBuf {
    path.with_extension(format!("new-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_bound_to_content_key_and_purpose() {
        let sealer = Sealer::new(&[7; 32], Random::system()).unwrap();
        let other = Sealer::new(&[8; 32], Random::system()).unwrap();
        let signature = sealer.manifests().sign(b"content");
        assert!(sealer.manifests().verifies(b"content", &signature));
        assert!(!sealer.manifests().verifies(b"c0ntent", &signature));
        assert!(!other.manifests().verifies(b"content", &signature));
        assert!(!sealer.manifests().verifies(b"content", &sealer.mac(b"content")), "a receipt's is another");
        for wrong in ["", "no hex", &signature[2..]] {
            assert!(!sealer.manifests().verifies(b"content", wrong), "{wrong}");
        }
    }

    #[test]
    fn sealed_secrets_are_bound_to_their_context() {
        let sealer = Sealer::new(&[7; 32], Random::system()).unwrap();
        let plain = SecretString::from("pä$$ 🐘");
        let mut hidden = sealer.seal(&plain, "container-1").unwrap();
        assert_eq!(sealer.open(&hidden, "container-1").unwrap().expose_secret(), "pä$$ 🐘");
        assert!(sealer.open(&hidden, "container-2").is_err());
        assert_ne!(hidden, sealer.seal(&plain, "container-1").unwrap(), "every sealing has its own nonce");
        hidden[14] ^= 1;
        assert!(sealer.open(&hidden, "container-1").is_err());
        assert!(sealer.open(b"short", "x").is_err());
        assert!(Sealer::new(&[7; 16], Random::system()).is_err());
    }
}
