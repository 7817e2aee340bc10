//! Turns a stored object back into the output of a command: decrypted and decompressed, with checksums on both sides.

use std::io::{Read, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::encryption::Identities;
use crate::manifest::sum::{Sum, Summing};

/// Passes on what is written and computes its checksum.
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

/// Reads chunks as they arrive and computes their checksum.
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

/// Decrypts and decompresses all of `input` into `out`, and returns size and checksum before and after. Blocking: needs
/// a separate thread. `keys` is `None` if the input is not encrypted.
///
/// # Errors
/// If the input is not a complete compressed stream, the keys cannot decrypt it, or `out` has been closed.
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
            // Bytes after the end of the encrypted data are part of the checksum.
            std::io::copy(&mut source, &mut std::io::sink())?;
        }
    }
    decoder.flush()?;
    Ok((source.sum.done(), decoder.into_inner().sum.done()))
}
