//! Reads a zip archive with one file, as desktop programs create it from a dump, sequentially from its beginning.

use std::io;
use std::io::{BufReader, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

/// Magic number before each file in an archive.
pub const MAGIC: [u8; 4] = *b"PK\x03\x04";
/// Magic number that may precede the checksum and sizes after a file, if they were unknown at its beginning.
const SUMS: [u8; 4] = *b"PK\x07\x08";

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// The header before a file.
struct LocalHeader {
    name: String,
    method: u16,
    encrypted: bool,
    /// Whether checksum and sizes follow the file.
    later: bool,
    crc: u32,
    packed: u64,
}

impl LocalHeader {
    /// Whether it is a directory, or a file that desktops add themselves.
    fn is_nothing(&self) -> bool {
        let last = self.name.rsplit('/').next().unwrap_or_default();
        self.name.ends_with('/') || self.name.starts_with("__MACOSX/") || matches!(last, ".DS_Store" | "Thumbs.db")
    }
}

enum Body<R: Read> {
    Deflated(DeflateDecoder<BufReader<R>>),
    Stored(io::Take<BufReader<R>>),
    /// Between files; `None` after the end.
    Between(Option<BufReader<R>>),
}

/// Reads the only file in an archive.
pub struct Zip<R: Read> {
    body: Body<R>,
    head: Option<LocalHeader>,
    /// Name of the file that was read.
    found: Option<String>,
    crc: Crc,
    /// The magic number of the next header, if it had to be read to find out where the sizes before it end.
    magic: Option<[u8; 4]>,
}

impl<R: Read> Zip<R> {
    /// Starts at the beginning of an archive.
    pub fn new(from: R) -> Self {
        Self { body: Body::Between(Some(BufReader::new(from))), head: None, found: None, crc: Crc::new(), magic: None }
    }

    /// Proceeds to the next file; `false` at the end.
    fn next(&mut self, mut from: BufReader<R>) -> io::Result<bool> {
        loop {
            let Some(head) = head(&mut from, self.magic.take())? else {
                if self.found.is_none() {
                    return Err(refused("the zip archive contains no file"));
                }
                // The rest is the archive's directory.
                io::copy(&mut from, &mut io::sink())?;
                self.body = Body::Between(None);
                return Ok(false);
            };
            if head.is_nothing() && !head.later && head.packed < 64 * 1024 * 1024 {
                io::copy(&mut from.by_ref().take(head.packed), &mut io::sink())?;
                continue;
            }
            if !head.is_nothing()
                && let Some(first) = &self.found
            {
                return Err(refused(format!(
                    "the zip archive contains several files (“{first}”, “{}”): upload only the dump",
                    head.name
                )));
            }
            if head.encrypted {
                return Err(refused("the zip archive is password-protected: extract it and upload the dump itself"));
            }
            self.body = match head.method {
                8 => Body::Deflated(DeflateDecoder::new(from)),
                0 if !head.later => Body::Stored(from.take(head.packed)),
                other => {
                    return Err(refused(format!(
                        "the zip archive uses an unsupported compression method (number {other}): compress the dump \
                         with gzip, or upload it uncompressed"
                    )));
                }
            };
            self.crc = Crc::new();
            if !head.is_nothing() {
                self.found = Some(head.name.clone());
            }
            self.head = Some(head);
            return Ok(true);
        }
    }

    /// Verifies the checksum at the end of a file.
    fn ended(&mut self) -> io::Result<()> {
        let mut from = match std::mem::replace(&mut self.body, Body::Between(None)) {
            Body::Deflated(body) => body.into_inner(),
            Body::Stored(body) => body.into_inner(),
            Body::Between(from) => from.ok_or_else(|| refused("the zip archive has ended"))?,
        };
        if let Some(head) = self.head.take() {
            let crc = if head.later {
                let mut sums = [0; 4];
                from.read_exact(&mut sums)?;
                if sums == SUMS {
                    from.read_exact(&mut sums)?;
                }
                let crc = u32::from_le_bytes(sums);
                self.magic = skip_sizes(&mut from)?;
                crc
            } else {
                head.crc
            };
            if crc != self.crc.sum() {
                return Err(refused(format!("“{}” in this zip archive is damaged", head.name)));
            }
        }
        self.body = Body::Between(Some(from));
        Ok(())
    }
}

/// Skips the two sizes after a checksum: four bytes each, or eight in large archives. Returns the magic number that
/// follows, if it was read.
fn skip_sizes<R: Read>(from: &mut BufReader<R>) -> io::Result<Option<[u8; 4]>> {
    io::copy(&mut from.by_ref().take(8), &mut io::sink())?;
    let mut next = Vec::new();
    from.by_ref().take(4).read_to_end(&mut next)?;
    // Another header follows, or these are the sizes of a large archive, whose other half is still to be read.
    let magic = next.first_chunk::<4>().copied();
    if magic.is_some_and(|magic| !magic.starts_with(b"PK")) {
        io::copy(&mut from.by_ref().take(4), &mut io::sink())?;
        return Ok(None);
    }
    Ok(magic)
}

/// Reads the header before a file, whose `magic` number may have been read; `None` if no file follows.
fn head<R: Read>(from: &mut BufReader<R>, magic: Option<[u8; 4]>) -> io::Result<Option<LocalHeader>> {
    let magic = match magic {
        Some(magic) => magic.to_vec(),
        None => {
            let mut read = Vec::new();
            from.by_ref().take(4).read_to_end(&mut read)?;
            read
        }
    };
    if magic != MAGIC {
        return Ok(None);
    }
    let mut fixed = [0; 26];
    from.read_exact(&mut fixed)?;
    let [_, _, f0, _, m0, m1, _, _, _, _, c0, c1, c2, c3, s0, s1, s2, s3, _, _, _, _, n0, n1, e0, e1] = fixed;
    let mut name = vec![0; usize::from(u16::from_le_bytes([n0, n1]))];
    from.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(u16::from_le_bytes([e0, e1]))];
    from.read_exact(&mut extra)?;
    let mut packed = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
    if packed == u64::from(u32::MAX) {
        // In large archives, the size is in the extra field number 1, after the other size.
        let long = (extra.first_chunk::<4>() == Some(&[1, 0, 16, 0])).then(|| extra.get(12..20)).flatten();
        packed = long.and_then(|b| b.first_chunk::<8>()).map_or(u64::MAX, |long| u64::from_le_bytes(*long));
    }
    let name: String = String::from_utf8_lossy(&name).chars().filter(|c| !c.is_control()).take(200).collect();
    Ok(Some(LocalHeader {
        name,
        method: u16::from_le_bytes([m0, m1]),
        encrypted: f0 & 1 != 0,
        later: f0 & 8 != 0,
        crc: u32::from_le_bytes([c0, c1, c2, c3]),
        packed,
    }))
}

