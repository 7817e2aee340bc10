//! Decompresses a dump while it is read.

use std::io;
use std::io::{BufReader, Read};

use crate::import::zip::Zip;
use crate::manifest::dump::Packing;

/// Maximum memory for decompressing xz, in KiB: twice what `xz -9` requires.
const XZ_MEMORY: u32 = 128 * 1024;
/// Maximum window of zstd, as a power of two: that of `zstd --long`.
const ZSTD_WINDOW: u32 = 27;

impl Packing {
    /// The decompressed content of `from`.
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
