//! How a dump is compressed, and its content as it is read.

use std::io::{self, BufReader, Read};

use crate::import::zip;
use crate::import::zip::Zip;

/// Most memory for what was packed with xz, in KiB: what `xz -9` needs, twice.
const XZ_MEMORY: u32 = 128 * 1024;
/// Longest distance over which zstd may refer back, as a power of two: what `zstd --long` makes.
const ZSTD_WINDOW: u32 = 27;

/// How a dump is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// As the only file of a zip archive.
    Zip,
}

impl Packing {
    const ALL: [(Self, &'static str, &'static [u8]); 5] = [
        (Self::Gzip, "gzip", &[0x1f, 0x8b]),
        (Self::Zstd, "zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
        (Self::Bzip2, "bzip2", b"BZh"),
        (Self::Xz, "xz", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
        (Self::Zip, "zip", &zip::MAGIC),
    ];

    /// What the beginning of a file shows.
    pub fn of(head: &[u8]) -> Self {
        Self::ALL.into_iter().find(|(.., magic)| head.starts_with(magic)).map_or(Self::None, |(packing, ..)| packing)
    }

    /// As in the database.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(packing, ..)| *packing == self).map_or("none", |(_, name, _)| name)
    }

    /// The same back.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map_or(Self::None, |(packing, ..)| packing)
    }

    /// The content of what `from` reads.
    ///
    /// # Errors
    /// If it can't be begun.
    pub fn unpacked(self, from: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let from = BufReader::with_capacity(128 * 1024, from);
        Ok(match self {
            Self::None => Box::new(from),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(from)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(from, true, XZ_MEMORY)),
            Self::Zip => Box::new(Zip::new(from)),
        })
    }
}
