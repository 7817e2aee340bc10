//! `db4sci backup download`: downloads a backup to a file.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use uuid::Uuid;

use super::session::{CommandSession, note};
use crate::admin_db::backups;
use crate::backup::download;
use crate::backup::download::{DownloadForm, Package};
use crate::backup::restore::source::BackupSource;
use crate::cli::stores::ConfiguredStores;
use crate::cli::surroundings::{Surroundings, say};
use crate::domain::quantity::ByteSize;
use crate::encryption::Identities;

pub(super) async fn run(
    at: &Surroundings,
    id: Uuid,
    output: Option<PathBuf>,
    form: Option<&str>,
) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let places = ConfiguredStores::open(at).await?;
    let done = fetch(&mut s, &places, id, output, form).await;
    places.close().await;
    done
}

async fn fetch(
    s: &mut CommandSession,
    places: &ConfiguredStores,
    id: Uuid,
    output: Option<PathBuf>,
    form: Option<&str>,
) -> anyhow::Result<()> {
    let row = backups::by_id(&mut s.db, id).await?.filter(|b| b.is_good() && b.kind == "backup");
    let row = row.with_context(|| format!("there is no complete backup {id}"))?;
    let target = row.target.clone().unwrap_or_default();
    let store = places.stores.get(&target).with_context(|| format!("the target “{target}” is no longer configured"))?;
    let source = BackupSource::at(store, row, Identities::of(&places.config.backups)).await?;
    let opens = source.manifest.opens(&source.keys);
    let form = match form {
        None if opens => DownloadForm::Plain,
        None => DownloadForm::Stored,
        Some(word) => {
            DownloadForm::parse(word).with_context(|| format!("“{word}” is not a valid form; use plain or stored"))?
        }
    };
    ensure!(
        form == DownloadForm::Stored || opens,
        "this backup is encrypted and backups.identity_file has no key for it; download it as stored, with --as stored"
    );
    let package = download::whole(&source, form);
    note(&mut s.db, &s.actor, s.now, "container.download", &format!("{id} as {}", form.as_str())).await?;
    if output.as_deref() == Some(Path::new("-")) {
        let out = std::io::stdout().as_fd().try_clone_to_owned()?;
        download::write(package, &mut tokio::fs::File::from_std(std::fs::File::from(out))).await?;
        return Ok(());
    }
    let file = output.unwrap_or_else(|| PathBuf::from(&package.name));
    let bytes = keep(package, &file).await?;
    say(&format!("{}: {}, as {}.\n", file.display(), ByteSize(i64::try_from(bytes)?), form.as_str()));
    Ok(())
}

/// Writes a file that gets its name only once it is complete.
async fn keep(package: Package, file: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::OpenOptionsExt;
    ensure!(!file.exists(), "{} already exists", file.display());
    let name = file.file_name().with_context(|| format!("{} is not a file name", file.display()))?;
    let part = file.with_file_name(format!("{}.part", name.to_string_lossy()));
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut out = tokio::fs::File::from_std(made.with_context(|| format!("can't write {}", part.display()))?);
    let written = async {
        let bytes = download::write(package, &mut out).await?;
        out.sync_all().await?;
        Ok::<_, anyhow::Error>(bytes)
    };
    match written.await {
        Ok(bytes) => {
            std::fs::rename(&part, file)?;
            Ok(bytes)
        }
        Err(e) => {
            let _ = std::fs::remove_file(&part);
            Err(e)
        }
    }
}
