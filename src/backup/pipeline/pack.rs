//! Turns the output of a command into parts for a store: checksum, compression, optional encryption, second checksum,
//! split.
//!
//! Compression is computation, so it runs in its own threads. Bounded channels on both sides and a memory budget for
//! parts keep memory use small, whatever the size of the dump.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use age::stream::StreamWriter;
use bytes::Bytes;
use tokio::sync::mpsc;
use zstd::zstd_safe::CParameter;

use crate::config::Backups;
use crate::encryption::Recipients;
use crate::manifest::sum::{Sum, Summing};

const MIB: usize = 1024 * 1024;
/// Memory in bytes for parts: the one being filled and those being uploaded. A longer part is in memory alone.
const ROOM: usize = 20 * MIB;
/// Part sizes in MiB, for each tenth of the parts that a store allows per object. S3 requires at least 5 MiB. They grow
/// late, so that the parts of a database of 250 GiB still need little memory, and 10,000 parts hold more than 5 TiB.
const LENGTHS: [usize; 10] = [5, 5, 10, 10, 20, 20, 20, 80, 640, 5120];
/// Bytes that a thread compresses at a time. More would compress slightly better, but each thread keeps several.
const PIECE: u32 = 1024 * 1024;
/// Bytes kept of the end of a dump, in which its end marker is searched.
const TAIL: usize = 1024;

/// Size of part `number` (from 1) if a store allows `limit` parts.
pub fn part_size(number: u32, limit: u32) -> usize {
    let tenth = number.saturating_sub(1) / (limit / 10).max(1);
    LENGTHS.get(tenth as usize).or(LENGTHS.last()).map_or(MIB, |mib| mib * MIB)
}

