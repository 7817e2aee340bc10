//! How a dump is compressed, and its content as it is read.

use std::io;
use std::io::{BufReader, Read};

use crate::import::zip::Zip;
use crate::manifest::dump::Packing;

/// Most memory for what was packed with xz, in KiB: what `xz -9` needs, twice.
const XZ_MEMORY: u32 = 128 * 1024;
/// Longest distance over which zstd may refer back, as a power of two: what `zstd --long` makes.
const ZSTD_WINDOW: u32 = 27;

impl Packing {
    /// The content of what `from` reads.
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
