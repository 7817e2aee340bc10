//! The recovery key: an age identity that the administrator keeps elsewhere. The portal knows only the recipient that
//! belongs to it, so it cannot decrypt what it encrypts for that recipient.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::secrets::{Signer, hmac_sha256, write_private, write_whole};

/// The keys without which mydb_admin's encrypted secrets and the databases' certificates are lost.
#[derive(Serialize, Deserialize)]
pub struct PortalKeys {
    /// Content of the sealing key file.
    seal_key: String,
    /// Files of the authority that signs the databases' certificates, by name.
    authority: BTreeMap<String, String>,
}

/// The file that stores the recipient.
pub fn recipient_file(config: &Config) -> PathBuf {
    config.data_dir.join("recovery-recipient")
}

/// The file that stores the key derived from the recovery key, which signs backups of mydb_admin. Whoever has the
/// recovery key can derive it too.
fn signer_file(config: &Config) -> PathBuf {
    config.data_dir.join("recovery-signer")
}

fn authority_dir(config: &Config) -> PathBuf {
    config.data_dir.join("ca")
}

/// The recipient, if there is a recovery key.
pub fn recipient(config: &Config) -> anyhow::Result<Option<Recipient>> {
    let file = recipient_file(config);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let read: Result<Recipient, _> = text.trim().parse();
            read.map(Some).map_err(|e| anyhow!("{} is not an age recipient: {e}", file.display()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("can't read {}", file.display())),
    }
}

/// Generates a recovery key without storing anything.
pub fn generate() -> SecretString {
    SecretString::from(Identity::generate().to_string().expose_secret().to_owned())
}

/// Generates a recovery key and registers it. The key itself is only returned, and must be kept elsewhere.
pub fn create(config: &Config) -> anyhow::Result<SecretString> {
    let key = generate();
    register(config, &key)?;
    Ok(key)
}

fn parse(key: &SecretString) -> anyhow::Result<Identity> {
    key.expose_secret().trim().parse().map_err(|e| anyhow!("this is not a recovery key: {e}"))
}

/// Stores what the portal needs of an existing recovery key: its recipient and the derived signing key. The key itself
/// is not stored.
pub fn register(config: &Config, key: &SecretString) -> anyhow::Result<()> {
    let recipient = parse(key)?.to_public();
    std::fs::create_dir_all(&config.data_dir)?;
    let signer = format!("{recipient} {}\n", hex::encode(signing_key(key)));
    let file = signer_file(config);
    if std::fs::read_to_string(&file).is_ok_and(|there| there != signer) {
        std::fs::remove_file(&file).with_context(|| format!("can't replace {}", file.display()))?;
    }
    if !file.exists() {
        write_private(&file, signer.as_bytes())?;
    }
    // Written last: if the recipient exists, so does everything else.
    write_whole(&recipient_file(config), format!("{recipient}\n").as_bytes())
}

/// Registers the key unless another one is registered.
pub fn adopt(config: &Config, key: &SecretString) -> anyhow::Result<()> {
    let given = parse(key)?.to_public().to_string();
    match recipient(config)? {
        Some(there) if there.to_string() != given => Ok(()),
        _ => register(config, key),
    }
}

/// Derives the signing key from a recovery key.
fn signing_key(key: &SecretString) -> [u8; 32] {
    hmac_sha256(key.expose_secret().trim().as_bytes(), b"db4sci mydb_admin")
}

/// Verifies signatures made with a recovery key.
pub fn signer_of(key: &SecretString) -> Signer {
    Signer::with_key(&signing_key(key))
}

/// Signs with the registered recovery key; `None` if there is none, or if an earlier version stored only its recipient.
pub fn signer(config: &Config) -> Option<Signer> {
    let text = std::fs::read_to_string(signer_file(config)).ok()?;
    let (of, key) = text.trim().split_once(' ')?;
    let registered = recipient(config).ok()??.to_string();
    (of == registered).then_some(Signer::with_key(&hex::decode(key).ok()?))
}

/// Encrypts the keys of this host for the recipient.
pub fn seal_keys(config: &Config, recipient: &Recipient) -> anyhow::Result<Vec<u8>> {
    let text = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()));
    let mut authority = BTreeMap::new();
    for entry in std::fs::read_dir(authority_dir(config))? {
        let path = entry?.path();
        if path.is_file() {
            authority.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text(&path)?);
        }
    }
    let keys = PortalKeys { seal_key: text(&config.seal_key)?, authority };
    age::encrypt(recipient, &serde_json::to_vec(&keys)?).context("the keys can't be encrypted")
}

/// Decrypts the result of [`seal_keys`].
pub fn open_keys(identity: &SecretString, sealed: &[u8]) -> anyhow::Result<PortalKeys> {
    let plain =
        age::decrypt(&parse(identity)?, sealed).context("this recovery key does not decrypt the keys in the bucket")?;
    serde_json::from_slice(&plain).context("the keys in the bucket are damaged")
}

impl PortalKeys {
    /// Writes the keys that this host does not have. Existing files are not changed.
    pub fn install(&self, config: &Config) -> anyhow::Result<()> {
        if !config.seal_key.exists() {
            write_private(&config.seal_key, self.seal_key.as_bytes())?;
        }
        for (name, text) in &self.authority {
            let file = authority_dir(config).join(name);
            anyhow::ensure!(!name.contains('/'), "the keys in the bucket name a file elsewhere: {name}");
            if !file.exists() {
                write_private(&file, text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Whether this host's sealing key is the same.
    pub fn is_installed(&self, config: &Config) -> bool {
        std::fs::read_to_string(&config.seal_key).is_ok_and(|text| text.trim() == self.seal_key.trim())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Mode;
    use crate::recovery_key::*;

    #[test]
    fn signatures_of_a_registered_key_are_verified_by_its_owner() {
        let dir = std::env::temp_dir().join(format!("db4sci-recovery-{}", std::process::id()));
        let mut config = Config::load_mode(Mode::Dev, Path::new(env!("CARGO_MANIFEST_DIR")), &[]).unwrap();
        config.data_dir.clone_from(&dir);
        assert!(signer(&config).is_none());
        let first = create(&config).unwrap();
        let signed = signer(&config).unwrap().sign(b"content");
        assert!(signer_of(&first).verifies(b"content", &signed));
        let second = generate();
        assert!(!signer_of(&second).verifies(b"content", &signed));
        register(&config, &second).unwrap();
        register(&config, &second).unwrap();
        assert!(signer_of(&second).verifies(b"content", &signer(&config).unwrap().sign(b"content")));
        // Only a recipient is stored, as by an earlier version, or that of another key.
        write_whole(&recipient_file(&config), format!("{}\n", Identity::generate().to_public()).as_bytes()).unwrap();
        assert!(signer(&config).is_none());
        assert!(register(&config, &SecretString::from("AGE-SECRET-KEY-1X")).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
