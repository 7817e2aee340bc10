//! Measures how a dump is read: counts bytes, limits them to the available space, and keeps the last ones.

use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::quantity::ByteSize;

/// Bytes at the end to keep.
const TAIL: usize = 4096;

/// Number of bytes read so far, shared with the reader.
#[derive(Debug, Clone, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// The number of bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A reader that counts bytes.
pub struct CountedReader<R>(pub R, pub BytesRead);

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(out)?;
        self.1.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A reader of decompressed data that counts bytes. It fails after `most` bytes, or if the compression ratio is
/// implausible.
pub struct MeasuredReader<R> {
    from: R,
    most: u64,
    packed: BytesRead,
    passed: BytesRead,
    tail: Arc<std::sync::Mutex<Vec<u8>>>,
}

/// The last bytes that were read.
#[derive(Debug, Clone)]
pub struct Tail(Arc<std::sync::Mutex<Vec<u8>>>);

impl Tail {
    /// The bytes as text.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl<R> MeasuredReader<R> {
    /// Reads up to `most` bytes from `from`; `packed` counts the compressed bytes that `from` reads.
    pub fn new(from: R, most: u64, packed: BytesRead, passed: BytesRead) -> Self {
        Self { from, most, packed, passed, tail: Arc::default() }
    }

    /// The end of the data, once it has been read.
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
                format!("The decompressed dump is larger than {most}, the maximum that fits"),
            ));
        }
        if so_far > ANY_RATIO && so_far / MOST_RATIO > self.packed.bytes() {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "When decompressed, the file becomes more than {MOST_RATIO} times as large, which no dump does. If it \
                     is a dump, upload it uncompressed"
                ),
            ));
        }
        let mut tail = self.tail.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tail.extend_from_slice(read.get(read.len().saturating_sub(TAIL)..).unwrap_or(read));
        let over = tail.len().saturating_sub(TAIL);
        tail.drain(..over);
        Ok(n)
    }
}

/// Maximum decompressed bytes of a dump: a multiple of the upload limit, and no more than is free on the tier at
/// `path`.
pub fn most_unpacked(upload_max: ByteSize, path: &Path) -> u64 {
    let most = u64::try_from(upload_max.0).unwrap_or(u64::MAX).saturating_mul(MOST_UNPACKED);
    let free = crate::storage::capacity(path).ok().and_then(|has| u64::try_from(has.free).ok());
    free.map_or(most, |free| most.min(free))
}

/// Ratio of the maximum decompressed size to the upload limit.
pub(crate) const MOST_UNPACKED: u64 = 20;

/// Maximum compression ratio. Dumps of ordinary tables compress 5 to 20 times, and those of equal rows hundreds of
/// times. gzip cannot reach this ratio.
const MOST_RATIO: u64 = 1100;
/// Decompressed bytes for which the ratio is not checked.
const ANY_RATIO: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use crate::import::scan::{ReadLimits, recognise};

    /// Beginning of a `pg_dump` archive; followed by zeroes, in one compressed stream.
    const HEAD: &[u8] = b"PGDMP\x01\x0e\x00\x04\x08\x01\x01";
    const PIECE: usize = 16 * 1024 * 1024;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(content, 19).unwrap()
    }

    /// The crate for xz decompresses only, so the data is read from files.
    fn xz(content: &[u8]) -> Vec<u8> {
        let name = if content == HEAD { "head" } else { "zeroes" };
        std::fs::read(format!("{}/tests/cases/bomb/{name}.xz", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_decompression_bomb_is_rejected_early() {
        let limits = || ReadLimits { most: 400 * 1024 * 1024 * 1024, wanted: None };
        let packed = |pack: fn(&[u8]) -> Vec<u8>| (pack(HEAD), pack(&vec![0; PIECE]));
        for (name, (head, zeroes)) in [("bzip2", packed(bzip2)), ("zstd", packed(zstd)), ("xz", packed(xz))] {
            // Streams can be concatenated; each of these contains zeroes.
            let times = 100 * 1024 * 1024 * 1024 / PIECE;
            let bomb = [head, zeroes.repeat(times)].concat();
            let begin = Instant::now();
            let said = recognise(Box::new(std::io::Cursor::new(bomb)), limits()).unwrap_err();
            assert!(said.contains("more than 1100 times as large"), "{name}: {said}");
            assert!(begin.elapsed() < Duration::from_secs(60), "{name}: {:?}", begin.elapsed());
        }
    }

    #[test]
    fn a_dump_of_equal_rows_is_not_rejected_as_a_bomb() {
        let rows = gzip("1\t\\N\tthe same\n".repeat(1_000_000).as_bytes());
        let dump = [gzip(HEAD), rows.repeat(30)].concat();
        let limits = ReadLimits { most: 400 * 1024 * 1024 * 1024, wanted: None };
        let said = recognise(Box::new(std::io::Cursor::new(dump)), limits);
        assert!(said.is_ok(), "{said:?}");
    }
}
