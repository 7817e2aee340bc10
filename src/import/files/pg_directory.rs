//! The directory of `pg_dump -Fd`, and the archive of `pg_dump -Ft`, which contains the same files. `pg_restore` reads them only
//! as files, so they are sent as a tar archive and unpacked next to the tool.

use std::io::{Read, Write};
use std::path::Path;

use bytes::Bytes;

use super::list::{DumpFiles, Member};
use crate::import::read_meter::{BytesRead, CountedReader};
use crate::import::sql_dump::output::Out;
use crate::import::sql_dump::unknown_encoding;

/// Name of its table of contents.
pub const TOC: &str = "toc.dat";
/// The statements of its table of contents, which `pg_dump -Ft` adds and `pg_restore` does not read.
const STATEMENTS: &str = "restore.sql";
/// Bytes that contain the version of the server.
const HEAD: u64 = 4096;
/// Bytes sent at a time.
const PIECE: usize = 64 * 1024;

/// The first bytes of a file.
///
/// # Errors
/// If it cannot be read.
pub fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// Checks that all files are such as `pg_dump` writes.
///
/// # Errors
/// A sentence with the name of one that is not.
pub fn complete(members: &[Member]) -> Result<(), String> {
    match members.iter().find(|(name, _)| !is_part(name) && name != STATEMENTS) {
        Some((name, _)) => Err(format!("{name} is not a file of pg_dump. The directory must contain only its files.")),
        None => Ok(()),
    }
}

/// Whether `pg_dump` writes files with such names.
pub(super) fn is_part(name: &str) -> bool {
    let plain = [".gz", ".lz4", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let data = plain.strip_suffix(".dat");
    name == TOC
        || data.is_some_and(|stem| number(stem.strip_prefix("blob_").unwrap_or(stem)))
        || plain
            .strip_suffix(".toc")
            .is_some_and(|stem| stem == "blobs" || stem.strip_prefix("blobs_").is_some_and(number))
}

/// Sends the files as a tar archive. Returns whether the choice of SQL_ASCII was replaced in them.
///
/// # Errors
/// A sentence, if a file cannot be read or together they are larger than `most`.
pub fn send(files: &DumpFiles, most: u64, passed: &BytesRead, out: &Out) -> Result<bool, String> {
    let mut changed = false;
    if files.members.iter().map(|(_, bytes)| bytes).sum::<u64>() > most {
        return Err("The dump is larger than the space that is free.".to_owned());
    }
    let mut archive = tar::Builder::new(Sender { out, buffer: Vec::with_capacity(2 * PIECE) });
    for (name, bytes) in files.members.iter().filter(|(name, _)| name != STATEMENTS) {
        let failed = |e: std::io::Error| format!("{name} cannot be read: {e}.");
        let file = std::fs::File::open(files.dir.join(name)).map_err(failed)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(*bytes);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        let content = CountedReader(file, passed.clone());
        let appended = if name == TOC {
            let (replaced, content) = unknown_encoding::archive(content).map_err(failed)?;
            changed = replaced;
            archive.append_data(&mut header, name, content)
        } else {
            archive.append_data(&mut header, name, content)
        };
        match appended {
            // The tool has exited; its messages give the reason.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(changed),
            done => done.map_err(failed)?,
        }
    }
    let sent = archive.into_inner().and_then(|mut sender| sender.flush());
    match sent {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("The dump cannot be sent: {e}.")),
        _ => Ok(changed),
    }
}

struct Sender<'a> {
    out: &'a Out,
    buffer: Vec<u8>,
}

impl Write for Sender<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(2 * PIECE)));
        self.out.blocking_send(Ok(piece)).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::files::list::TestDir;
    use tokio::sync::mpsc;

    #[test]
    fn the_files_are_sent_as_a_tar_archive() {
        let dir = TestDir::new();
        let big = vec![7_u8; 300_000];
        std::fs::write(dir.path().join("toc.dat"), b"PGDMP").unwrap();
        std::fs::write(dir.path().join("1.dat"), &big).unwrap();
        let files = DumpFiles::list(dir.path()).unwrap();
        let (out, mut pieces) = mpsc::channel(1000);
        send(&files, u64::MAX, &BytesRead::default(), &out).unwrap();
        drop(out);
        let mut sent = Vec::new();
        while let Ok(piece) = pieces.try_recv() {
            sent.extend(piece.unwrap());
        }
        let mut archive = tar::Archive::new(sent.as_slice());
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (entry.path().unwrap().display().to_string(), content)
            })
            .collect();
        assert_eq!(found, [("1.dat".to_owned(), big), ("toc.dat".to_owned(), b"PGDMP".to_vec())]);
        let (out, _) = mpsc::channel(1);
        assert!(send(&files, 10, &BytesRead::default(), &out).is_err());
    }
}
