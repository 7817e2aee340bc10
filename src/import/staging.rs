//! Stores an uploaded dump in a file on a storage tier, next to the data directories, until it is loaded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::config::{Config, Tier};
use crate::domain::engine::EngineKind;
use crate::domain::quantity::ByteSize;
use crate::import::read_meter::most_unpacked;
use crate::import::scan::{ReadLimits, Scanner};
use crate::manifest::dump::Dump;
use crate::provision::quota::space::RESERVE;
use crate::storage::{capacity, unavailable_reason};

/// Bytes between checks of the free space.
const LOOK: u64 = 32 * 1024 * 1024;
/// Prefix of the files' names. The reconciler ignores names that begin with a dot.
const BEGINNING: &str = ".upload-";
/// Timeout after which an upload without new data, or an unanswered selection, is considered abandoned.
pub const ABANDONED: Duration = Duration::from_secs(3600);

/// The path of the dump with this id, uploaded by this account.
pub fn file(config: &Config, tier: &Tier, id: Uuid, account: Option<Uuid>) -> PathBuf {
    let owner = account.map(|account| format!("+{account}")).unwrap_or_default();
    tier.path.join(config.instance.as_str()).join(format!("{BEGINNING}{id}{owner}"))
}

/// An uploaded file on a tier.
struct StagedUpload {
    path: PathBuf,
    id: Uuid,
    account: Option<Uuid>,
    bytes: u64,
    age: Duration,
}

/// Directories that may contain uploads.
fn places(config: &Config) -> Vec<PathBuf> {
    config.storage.iter().map(|tier| tier.path.join(config.instance.as_str())).collect()
}

/// All uploads in these directories.
fn found(places: &[PathBuf]) -> Vec<StagedUpload> {
    let mut all = Vec::new();
    for place in places {
        let Ok(entries) = std::fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix(BEGINNING) else { continue };
            let (id, account) = rest.split_once('+').map_or((rest, None), |(id, account)| (id, account.parse().ok()));
            let (Ok(id), Ok(about)) = (id.parse(), entry.metadata()) else { continue };
            let age = about.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
            all.push(StagedUpload { path: entry.path(), id, account, bytes: about.len(), age });
        }
    }
    all
}

/// Limits on uploads.
struct UploadLimit {
    places: Vec<PathBuf>,
    one: ByteSize,
    person: ByteSize,
    total: ByteSize,
}

impl UploadLimit {
    fn new(config: &Config) -> Self {
        let backups = &config.backups;
        let (one, person, total) = (backups.upload_max, backups.upload_person_max, backups.upload_total_max);
        Self { places: places(config), one, person, total }
    }

    /// Checks that this person's uploads and all uploads together are within the limits.
    fn check(&self, account: Uuid) -> Result<(), String> {
        let limit = |bytes: ByteSize| u64::try_from(bytes.0).unwrap_or(u64::MAX);
        let all = found(&self.places);
        let own: u64 = all.iter().filter(|f| f.account == Some(account)).map(|f| f.bytes).sum();
        if own > limit(self.person) {
            return Err(format!(
                "Your uploaded dumps that are not loaded yet exceed {}, the limit per person. Wait until they are \
                 loaded, or delete databases whose load failed.",
                self.person
            ));
        }
        if all.iter().map(|f| f.bytes).sum::<u64>() > limit(self.total) {
            return Err(format!(
                "Dumps waiting to be loaded exceed {}, the limit for all users together. Try again later.",
                self.total
            ));
        }
        Ok(())
    }
}

/// A file that is removed when dropped, unless kept.
struct TemporaryFile(Option<PathBuf>);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A dump being received. Dropping it removes its file.
pub struct Staging {
    /// Its id.
    pub id: Uuid,
    /// Name of its tier.
    pub tier: String,
    /// Bytes received so far.
    pub bytes: u64,
    path: PathBuf,
    out: tokio::fs::File,
    room: UploadLimit,
    account: Uuid,
    looked: u64,
    scanner: Option<Scanner>,
    known: Option<Dump>,
    gone: TemporaryFile,
}

impl Staging {
    /// Creates a file on this tier, or on the first available one, for a dump that `account` uploads for a database of
    /// `engine`.
    pub async fn begin(
        config: &Config,
        wanted: &str,
        (id, account): (Uuid, Uuid),
        engine: Option<EngineKind>,
    ) -> Result<Self, String> {
        let usable = |t: &&Tier| unavailable_reason(t).is_none();
        let named = config.storage.iter().filter(|t| t.name == wanted).find(usable);
        let tier = named.or_else(|| config.storage.iter().find(usable));
        let tier = tier.ok_or_else(|| "No storage is available for the dump. Ask an administrator.".to_owned())?;
        let path = file(config, tier, id, Some(account));
        let failed = |e: std::io::Error| format!("Cannot store the dump on the storage tier “{}”: {e}.", tier.label);
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await.map_err(failed)?;
        }
        let out = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await;
        let out = out.map_err(failed)?;
        let gone = TemporaryFile(Some(path.clone()));
        let most = most_unpacked(config.backups.upload_max, &tier.path);
        let scanner = Some(Scanner::new(ReadLimits { most, wanted: engine }));
        Ok(Self {
            id,
            tier: tier.name.clone(),
            bytes: 0,
            path,
            out,
            room: UploadLimit::new(config),
            account,
            looked: 0,
            scanner,
            known: None,
            gone,
        })
    }

    /// The account that uploads it.
    pub fn account(&self) -> Uuid {
        self.account
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores a chunk.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        self.bytes += piece.len() as u64;
        let most = self.room.one;
        if i64::try_from(self.bytes).unwrap_or(i64::MAX) > most.0 {
            return Err(format!("The file is larger than {most}, the maximum upload size."));
        }
        if self.bytes >= self.looked {
            self.looked = self.bytes + LOOK;
            let free = capacity(self.path.parent().unwrap_or(&self.path)).map_err(|e| e.to_string())?.free;
            if free < RESERVE {
                return Err(format!(
                    "Not enough disk space for the dump: {} free on the storage tier.",
                    ByteSize(free)
                ));
            }
            self.room.check(self.account)?;
        }
        self.out.write_all(piece).await.map_err(|e| format!("Cannot store the dump: {e}."))?;
        if let Some(scanner) = &mut self.scanner {
            scanner.take(piece).await;
        }
        // Stops the upload as soon as the dump is known to be unusable.
        if let Some(scanner) = self.scanner.take_if(|scanner| scanner.has_answered()) {
            self.known = Some(scanner.done().await?);
        }
        Ok(())
    }

    /// Ends the file and returns the recognised dump.
    pub async fn finish(&mut self) -> Result<Dump, String> {
        self.out.flush().await.map_err(|e| format!("Cannot store the dump: {e}."))?;
        match (self.known.take(), self.scanner.take()) {
            (Some(dump), _) => Ok(dump),
            (None, Some(scanner)) => scanner.done().await,
            (None, None) => Err("The file is unusable.".to_owned()),
        }
    }

    /// Keeps the file: from now on a job is responsible for removing it.
    pub fn keep(mut self) {
        self.gone.0 = None;
    }
}

/// Removes abandoned files: of loads that were cancelled, and of portals killed during an upload.
pub fn sweep(config: &Config, known: &[Uuid]) {
    for StagedUpload { path, id, age, .. } in found(&places(config)) {
        if !known.contains(&id) && age > ABANDONED {
            tracing::info!(file = %path.display(), "Removed an abandoned upload");
            let _ = std::fs::remove_file(path);
        }
    }
}
