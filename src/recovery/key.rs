//! The recovery key: an age identity that its administrator keeps elsewhere. The portal knows only the recipient that
//! belongs to it, so what it encrypts to that it can't read itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::secrets::{write_private, write_whole};

/// The keys without which mydb_admin's sealed secrets and the databases' certificates are lost.
#[derive(Serialize, Deserialize)]
pub struct Keys {
    /// Text of the sealing key's file.
    seal_key: String,
    /// Files of the authority that signs the databases' certificates, by name.
    authority: BTreeMap<String, String>,
}

/// Where the recipient is written down.
pub fn recipient_file(config: &Config) -> PathBuf {
    config.data_dir.join("recovery-recipient")
}

fn authority_dir(config: &Config) -> PathBuf {
    config.data_dir.join("ca")
}

/// The recipient, if a recovery key was made.
///
/// # Errors
/// If its file can't be read or used.
pub fn recipient(config: &Config) -> anyhow::Result<Option<Recipient>> {
    let file = recipient_file(config);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let read: Result<Recipient, _> = text.trim().parse();
            read.map(Some).map_err(|e| anyhow!("{} is no age recipient: {e}", file.display()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("can't read {}", file.display())),
    }
}

/// Makes a recovery key and writes down its recipient. The key itself is only answered, and must be kept elsewhere.
///
/// # Errors
/// If the recipient can't be written.
pub fn create(config: &Config) -> anyhow::Result<SecretString> {
    let identity = Identity::generate();
    std::fs::create_dir_all(&config.data_dir)?;
    write_whole(&recipient_file(config), format!("{}\n", identity.to_public()).as_bytes())?;
    Ok(SecretString::from(identity.to_string().expose_secret().to_owned()))
}

/// The keys of this host, encrypted to the recipient.
///
/// # Errors
/// If one can't be read.
pub fn seal_keys(config: &Config, recipient: &Recipient) -> anyhow::Result<Vec<u8>> {
    let text = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()));
    let mut authority = BTreeMap::new();
    for entry in std::fs::read_dir(authority_dir(config))? {
        let path = entry?.path();
        if path.is_file() {
            authority.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text(&path)?);
        }
    }
    let keys = Keys { seal_key: text(&config.seal_key)?, authority };
    age::encrypt(recipient, &serde_json::to_vec(&keys)?).context("the keys can't be encrypted")
}

/// Opens what [`seal_keys`] made.
///
/// # Errors
/// If the key is another one, or the content is damaged.
pub fn open_keys(identity: &SecretString, sealed: &[u8]) -> anyhow::Result<Keys> {
    let identity: Identity =
        identity.expose_secret().trim().parse().map_err(|e| anyhow!("this is no recovery key: {e}"))?;
    let plain = age::decrypt(&identity, sealed).context("this recovery key does not open the keys in the bucket")?;
    serde_json::from_slice(&plain).context("the keys in the bucket are damaged")
}

impl Keys {
    /// Writes the keys where this host has none. What is there already is left alone.
    ///
    /// # Errors
    /// If one can't be written.
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

    /// Whether this host's sealing key is this one.
    pub fn is_installed(&self, config: &Config) -> bool {
        std::fs::read_to_string(&config.seal_key).is_ok_and(|text| text.trim() == self.seal_key.trim())
    }
}
