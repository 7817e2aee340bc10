//! Size and SHA-256 of a stream.

use sha2::{Digest, Sha256};

/// Size and SHA-256 of a stream.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Computes a [`Sum`] while data passes through.
#[derive(Clone, Default)]
pub struct Summing {
    bytes: u64,
    hash: Sha256,
}

impl Summing {
    /// Adds a chunk.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hash.update(piece);
    }

    /// The sum of all chunks.
    pub fn done(self) -> Sum {
        Sum { bytes: self.bytes, sha256: hex::encode(self.hash.finalize()) }
    }
}