/// The memory budget shared by all parts.
#[derive(Default)]
struct PartBudget {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A part's share of the budget, returned when it is dropped.
struct BudgetShare {
    room: Arc<PartBudget>,
    bytes: usize,
}

impl PartBudget {
    /// Waits until the bytes fit into the budget, or until nothing else uses it.
    fn take(self: &Arc<Self>, bytes: usize) -> BudgetShare {
        let bytes = bytes.min(ROOM);
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken + bytes > ROOM;
        let mut taken = self.freed.wait_while(taken, full).unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
        BudgetShare { room: self.clone(), bytes }
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        *self.room.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.room.freed.notify_one();
    }
}

/// A part of an object to be uploaded.
pub struct UploadPart {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its share of the budget, held until the part is dropped.
    _held: BudgetShare,
}

/// Splits the written data into parts and computes its checksum.
struct Cutter {
    parts: mpsc::Sender<UploadPart>,
    limit: u32,
    number: u32,
    room: Arc<PartBudget>,
    part: Option<(Vec<u8>, BudgetShare)>,
    sum: Summing,
}

impl Cutter {
    fn send(&mut self) -> std::io::Result<()> {
        self.number += 1;
        let (bytes, held) = self.part.take().unwrap_or_else(|| (Vec::new(), self.room.take(0)));
        self.parts
            .blocking_send(UploadPart { bytes: Bytes::from(bytes), _held: held })
            .map_err(|_| std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the receiver of the parts is gone"))
    }
}

impl Write for Cutter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let size = part_size(self.number + 1, self.limit);
        let (part, _) = self.part.get_or_insert_with(|| {
            let held = self.room.take(size);
            (Vec::with_capacity(size), held)
        });
        let taken = piece.get(..piece.len().min(size - part.len())).unwrap_or_default();
        part.extend_from_slice(taken);
        self.sum.add(taken);
        if part.len() >= size {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The writer in front of the splitter, with or without encryption.
enum PackWriter {
    Plain(Cutter),
    Sealed(StreamWriter<Cutter>),
}

impl PackWriter {
    fn finish(self) -> std::io::Result<Cutter> {
        match self {
            Self::Plain(cutter) => Ok(cutter),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl Write for PackWriter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(cutter) => cutter.write(piece),
            Self::Sealed(writer) => writer.write(piece),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How a stream is packed.
#[derive(Clone)]
pub struct PackOptions {
    /// Compression level, 1 to 19.
    pub level: i32,
    /// Number of compression threads.
    pub threads: u32,
    /// Whether repetitions are found over long distances.
    pub long: bool,
    /// Recipients, if it is encrypted.
    pub seal: Option<Recipients>,
}

impl PackOptions {
    /// The options given by the configuration.
    pub fn of(config: &Backups, seal: Option<Recipients>) -> Self {
        Self { level: config.level, threads: config.threads, long: config.long_distance, seal }
    }
}

/// The farthest that `zstd -d` looks back without an option: 128 MiB.
const LONG_WINDOW: u32 = 27;

/// Result of packing a stream.
#[derive(Debug)]
pub struct Packed {
    /// Size and checksum of the input.
    pub plain: Sum,
    /// Size and checksum of the output.
    pub stored: Sum,
    /// The last bytes of the input.
    pub tail: Vec<u8>,
}

/// Compresses and optionally encrypts all of `input`, and splits it into `parts`, at most `limit`. Blocking: needs a
/// separate thread.
pub fn pack(
    mut input: mpsc::Receiver<Bytes>,
    parts: mpsc::Sender<UploadPart>,
    how: &PackOptions,
    limit: u32,
) -> std::io::Result<Packed> {
    let cutter = Cutter { parts, limit, number: 0, room: Arc::default(), part: None, sum: Summing::default() };
    let out = match &how.seal {
        None => PackWriter::Plain(cutter),
        Some(seal) => PackWriter::Sealed(seal.encryptor()?.wrap_output(cutter)?),
    };
    let (mut raw, mut tail) = (Summing::default(), Vec::with_capacity(2 * TAIL));
    let mut encoder = zstd::stream::write::Encoder::new(out, how.level)?;
    encoder.include_checksum(true)?;
    if how.long {
        // In this thread only: each further thread would need four times the window.
        encoder.long_distance_matching(true)?;
        encoder.window_log(LONG_WINDOW)?;
    } else {
        // This thread computes the checksums.
        encoder.multithread(how.threads)?;
        encoder.set_parameter(CParameter::JobSize(PIECE))?;
    }
    while let Some(piece) = input.blocking_recv() {
        raw.add(&piece);
        tail.extend_from_slice(piece.get(piece.len().saturating_sub(TAIL)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(TAIL));
        encoder.write_all(&piece)?;
    }
    let mut cutter = encoder.finish()?.finish()?;
    if cutter.part.is_some() || cutter.number == 0 {
        cutter.send()?;
    }
    Ok(Packed { plain: raw.done(), stored: cutter.sum.done(), tail })
}

/// Splits all of `input` into `parts` unchanged, and returns its size and checksum. Blocking: needs a thread of its
/// own.
pub fn cut(mut input: mpsc::Receiver<Bytes>, parts: mpsc::Sender<UploadPart>, limit: u32) -> std::io::Result<Sum> {
    let mut cutter = Cutter { parts, limit, number: 0, room: Arc::default(), part: None, sum: Summing::default() };
    while let Some(piece) = input.blocking_recv() {
        cutter.write_all(&piece)?;
    }
    if cutter.part.is_some() || cutter.number == 0 {
        cutter.send()?;
    }
    Ok(cutter.sum.done())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use crate::backup::pipeline::pack::*;
    use crate::backup::pipeline::unpack::unpack;
    use crate::encryption::Identities;

    fn feed(pieces: Vec<Vec<u8>>) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            sender.try_send(Bytes::from(piece)).unwrap();
        }
        receiver
    }

    fn drain(mut receiver: mpsc::Receiver<Bytes>) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| receiver.blocking_recv().map(|b| b.to_vec())).collect()
    }

    /// Packs these chunks, receiving the parts meanwhile.
    fn packed(pieces: Vec<Vec<u8>>, how: &PackOptions) -> (Packed, Vec<Vec<u8>>) {
        let (sender, mut parts) = mpsc::channel(1);
        let taking = std::thread::spawn(move || {
            std::iter::from_fn(|| parts.blocking_recv().map(|p: UploadPart| p.bytes.to_vec())).collect()
        });
        let done = pack(feed(pieces), sender, how, 10_000).unwrap();
        (done, taking.join().unwrap())
    }

    fn how(seal: Option<Recipients>) -> PackOptions {
        PackOptions { level: 1, threads: 2, long: false, seal }
    }

    /// An ephemeral key as the only recipient.
    fn sealed() -> (Recipients, Identities) {
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let sealing = Recipients::to(&[recipient], &Identities::default()).unwrap();
        let keys = sealing.once().unwrap();
        (sealing, keys)
    }

    proptest! {
        #[test]
        fn unpacking_restores_the_packed_data(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 0..20),
            long: bool,
            encrypted: bool,
        ) {
            let plain = pieces.concat();
            let (sealing, keys) = sealed();
            let keys = encrypted.then_some(&keys);
            let how = PackOptions { long, ..how(encrypted.then_some(sealing)) };
            let (Packed { plain: raw, stored, tail }, parts) = packed(pieces, &how);
            prop_assert_eq!(raw.bytes, plain.len() as u64);
            prop_assert!(plain.ends_with(&tail) && tail.len() == plain.len().min(TAIL));
            prop_assert_eq!(stored.bytes, parts.concat().len() as u64);
            let (sender, out) = mpsc::channel(64);
            let (stored_again, raw_again) = unpack(feed(parts), sender, keys).unwrap();
            prop_assert_eq!(drain(out).concat(), plain);
            prop_assert_eq!((stored_again, raw_again), (stored, raw));
        }
    }

    #[test]
    fn parts_have_the_configured_sizes_and_fit_any_object() {
        for limit in [100, 1000, 10_000u32] {
            let all: u128 = (1..=limit).map(|n| part_size(n, limit) as u128).sum();
            assert!(all > u128::from(limit) * 525 * MIB as u128, "{limit}: {all}");
        }
        assert_eq!((part_size(1, 10_000), part_size(2001, 10_000), part_size(7000, 10_000)), (5 * MIB, 10 * MIB, ROOM));
        assert!((1..=10_000).all(|n| part_size(n, 10_000) <= 5 * 1024 * MIB), "S3 takes 5 GiB a part");
        // Hashes of numbers are incompressible.
        let noise = (0..20u32)
            .map(|n| {
                (0..32_768u32).flat_map(|i| <[u8; 32]>::from(Sha256::digest((n * 32_768 + i).to_le_bytes()))).collect()
            })
            .collect();
        let lengths: Vec<usize> = packed(noise, &how(None)).1.iter().map(Vec::len).collect();
        assert!(lengths.len() > 3 && lengths.iter().rev().skip(1).all(|l| *l == 5 * MIB), "{lengths:?}");
    }

    #[test]
    fn parts_wait_for_memory_without_deadlock() {
        let room = Arc::<PartBudget>::default();
        let held: Vec<BudgetShare> = (0..4).map(|_| room.take(5 * MIB)).collect();
        let (other, began) = (room.clone(), std::time::Instant::now());
        // Larger than the whole budget: it waits until it is alone.
        let waiting = std::thread::spawn(move || other.take(640 * MIB).bytes);
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.join().unwrap(), ROOM);
        assert!(began.elapsed() >= std::time::Duration::from_millis(50));
        assert_eq!(*room.taken.lock().unwrap(), 0);
    }

