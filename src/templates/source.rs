//! The file or directory that a version is imported from: complete, measured, and unchanged during the import.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::admin_db::templates::versions::SourceFacts;
use crate::config::Tier;
use crate::domain::quantity::ByteSize;
use crate::import::content::open;
use crate::import::encoding::decoded;
use crate::import::files::list::DumpFiles;
use crate::import::files::recognise::directory as recognised_directory;
use crate::import::files::unpack::{guess, is_tar};
use crate::import::format::{LOOK, of_head};
use crate::import::read_meter::{BytesRead, most_unpacked};
use crate::import::scan::{ReadLimits, recognise};
use crate::manifest::dump::{Dump, Packing};
use crate::queue::step_error::StepError;
use crate::tasks;
use crate::templates::directory;

/// Bytes read at a time.
const PIECE: usize = 1024 * 1024;

/// What the file system says about a file. Two that are equal mean that it did not change in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    pub(super) mtime: DateTime<Utc>,
    inode: u64,
}

/// Looks at a file.
///
/// # Errors
/// A sentence, if it does not exist, is not a regular file, or is too small to be a dump.
pub(super) async fn stamp(path: &Path) -> Result<Stamp, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let about = match tokio::fs::symlink_metadata(path).await {
        Ok(about) if about.is_file() => about,
        Ok(about) if about.is_dir() => return directory_stamp(path, about).await,
        Ok(_) => return Err(format!("{name} is not a regular file.")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{name} is no longer in the directory of dumps. Is its disk mounted?"));
        }
        Err(e) => return Err(format!("{name} cannot be read: {e}.")),
    };
    if about.len() <= directory::SMALLEST {
        return Err(format!("{name} has only {} bytes, so it is not a dump.", about.len()));
    }
    Ok(Stamp { bytes: about.len(), mtime: modified(&about), inode: about.ino() })
}

fn modified(about: &std::fs::Metadata) -> DateTime<Utc> {
    let at = DateTime::from_timestamp(about.mtime(), u32::try_from(about.mtime_nsec()).unwrap_or(0));
    // mydb_admin stores microseconds.
    at.and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros())).unwrap_or_default()
}

/// Looks at a directory and its files: their size together, and the latest of their times.
async fn directory_stamp(path: &Path, about: std::fs::Metadata) -> Result<Stamp, String> {
    let (path, name) = (path.to_owned(), file_name(path));
    let seen = tasks::blocking(move || {
        let files = DumpFiles::list(&path)?;
        let (mut bytes, mut mtime) = (0, modified(&about));
        for (file, _) in &files.members {
            let about =
                std::fs::symlink_metadata(path.join(file)).map_err(|e| format!("{file} cannot be read: {e}."))?;
            bytes += about.len();
            mtime = mtime.max(modified(&about));
        }
        Ok::<_, String>(Stamp { bytes, mtime, inode: about.ino() })
    });
    let seen =
        seen.await.map_err(|e| format!("{name} cannot be read: {e}."))?.map_err(|why| format!("{name}: {why}"))?;
    if seen.bytes <= directory::SMALLEST {
        return Err(format!("{name} has only {} bytes, so it is not a dump.", seen.bytes));
    }
    Ok(seen)
}

