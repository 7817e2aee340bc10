//! The file in which a dump waits: on a storage tier, beside the data directories, for as long as it takes to load it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::config::{Config, Tier};
use crate::domain::engine::EngineKind;
use crate::domain::quantity::{ByteSize, MIB};
use crate::import::measured::most_unpacked;
use crate::import::scan::{ReadLimits, Scanner};
use crate::manifest::dump::Dump;
use crate::storage::{capacity, unavailable_reason};

/// Kept free on a tier beside what is being sent.
const RESERVE: i64 = 512 * MIB;
/// How often the space is looked at.
const LOOK: u64 = 32 * 1024 * 1024;
/// What the files' names begin with. With a dot: the reconciler leaves those alone.
const BEGINNING: &str = ".upload-";
/// After so long without a byte nobody sends any more, and nobody answers a question any more.
pub const ABANDONED: Duration = Duration::from_secs(3600);

/// Where the dump of this id lies, which this person sent.
pub fn file(config: &Config, tier: &Tier, id: Uuid, account: Option<Uuid>) -> PathBuf {
    let owner = account.map(|account| format!("+{account}")).unwrap_or_default();
    tier.path.join(config.instance.as_str()).join(format!("{BEGINNING}{id}{owner}"))
}

/// An upload that lies on a tier.
struct StagedUpload {
    path: PathBuf,
    id: Uuid,
    account: Option<Uuid>,
    bytes: u64,
    age: Duration,
}

/// Where uploads can lie.
fn places(config: &Config) -> Vec<PathBuf> {
    config.storage.iter().map(|tier| tier.path.join(config.instance.as_str())).collect()
}

/// All uploads in these places.
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

/// How much may be sent.
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

    /// Whether there is room for what this person sends.
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

/// A file that goes unless it is kept.
struct TemporaryFile(Option<PathBuf>);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A dump being received. Dropped, it leaves nothing.
pub struct Staging {
    /// Its id.
    pub id: Uuid,
    /// Name of the tier it lies on.
    pub tier: String,
    /// Bytes so far.
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
    /// Begins a file on this tier, or the first that is there, for a dump that `account` sends for a database of `engine`.
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

    /// Who sends it.
    pub fn account(&self) -> Uuid {
        self.account
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a piece.
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
        // What can't be used need not be received to its end.
        if let Some(scanner) = self.scanner.take_if(|scanner| scanner.has_answered()) {
            self.known = Some(scanner.done().await?);
        }
        Ok(())
    }

    /// Ends it; answers what it is.
    pub async fn finish(&mut self) -> Result<Dump, String> {
        self.out.flush().await.map_err(|e| format!("Cannot store the dump: {e}."))?;
        match (self.known.take(), self.scanner.take()) {
            (Some(dump), _) => Ok(dump),
            (None, Some(scanner)) => scanner.done().await,
            (None, None) => Err("The file is unusable.".to_owned()),
        }
    }

    /// From here on it is a job's to remove.
    pub fn keep(mut self) {
        self.gone.0 = None;
    }
}

/// Removes files that nobody waits for: of loads that were given up, and of portals that were killed while they received
/// them.
pub fn sweep(config: &Config, known: &[Uuid]) {
    for StagedUpload { path, id, age, .. } in found(&places(config)) {
        if !known.contains(&id) && age > ABANDONED {
            tracing::info!(file = %path.display(), "Removed an abandoned upload");
            let _ = std::fs::remove_file(path);
        }
    }
}
