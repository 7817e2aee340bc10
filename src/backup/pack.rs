//! From what a command prints to parts for a store: summed, compressed, summed again, cut. And back.
//!
//! Compression computes, so it runs on a thread of its own; bounded channels on both sides keep what is in memory small
//! whatever the size of the dump.

use std::io::Write;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

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

/// Compresses all of `input` into `parts`, and answers the sums before and after. Blocks; for a thread of its own.
///
/// # Errors
/// If the parts are no longer taken.
pub fn pack(
    mut input: mpsc::Receiver<Bytes>,
    parts: mpsc::Sender<Bytes>,
    level: i32,
    limit: u32,
) -> std::io::Result<(Sum, Sum)> {
    let cutter = Cutter { parts, limit, number: 0, part: Vec::new(), sum: Summing::default() };
    let mut raw = Summing::default();
    let mut encoder = zstd::stream::write::Encoder::new(cutter, level)?;
    encoder.include_checksum(true)?;
    while let Some(piece) = input.blocking_recv() {
        raw.add(&piece);
        encoder.write_all(&piece)?;
    }
    let mut cutter = encoder.finish()?;
    if !cutter.part.is_empty() || cutter.number == 0 {
        cutter.send()?;
    }
    Ok((raw.done(), cutter.sum.done()))
}

/// Cuts all of `input` into `parts` as it is, and answers its sum. Blocks; for a thread of its own.
///
/// # Errors
/// If the parts are no longer taken.
pub fn cut(mut input: mpsc::Receiver<Bytes>, parts: mpsc::Sender<Bytes>, limit: u32) -> std::io::Result<Sum> {
    let mut cutter = Cutter { parts, limit, number: 0, part: Vec::new(), sum: Summing::default() };
    while let Some(piece) = input.blocking_recv() {
        cutter.write_all(&piece)?;
    }
    if !cutter.part.is_empty() || cutter.number == 0 {
        cutter.send()?;
    }
    Ok(cutter.sum.done())
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

/// Decompresses all of `input` into `out`, and answers the sums before and after. Blocks; for a thread of its own.
///
/// # Errors
/// If the input is no whole compressed stream, or the output is no longer taken.
pub fn unpack(mut input: mpsc::Receiver<Bytes>, out: mpsc::Sender<Bytes>) -> std::io::Result<(Sum, Sum)> {
    let mut stored = Summing::default();
    let mut decoder = zstd::stream::write::Decoder::new(Teller { out, sum: Summing::default() })?;
    while let Some(piece) = input.blocking_recv() {
        stored.add(&piece);
        decoder.write_all(&piece)?;
    }
    decoder.flush()?;
    Ok((stored.done(), decoder.into_inner().sum.done()))
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

    proptest! {
        #[test]
        fn what_was_packed_unpacks_to_the_same(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 0..20)) {
            let plain = pieces.concat();
            let (sender, parts) = mpsc::channel(64);
            let (raw, stored) = pack(feed(pieces), sender, 3, 10_000).unwrap();
            let parts = drain(parts);
            prop_assert_eq!(raw.bytes, plain.len() as u64);
            prop_assert_eq!(stored.bytes, parts.concat().len() as u64);
            let (sender, out) = mpsc::channel(64);
            let (stored_again, raw_again) = unpack(feed(parts), sender).unwrap();
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
        pack(feed(noise), sender, 1, 10_000).unwrap();
        let lengths: Vec<usize> = drain(parts).iter().map(Vec::len).collect();
        assert!(lengths.len() > 2 && lengths.iter().rev().skip(1).all(|l| *l == FIRST_PART), "{lengths:?}");
    }

    #[test]
    fn a_damaged_stream_is_never_taken_for_whole() {
        let (sender, parts) = mpsc::channel(64);
        pack(feed(vec![vec![7; 100_000]]), sender, 3, 10_000).unwrap();
        let whole = drain(parts).concat();
        let tried = |bytes: Vec<u8>| {
            let (sender, out) = mpsc::channel(64);
            let done = unpack(feed(vec![bytes]), sender);
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
    }
}