/// Waits until a file has not changed for this long.
///
/// # Errors
/// [`StepError::Fail`] as for [`stamp`]; [`StepError::Retry`] if it keeps changing.
pub(super) async fn settled(path: &Path, settle: Duration) -> Result<Stamp, StepError> {
    let mut before = stamp(path).await.map_err(StepError::Fail)?;
    for _ in 0..10 {
        tokio::time::sleep(settle).await;
        let now = stamp(path).await.map_err(StepError::Fail)?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    Err(StepError::Retry("The file is still being written.".to_owned()))
}

/// Reads a file and its script to compute their checksums.
///
/// # Errors
/// [`StepError::Fail`] if they cannot be read.
pub(super) async fn measure(path: PathBuf, hook: Option<PathBuf>, stamp: &Stamp) -> Result<SourceFacts, StepError> {
    let hook_sha256 = hook_sha256(hook).await?;
    let sha256 = sha256_of(path).await?;
    let bytes = i64::try_from(stamp.bytes).unwrap_or(i64::MAX);
    Ok(SourceFacts { bytes, mtime: stamp.mtime, sha256, hook_sha256 })
}

/// The checksum of the script of a template; empty if it has none.
///
/// # Errors
/// [`StepError::Fail`] if it cannot be read.
pub(super) async fn hook_sha256(hook: Option<PathBuf>) -> Result<String, StepError> {
    match hook {
        Some(hook) => sha256_of(hook).await,
        None => Ok(String::new()),
    }
}

/// The checksum of a file; of a directory, that of the list of its files with their checksums.
///
/// # Errors
/// [`StepError::Fail`] if it cannot be read.
async fn sha256_of(path: PathBuf) -> Result<String, StepError> {
    let sum = tasks::blocking(move || {
        if !path.is_dir() {
            return sha256(&path);
        }
        let mut all = Sha256::new();
        for (file, _) in DumpFiles::list(&path)?.members {
            all.update(format!("{}  {file}\n", sha256(&path.join(&file))?));
        }
        Ok(hex::encode(all.finalize()))
    })
    .await;
    sum.map_err(|e| StepError::Fail(format!("Reading a file was interrupted: {e}.")))?.map_err(StepError::Fail)
}

/// Maximum decompressed bytes of a dump that is loaded on this tier.
pub(super) fn most(tier: &Tier) -> u64 {
    most_unpacked(ByteSize(i64::MAX), &tier.path)
}

/// The name of a file, for messages.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn sha256(path: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("{} cannot be read: {e}.", path.display());
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut sum, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let n = file.read(&mut piece).map_err(failed)?;
        match piece.get(..n).filter(|read| !read.is_empty()) {
            Some(read) => sum.update(read),
            None => return Ok(hex::encode(sum.finalize())),
        }
    }
}

/// Recognises a dump, reading all of it if its content must be examined. `most` is the configured size of an uploaded
/// dump, from which the limit on its decompressed size follows.
///
/// # Errors
/// [`StepError::Fail`] with a sentence.
pub(super) async fn recognised(path: PathBuf, limits: ReadLimits) -> Result<Dump, StepError> {
    let found = tasks::blocking(move || {
        if path.is_dir() {
            return recognised_directory(&path);
        }
        let file = std::fs::File::open(&path).map_err(|e| format!("{} cannot be read: {e}.", path.display()))?;
        recognise(Box::new(file), limits)
    });
    let found = found.await.map_err(|e| StepError::Fail(format!("Reading the dump was interrupted: {e}.")))?;
    found.map_err(StepError::Fail)
}

/// Recognises the engine of a dump by its beginning.
///
/// # Errors
/// A sentence, if it is not a dump.
pub(super) async fn beginning(path: PathBuf) -> Result<Dump, String> {
    let found = tasks::blocking(move || {
        if path.is_dir() {
            return recognised_directory(&path);
        }
        let failed = |e: std::io::Error| format!("{} cannot be read: {e}.", path.display());
        let mut head = Vec::new();
        std::fs::File::open(&path).map_err(failed)?.take(512).read_to_end(&mut head).map_err(failed)?;
        let packing = Packing::of(&head);
        let most = most_unpacked(ByteSize(i64::MAX), &path);
        let content = open(&path, packing, true, most, BytesRead::default()).map_err(failed)?;
        let mut first = Vec::new();
        // A damaged file is reported by its import.
        let _ = content.from.take(LOOK).read_to_end(&mut first);
        of_first(&first, packing)
    });
    found.await.map_err(|e| format!("Reading the dump was interrupted: {e}."))?
}

/// The same for a dump of which only the first bytes are at hand, as they are stored.
///
/// # Errors
/// A sentence, if it is not a dump.
pub(super) async fn head_of(head: Vec<u8>) -> Result<Dump, String> {
    let found = tasks::blocking(move || {
        let packing = Packing::of(&head);
        let content = packing.unpacked(Box::new(std::io::Cursor::new(head))).map_err(|e| e.to_string())?;
        let (_, text) = decoded(content).map_err(|e| e.to_string())?;
        let mut first = Vec::new();
        // It is cut off, so reading it ends with an error.
        let _ = text.take(LOOK).read_to_end(&mut first);
        of_first(&first, packing)
    });
    found.await.map_err(|e| format!("Reading the dump was interrupted: {e}."))?
}

/// Recognises a dump by its first bytes, decompressed.
fn of_first(first: &[u8], packing: Packing) -> Result<Dump, String> {
    match is_tar(first).then(|| guess(first)).flatten() {
        Some(format) => {
            let (version, databases, told) = (None, Vec::new(), Vec::new());
            Ok(Dump { packing, format, version, says_its_end: false, databases, told })
        }
        None => of_head(first, packing, None),
    }
}