impl<R: Read> Read for Zip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.body {
                Body::Deflated(body) => body.read(out)?,
                Body::Stored(body) => body.read(out)?,
                Body::Between(from) => match from.take() {
                    None => return Ok(0),
                    Some(from) => {
                        if !self.next(from)? {
                            return Ok(0);
                        }
                        continue;
                    }
                },
            };
            if read == 0 {
                self.ended()?;
                continue;
            }
            self.crc.update(out.get(..read).unwrap_or_default());
            if self.head.as_ref().is_none_or(|h| !h.is_nothing()) {
                return Ok(read);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::import::zip::*;
    use std::io::Write;

    fn member(name: &str, text: &[u8], later: bool, stored: bool) -> Vec<u8> {
        let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflater.write_all(text).unwrap();
        let packed = if stored { text.to_vec() } else { deflater.finish().unwrap() };
        let mut crc = Crc::new();
        crc.update(text);
        let (size, long) = (u32::try_from(packed.len()).unwrap(), u32::try_from(text.len()).unwrap());
        let sums = [crc.sum().to_le_bytes(), size.to_le_bytes(), long.to_le_bytes()].concat();
        let mut all = MAGIC.to_vec();
        all.extend([20, 0, if later { 8 } else { 0 }, 0, if stored { 0 } else { 8 }, 0, 0, 0, 0, 0]);
        all.extend(if later { vec![0; 12] } else { sums.clone() });
        all.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        all.extend([0, 0]);
        all.extend(name.as_bytes());
        all.extend(packed);
        if later {
            all.extend(SUMS);
            all.extend(sums);
        }
        all
    }

    fn read(archive: &[u8]) -> Result<String, String> {
        let mut text = String::new();
        Zip::new(archive).read_to_string(&mut text).map_err(|e| e.to_string())?;
        Ok(text)
    }

    #[test]
    fn a_single_file_is_read_and_several_are_rejected() {
        let end = b"PK\x01\x02and so on".as_slice();
        for (later, stored) in [(false, false), (true, false), (false, true)] {
            let dump = member("lab/dump.sql", b"select 1;", later, stored);
            let junk =
                [member("lab/", b"", false, true), member("__MACOSX/lab/._dump.sql", b"xyz", true, false)].concat();
            assert_eq!(read(&[&dump, end].concat()).as_deref(), Ok("select 1;"));
            assert_eq!(read(&[&junk, &dump, end].concat()).as_deref(), Ok("select 1;"));
            assert_eq!(read(&[&dump, &junk, end].concat()).as_deref(), Ok("select 1;"));
            let two = read(&[&dump, &member("b.sql", b"x", false, false), end].concat()).unwrap_err();
            assert!(two.contains("“lab/dump.sql”, “b.sql”"), "{two}");
            let mut damaged = dump.clone();
            let at = 30 + "lab/dump.sql".len() + 3;
            damaged[at] ^= 0x20;
            assert!(read(&[&damaged, end].concat()).is_err());
            for cut in 0..dump.len() {
                let _ = read(&dump[..cut]);
            }
        }
        // Wherever the buffer of the reader ends.
        let mut long = member("c.sql", b"select 3;", true, false);
        let sizes = long.split_off(long.len() - 8);
        long.extend(sizes.chunks(4).flat_map(|size| [size, &[0; 4]].concat()));
        for pad in 8100..8200 {
            let junk = member(&format!("__MACOSX/{}", "x".repeat(pad)), b"xyz", true, false);
            for dump in [member("c.sql", b"select 3;", true, false), long.clone()] {
                assert_eq!(read(&[&junk, &dump, end].concat()).as_deref(), Ok("select 3;"), "{pad}");
                assert_eq!(read(&[&dump, &junk, end].concat()).as_deref(), Ok("select 3;"), "{pad}");
            }
        }
        let mut locked = member("a", b"x", false, false);
        locked[6] = 1;
        assert!(read(&locked).unwrap_err().contains("password"));
        assert!(read(b"PK\x05\x06").unwrap_err().contains("no file"));
    }
}
