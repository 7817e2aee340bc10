//! The file in the data directory that says how to connect to mydb_admin's own container, and whose it is.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::secrets::{Random, Sealer, write_private};

/// Name of the container, after the instance and a dash; also the name of the database.
pub const NAME: &str = "mydb_admin";
pub(super) const SEAL_CONTEXT: &str = "mydb_admin/password";

/// The saved connection details.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedConnection {
    /// Port on this machine.
    pub port: u16,
    /// The encrypted password, in hexadecimal.
    pub sealed: String,
    /// The instance that made it. Earlier versions did not record it.
    #[serde(default)]
    pub instance: Option<String>,
}

/// The path of the file.
pub(super) fn file(config: &Config) -> PathBuf {
    config.data_dir.join(NAME).join("connection.json")
}

impl SavedConnection {
    /// Reads the file; `None` if it does not exist.
    ///
    /// # Errors
    /// If another instance made it: the server of that instance may be using the data at this moment.
    pub fn read(config: &Config) -> anyhow::Result<Option<Self>> {
        let file = file(config);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("can't read {}", file.display())),
        };
        let saved: Self = serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
        if let Some(other) = saved.instance.as_deref().filter(|name| *name != config.instance.as_str()) {
            bail!(
                "the data directory {} belongs to the instance {other}, not {}: set DB4SCI__INSTANCE={other}, or choose \
                 another data_dir. Nothing was changed.",
                config.data_dir.display(),
                config.instance
            );
        }
        Ok(Some(saved))
    }

    /// Writes the file, unless it exists.
    pub fn create(&self, config: &Config) -> anyhow::Result<()> {
        write_private(&file(config), serde_json::to_string(self)?.as_bytes())
    }
}

/// Records the instance of a data directory that an earlier version made, once mydb_admin has said that it is the right
/// one.
///
/// # Errors
/// If the file cannot be read or written.
pub fn record_instance(config: &Config) -> anyhow::Result<()> {
    let Some(mut saved) = SavedConnection::read(config)?.filter(|saved| saved.instance.is_none()) else {
        return Ok(());
    };
    saved.instance = Some(config.instance.to_string());
    let file = file(config);
    let new = file.with_extension(format!("instance-{}", std::process::id()));
    write_private(&new, serde_json::to_string(&saved)?.as_bytes())?;
    // In one step: nothing else knows the password.
    std::fs::rename(&new, &file).with_context(|| format!("can't write {}", file.display()))
}

/// The URL of an existing mydb_admin, for commands that start nothing. `None` if no portal of this instance has created
/// one yet.
pub fn existing_url(config: &Config, random: &Random) -> anyhow::Result<Option<SecretString>> {
    if let Some(url) = &config.admin_db.url {
        return Ok(Some(url.clone()));
    }
    let Some(saved) = SavedConnection::read(config)? else { return Ok(None) };
    let sealer = Sealer::from_file(&config.seal_key, random.clone())?;
    let password = sealer.open(&hex::decode(&saved.sealed)?, SEAL_CONTEXT)?;
    Ok(Some(url(saved.port, &password)))
}

pub(super) fn url(port: u16, password: &SecretString) -> SecretString {
    // A generated password consists of letters and digits, so it needs no URL encoding.
    SecretString::from(format!("postgres://{NAME}:{}@127.0.0.1:{port}/{NAME}?sslmode=prefer", password.expose_secret()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Mode;
    use crate::domain::names::InstanceId;

    #[test]
    fn a_data_directory_belongs_to_one_instance() {
        let dir = std::env::temp_dir().join(format!("db4sci-connection-{}", std::process::id()));
        let mut config = Config::load_mode(Mode::Dev, Path::new(env!("CARGO_MANIFEST_DIR")), &[]).unwrap();
        config.data_dir.clone_from(&dir);
        assert!(SavedConnection::read(&config).expect("read").is_none());
        // As an earlier version wrote it.
        std::fs::create_dir_all(dir.join(NAME)).expect("a directory");
        std::fs::write(file(&config), r#"{"port":1,"sealed":"00"}"#).expect("written");
        assert!(SavedConnection::read(&config).expect("read").is_some_and(|saved| saved.instance.is_none()));
        record_instance(&config).expect("recorded");
        let own = config.instance.to_string();
        assert_eq!(SavedConnection::read(&config).expect("read").and_then(|saved| saved.instance), Some(own.clone()));
        config.instance = InstanceId::parse("another").unwrap();
        let refused = SavedConnection::read(&config).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains(&format!("belongs to the instance {own}, not another")), "{refused}");
        assert!(existing_url(&config, &Random::system()).is_err() && record_instance(&config).is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
