//! What is read of a dump: how much, no more than there is room for, and its last bytes.

use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::quantity::ByteSize;

/// How much of the end is kept.
const TAIL: usize = 4096;

/// What was read so far.
#[derive(Debug, Clone, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// In bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A reader that counts, and refuses to read more than `most`.
pub struct MeasuredReader<R> {
    from: R,
    most: u64,
    passed: BytesRead,
    tail: Arc<std::sync::Mutex<Vec<u8>>>,
}

/// The last bytes of what was read.
#[derive(Debug, Clone)]
pub struct Tail(Arc<std::sync::Mutex<Vec<u8>>>);

impl Tail {
    /// As text.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl<R> MeasuredReader<R> {
    /// Reads from `from`, at most `most` bytes.
    pub fn new(from: R, most: u64, passed: BytesRead) -> Self {
        Self { from, most, passed, tail: Arc::default() }
    }

    /// Its end, once it was read.
    pub fn tail(&self) -> Tail {
        Tail(self.tail.clone())
    }
}

impl<R: Read> Read for MeasuredReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(out)?;
        let read = out.get(..n).unwrap_or_default();
        let so_far = self.passed.0.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        if so_far > self.most {
            let most = ByteSize(i64::try_from(self.most).unwrap_or(i64::MAX));
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("Unpacked, the dump is larger than {most}, the most that there is room for"),
            ));
        }
        let mut tail = self.tail.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tail.extend_from_slice(read.get(read.len().saturating_sub(TAIL)..).unwrap_or(read));
        let over = tail.len().saturating_sub(TAIL);
        tail.drain(..over);
        Ok(n)
    }
}

/// Most bytes of a dump, unpacked: a multiple of what may be sent, and no more than is free on the tier at `path`.
pub fn most_unpacked(upload_max: ByteSize, path: &Path) -> u64 {
    let most = u64::try_from(upload_max.0).unwrap_or(u64::MAX).saturating_mul(MOST_UNPACKED);
    let free = crate::storage::capacity(path).ok().and_then(|has| u64::try_from(has.free).ok());
    free.map_or(most, |free| most.min(free))
}

/// How much more a dump may be unpacked than the largest that may be sent.
pub(crate) const MOST_UNPACKED: u64 = 20;
