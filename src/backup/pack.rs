//! From what a command prints to parts for a store: summed, compressed, encrypted where that is wanted, summed again,
//! cut. And back.
//!
//! Compression computes, so it runs on a thread of its own; bounded channels on both sides keep what is in memory small
//! whatever the size of the dump.

use std::io::{Read, Write};

use age::stream::StreamWriter;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::seal::{Keys, Sealing};

/// Length and SHA-256 of a stream.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Sums what passes.
#[derive(Clone, Default)]
pub struct Summing {
    bytes: u64,
    hash: Sha256,
}

impl Summing {
    /// Takes a piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hash.update(piece);
    }

    /// The sum of all pieces.
    pub fn done(self) -> Sum {
        Sum { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) }
    }
}

const MIB: usize = 1024 * 1024;
/// Length of the first parts. S3 wants at least 5 MiB.
const FIRST_PART: usize = 8 * MIB;
/// Most bytes of parts that are on their way to the store at once.
const IN_FLIGHT: usize = 24 * MIB;
/// Steps in which parts grow, so that no object is too long for its store's limit of parts.
const STEPS: u32 = 10;

/// Length of part `number` (from 1) where a store takes at most `limit` parts: doubled after every tenth of them, so
/// that 10,000 parts hold 8 TiB, and those of the first 16 GiB fit into little memory.
pub fn part_size(number: u32, limit: u32) -> usize {
    let step = number.saturating_sub(1) / (limit / STEPS).max(1);
    FIRST_PART << step.min(9)
}

/// How many parts of this length may be on their way at once.
pub fn in_flight(size: usize) -> usize {
    (IN_FLIGHT / size).max(1)
}

/// Cuts what is written into parts and sums it.
struct Cutter {
    parts: mpsc::Sender<Bytes>,
    limit: u32,
    number: u32,
    part: Vec<u8>,
    sum: Summing,
}

impl Cutter {
    fn send(&mut self) -> std::io::Result<()> {
        self.number += 1;
        let part = Bytes::from(std::mem::take(&mut self.part));
        self.parts
            .blocking_send(part)
            .map_err(|_| std::io::Error::new(std::io::ErrorKind::BrokenPipe, "nobody takes the parts any more"))
    }
}

