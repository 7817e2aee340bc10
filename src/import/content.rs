//! Opens a dump that is stored in a file: decompressed, and converted to UTF-8 if it is text.

use std::io;
use std::io::Read;
use std::path::Path;

use crate::import::encoding::{Encoding, decoded};
use crate::import::read_meter::{BytesRead, CountedReader, MeasuredReader, Tail};
use crate::manifest::dump::Packing;

/// A dump's content, decompressed, and converted to UTF-8 if it is text.
pub struct DumpContent {
    /// The original encoding of the text.
    pub encoding: Encoding,
    /// The reader of the content.
    pub from: Box<dyn Read + Send>,
    /// The end of the content.
    pub tail: Tail,
}

/// Opens a dump stored in a file. `passed` counts the bytes of its content.
pub fn open(path: &Path, packing: Packing, text: bool, most: u64, passed: BytesRead) -> io::Result<DumpContent> {
    open_counted(path, packing, text, most, (passed, BytesRead::default()))
}

/// The same; `packed` counts the bytes of the file.
pub fn open_counted(
    path: &Path,
    packing: Packing,
    text: bool,
    most: u64,
    (passed, packed): (BytesRead, BytesRead),
) -> io::Result<DumpContent> {
    let from = packing.unpacked(Box::new(CountedReader(std::fs::File::open(path)?, packed.clone())))?;
    let measured = MeasuredReader::new(from, most, packed, passed);
    let tail = measured.tail();
    let (encoding, from) =
        if text { decoded(Box::new(measured))? } else { (Encoding::Plain, Box::new(measured) as Box<dyn Read + Send>) };
    Ok(DumpContent { encoding, from, tail })
}