    #[test]
    fn long_distance_matching_stays_readable_for_the_standard_tool() {
        // 24 incompressible MiB, twice.
        let noise: Vec<u8> = (0..786_432u32).flat_map(|i| <[u8; 32]>::from(Sha256::digest(i.to_le_bytes()))).collect();
        let packed = |long| {
            let pieces = vec![noise.clone(), noise.clone()];
            packed(pieces, &PackOptions { long, ..how(None) }).1.concat()
        };
        let (near, far) = (packed(false), packed(true));
        assert!(near.len() > 2 * noise.len() && far.len() < noise.len() * 11 / 10, "{} {}", near.len(), far.len());
        let dir = std::env::temp_dir().join(format!("db4sci-long-{}", std::process::id()));
        std::fs::write(&dir, far).unwrap();
        let said = std::process::Command::new("zstd").args(["-d", "-q", "-c"]).arg(&dir).output().unwrap();
        std::fs::remove_file(&dir).unwrap();
        assert!(said.status.success() && said.stdout == [noise.clone(), noise].concat());
    }

    #[test]
    fn a_damaged_stream_is_always_detected() {
        let (sealing, keys) = sealed();
        for seal in [None, Some(sealing)] {
            let keys = seal.is_some().then_some(&keys);
            let whole = packed(vec![vec![7; 100_000]], &how(seal)).1.concat();
            let tried = |bytes: Vec<u8>| {
                let (sender, out) = mpsc::channel(64);
                let done = unpack(feed(vec![bytes]), sender, keys);
                drain(out);
                done
            };
            let (sum, _) = tried(whole.clone()).unwrap();
            for cut in [1, whole.len() / 2, whole.len() - 1] {
                let done = tried(whole[..cut].to_vec());
                assert!(done.is_err() || done.unwrap().0 != sum, "cut at {cut}");
            }
            let mut flipped = whole.clone();
            flipped[whole.len() / 2] ^= 1;
            assert!(tried(flipped).map_or(true, |(s, _)| s != sum));
            assert!(tried([whole, b"more".to_vec()].concat()).map_or(true, |(s, _)| s != sum));
        }
    }
}