impl Write for Cutter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let size = part_size(self.number + 1, self.limit);
        if self.part.capacity() < size {
            self.part.reserve_exact(size - self.part.len());
        }
        let taken = piece.get(..piece.len().min(size - self.part.len())).unwrap_or_default();
        self.part.extend_from_slice(taken);
        self.sum.add(taken);
        if self.part.len() >= size {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written on its way to the cutter.
enum Out {
    Plain(Cutter),
    Sealed(StreamWriter<Cutter>),
}

impl Out {
    fn finish(self) -> std::io::Result<Cutter> {
        match self {
            Self::Plain(cutter) => Ok(cutter),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl Write for Out {
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
pub struct How {
    /// Level of compression.
    pub level: i32,
    /// Whether what repeats is found over long distances.
    pub long: bool,
    /// To whom it is encrypted, if it is.
    pub seal: Option<Sealing>,
}

/// The farthest that a plain `zstd -d` looks back: 128 MiB.
const LONG_WINDOW: u32 = 27;

/// Compresses all of `input` into `parts`, and answers the sums before and after. Blocks; for a thread of its own.
///
/// # Errors
/// If the parts are no longer taken.
pub fn pack(
    mut input: mpsc::Receiver<Bytes>,
    parts: mpsc::Sender<Bytes>,
    how: &How,
    limit: u32,
) -> std::io::Result<(Sum, Sum)> {
    let cutter = Cutter { parts, limit, number: 0, part: Vec::new(), sum: Summing::default() };
    let out = match &how.seal {
        None => Out::Plain(cutter),
        Some(seal) => Out::Sealed(seal.encryptor()?.wrap_output(cutter)?),
    };
    let mut raw = Summing::default();
    let mut encoder = zstd::stream::write::Encoder::new(out, how.level)?;
    encoder.include_checksum(true)?;
    if how.long {
        encoder.long_distance_matching(true)?;
        encoder.window_log(LONG_WINDOW)?;
    }
    while let Some(piece) = input.blocking_recv() {
        raw.add(&piece);
        encoder.write_all(&piece)?;
    }
    let mut cutter = encoder.finish()?.finish()?;
    if !cutter.part.is_empty() || cutter.number == 0 {
        cutter.send()?;
    }
    Ok((raw.done(), cutter.sum.done()))
}

/// Hands on what is written, summed.
struct Teller {
    out: mpsc::Sender<Bytes>,
    sum: Summing,
}

impl Write for Teller {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.sum.add(piece);
        let piece_out = Bytes::copy_from_slice(piece);
        match self.out.blocking_send(piece_out) {
            Ok(()) => Ok(piece.len()),
            Err(_) => Err(std::io::Error::new(std::io::ErrorKind::BrokenPipe, "nobody takes the content any more")),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Pieces as they come, to be read; summed.
struct Source {
    input: mpsc::Receiver<Bytes>,
    piece: Bytes,
    sum: Summing,
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.input.blocking_recv() {
                Some(piece) => {
                    self.sum.add(&piece);
                    self.piece = piece;
                }
                None => return Ok(0),
            }
        }
        let taken = self.piece.split_to(out.len().min(self.piece.len()));
        if let Some(room) = out.get_mut(..taken.len()) {
            room.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}

/// Opens and decompresses all of `input` into `out`, and answers the sums before and after. Blocks; for a thread of its
/// own. `keys` are for what is encrypted; `None`: it is not.
///
/// # Errors
/// If the input is no whole compressed stream, the keys don't open it, or the output is no longer taken.
pub fn unpack(
    input: mpsc::Receiver<Bytes>,
    out: mpsc::Sender<Bytes>,
    keys: Option<&Keys>,
) -> std::io::Result<(Sum, Sum)> {
    let mut source = Source { input, piece: Bytes::new(), sum: Summing::default() };
    let mut decoder = zstd::stream::write::Decoder::new(Teller { out, sum: Summing::default() })?;
    match keys {
        None => {
            while let Some(piece) = source.input.blocking_recv() {
                source.sum.add(&piece);
                decoder.write_all(&piece)?;
            }
        }
        Some(keys) => {
            let decryptor = age::Decryptor::new(&mut source).map_err(std::io::Error::other)?;
            let mut plain = decryptor.decrypt(keys.all()).map_err(std::io::Error::other)?;
            std::io::copy(&mut plain, &mut decoder)?;
            // What comes after the end of what was encrypted belongs to the sum.
            std::io::copy(&mut source, &mut std::io::sink())?;
        }
    }
    decoder.flush()?;
    Ok((source.sum.done(), decoder.into_inner().sum.done()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    fn how(seal: Option<Sealing>) -> How {
        How { level: 3, long: false, seal }
    }

    /// To nobody but a key for this once.
    fn sealed() -> (Sealing, Keys) {
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let sealing = Sealing::to(&[recipient], &Keys::default()).unwrap();
        let keys = sealing.once().unwrap();
        (sealing, keys)
    }

    proptest! {
        #[test]
        fn what_was_packed_unpacks_to_the_same(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 0..20),
            long: bool,
            encrypted: bool,
        ) {
            let plain = pieces.concat();
            let (sealing, keys) = sealed();
            let keys = encrypted.then_some(&keys);
            let (sender, parts) = mpsc::channel(64);
            let how = How { level: 3, long, seal: encrypted.then_some(sealing) };
            let (raw, stored) = pack(feed(pieces), sender, &how, 10_000).unwrap();
            let parts = drain(parts);
            prop_assert_eq!(raw.bytes, plain.len() as u64);
            prop_assert_eq!(stored.bytes, parts.concat().len() as u64);
            let (sender, out) = mpsc::channel(64);
            let (stored_again, raw_again) = unpack(feed(parts), sender, keys).unwrap();
            prop_assert_eq!(drain(out).concat(), plain);
            prop_assert_eq!((stored_again, raw_again), (stored, raw));
        }
    }

    #[test]
    fn parts_have_their_lengths_and_any_size_fits() {
        for limit in [100, 1000, 10_000u32] {
            let all: u128 = (1..=limit).map(|n| part_size(n, limit) as u128).sum();
            assert!(all > u128::from(limit) * 800 * MIB as u128, "{limit}: {all}");
        }
        assert_eq!((part_size(1, 10_000), part_size(1001, 10_000)), (8 * MIB, 16 * MIB));
        assert!((1..=10_000).all(|n| part_size(n, 10_000) <= 5 * 1024 * MIB), "S3 takes 5 GiB a part");
        assert_eq!((in_flight(8 * MIB), in_flight(16 * MIB), in_flight(4096 * MIB)), (3, 1, 1));
        // Hashes of numbers don't compress.
        let noise = (0..20u32)
            .map(|n| {
                (0..32_768u32).flat_map(|i| <[u8; 32]>::from(Sha256::digest((n * 32_768 + i).to_le_bytes()))).collect()
            })
            .collect();
        let (sender, parts) = mpsc::channel(64);
        pack(feed(noise), sender, &How { level: 1, ..how(None) }, 10_000).unwrap();
        let lengths: Vec<usize> = drain(parts).iter().map(Vec::len).collect();
        assert!(lengths.len() > 2 && lengths.iter().rev().skip(1).all(|l| *l == FIRST_PART), "{lengths:?}");
    }

    #[test]
    fn what_repeats_far_away_is_found_and_a_plain_tool_unpacks_it() {
        // 24 MiB that don't compress, twice.
        let noise: Vec<u8> = (0..786_432u32).flat_map(|i| <[u8; 32]>::from(Sha256::digest(i.to_le_bytes()))).collect();
        let packed = |long| {
            let (sender, parts) = mpsc::channel(64);
            pack(feed(vec![noise.clone(), noise.clone()]), sender, &How { level: 1, long, seal: None }, 10_000)
                .unwrap();
            drain(parts).concat()
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
    fn a_damaged_stream_is_never_taken_for_whole() {
        let (sealing, keys) = sealed();
        for seal in [None, Some(sealing)] {
            let keys = seal.is_some().then_some(&keys);
            let (sender, parts) = mpsc::channel(64);
            pack(feed(vec![vec![7; 100_000]]), sender, &how(seal), 10_000).unwrap();
            let whole = drain(parts).concat();
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
