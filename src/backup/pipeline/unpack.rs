//! From what lies in a store back to what a command printed: opened, decompressed, and summed on both sides.

use std::io::{Read, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::encryption::Identities;
use crate::manifest::sum::{Sum, Summing};

/// Hands on what is written, summed.
struct SummedWriter {
    out: mpsc::Sender<Bytes>,
    sum: Summing,
}

impl Write for SummedWriter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.sum.add(piece);
        let piece_out = Bytes::copy_from_slice(piece);
        match self.out.blocking_send(piece_out) {
            Ok(()) => Ok(piece.len()),
            Err(_) => Err(std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the receiver of the content is gone")),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Pieces as they come, to be read; summed.
struct SummedReader {
    input: mpsc::Receiver<Bytes>,
    piece: Bytes,
    sum: Summing,
}

impl Read for SummedReader {
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
    keys: Option<&Identities>,
) -> std::io::Result<(Sum, Sum)> {
    let mut source = SummedReader { input, piece: Bytes::new(), sum: Summing::default() };
    let mut decoder = zstd::stream::write::Decoder::new(SummedWriter { out, sum: Summing::default() })?;
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
