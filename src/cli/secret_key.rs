//! `db4sci secret-key FILE`: creates the key that encrypts secrets at rest.

use std::path::Path;

use crate::secrets::{Random, Sealer};

pub(super) fn run(file: &Path) -> anyhow::Result<()> {
    Sealer::create_key_file(file, &Random::system())?;
    println!("Wrote a sealing key to {}. Keep a copy elsewhere:", file.display());
    println!("without it, the passwords stored by the portal cannot be decrypted.");
    Ok(())
}
