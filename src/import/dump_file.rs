//! A dump that is loaded: one file, or several.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::quantity::ByteSize;
use crate::import::files::list::DumpFiles;
use crate::import::files::unpack;
use crate::import::read_meter::BytesRead;
use crate::manifest::dump::{Dump, Packing};
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::tasks;

/// A dump in a file.
#[derive(Debug, Clone)]
pub(crate) struct DumpFile<'a> {
    /// Its format.
    pub(crate) dump: &'a Dump,
    /// The file, or the directory with its files.
    pub(crate) path: PathBuf,
    /// Its name for people.
    pub(crate) name: String,
    /// Directory for what must be unpacked. It may not exist.
    pub(crate) scratch: PathBuf,
    /// Maximum bytes, decompressed.
    pub(crate) most: u64,
}

impl DumpFile<'_> {
    /// Its files, if it consists of several.
    pub(super) async fn files(&self) -> Result<Option<DumpFiles>, StepError> {
        if !self.dump.format.is_files() {
            return Ok(None);
        }
        let (path, packing, most, scratch) = (self.path.clone(), self.dump.packing, self.most, self.scratch.clone());
        let found = tasks::blocking(move || of(&path, packing, most, &scratch)).await;
        let found = found.map_err(|e| StepError::Fail(format!("Reading the dump was interrupted: {e}.")))?;
        found.map_err(StepError::Fail)
    }
}

/// How far a dump has been read.
#[derive(Debug, Clone, Default)]
pub(super) struct LoadMeter {
    /// Bytes of its content.
    pub passed: BytesRead,
    /// Bytes of its files, as they are stored.
    pub read: BytesRead,
    /// Size of its files.
    pub total: u64,
}

impl LoadMeter {
    /// The progress after this time, for people.
    fn sentence(&self, elapsed: Duration) -> String {
        let bytes = ByteSize(i64::try_from(self.passed.bytes()).unwrap_or(i64::MAX));
        let read = self.read.bytes().min(self.total);
        if read == 0 || self.total == 0 {
            return format!("{bytes} of the dump loaded");
        }
        let left = elapsed.as_millis() * u128::from(self.total - read) / u128::from(read) / 1000;
        let left = match u64::try_from(left).unwrap_or(u64::MAX) {
            0 => String::new(),
            seconds @ 1..90 => format!(", about {seconds} s left"),
            seconds => format!(", about {} min left", seconds.div_ceil(60)),
        };
        format!("{bytes} of the dump loaded ({} %{left})", read * 100 / self.total)
    }
}

/// Reports the progress until cancelled.
pub(super) async fn tell(w: &StepContext, meter: &LoadMeter) -> std::convert::Infallible {
    let begin = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        w.progress(&meter.sentence(begin.elapsed())).await;
    }
}

/// The files of a dump: those of its directory, or of the tar archive that is unpacked to a directory in `scratch`. `None` if
/// it is one file.
///
/// # Errors
/// A sentence, if they cannot be read or become larger than `most`.
fn of(path: &Path, packing: Packing, most: u64, scratch: &Path) -> Result<Option<DumpFiles>, String> {
    if path.is_dir() {
        return DumpFiles::list(path).map(Some);
    }
    let failed = |e: std::io::Error| format!("The dump cannot be read: {e}.");
    let mut head = Vec::new();
    let content = packing.unpacked(Box::new(std::fs::File::open(path).map_err(failed)?)).map_err(failed)?;
    content.take(512).read_to_end(&mut head).map_err(failed)?;
    if !unpack::is_tar(&head) {
        return Ok(None);
    }
    let dir = scratch.join("files");
    unpack::unpack(path, packing, most, &dir)?;
    DumpFiles::list(&dir).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_estimated_from_the_bytes_read() {
        let meter = LoadMeter { total: 1000, ..LoadMeter::default() };
        assert_eq!(meter.sentence(Duration::from_secs(1)), "0 B of the dump loaded");
        let mut read = crate::import::read_meter::CountedReader(std::io::repeat(0).take(250), meter.read.clone());
        std::io::copy(&mut read, &mut std::io::sink()).unwrap();
        assert_eq!(meter.sentence(Duration::from_secs(10)), "0 B of the dump loaded (25 %, about 30 s left)");
        assert_eq!(meter.sentence(Duration::from_secs(100)), "0 B of the dump loaded (25 %, about 5 min left)");
    }
}
