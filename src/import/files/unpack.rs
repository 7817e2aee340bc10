//! Reads tar archives of dumps that consist of several files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::collections::collection;
use super::list::{MOST, Member};
use super::pg_directory;
use super::recognise::known;
use crate::import::read_meter::{BytesRead, CountedReader, MeasuredReader};
use crate::manifest::dump::{Dump, Format, Packing};

/// Bytes that a tar archive must have before it can be recognised.
const MAGIC: std::ops::Range<usize> = 257..262;

/// Whether a file that begins like this is a tar archive.
pub fn is_tar(head: &[u8]) -> bool {
    head.get(MAGIC) == Some(b"ustar".as_slice())
}

/// Maximum bytes of what an archive says about the next file: a long name, or attributes.
const LONGEST_HEADER: u64 = 64 << 10;

/// The files that an archive contains.
#[derive(Default)]
struct Members {
    files: Vec<Member>,
    seen: HashSet<String>,
    /// The name of the next file, if it does not fit into its header.
    long_name: Option<Vec<u8>>,
    /// The directory that contains all of them.
    parent: Option<PathBuf>,
}

impl Members {
    /// The name of a file; `None` if the entry is a directory, or says something about the next file. Such entries are read
    /// here, because the archive's reader would keep them in memory whatever their size.
    fn add<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<Option<String>, String> {
        let kind = entry.header().entry_type();
        match kind {
            tar::EntryType::GNULongName => {
                let name = said(entry)?;
                let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
                self.long_name = Some(name.get(..end).unwrap_or_default().to_vec());
                return Ok(None);
            }
            tar::EntryType::XHeader => return self.attributes(&said(entry)?).map(|()| None),
            tar::EntryType::GNULongLink | tar::EntryType::XGlobalHeader => return said(entry).map(|_| None),
            _ => {}
        }
        let name = self.long_name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let path = Path::new(OsStr::from_bytes(&name));
        let shown = path.display().to_string();
        match kind {
            tar::EntryType::Regular | tar::EntryType::Continuous => {}
            tar::EntryType::Directory => return Ok(None),
            _ => return Err(format!("{shown} in the archive is not a regular file.")),
        }
        let parts = path.components().filter(|part| *part != Component::CurDir);
        let parts: Option<Vec<&str>> =
            parts.map(|part| if let Component::Normal(name) = part { name.to_str() } else { None }).collect();
        let Some((name, parent)) = parts.as_deref().and_then(|parts| parts.split_last()) else {
            return Err(format!("{shown} is not a valid name for a file of a dump."));
        };
        if name.starts_with('.') {
            // Desktop programs add such files.
            return Ok(None);
        }
        let parent: PathBuf = parent.iter().collect();
        if *self.parent.get_or_insert_with(|| parent.clone()) != parent {
            return Err(format!("{shown} is in another directory than the other files. Pack one directory of files."));
        }
        if !self.seen.insert((*name).to_owned()) || self.files.len() >= MOST {
            return Err(format!("{shown} is in the archive twice, or the archive contains too many files."));
        }
        self.files.push(((*name).to_owned(), entry.size()));
        Ok(Some((*name).to_owned()))
    }

    /// Takes the name of the next file from its attributes.
    fn attributes(&mut self, said: &[u8]) -> Result<(), String> {
        for one in tar::PaxExtensions::new(said).flatten() {
            match one.key_bytes() {
                b"path" => self.long_name = Some(one.value_bytes().to_vec()),
                b"size" => {
                    return Err("The archive contains a file of more than 8 GiB in a form that cannot be read here. \
                                Pack it with tar --format=gnu."
                        .to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What an entry says about the next one.
fn said<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, String> {
    if entry.header().entry_size().unwrap_or(u64::MAX) > LONGEST_HEADER {
        return Err("The archive contains a name that is too long.".to_owned());
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|e| format!("The archive contains a name that cannot be read: {e}."))?;
    Ok(bytes)
}

/// Recognises the dump in an archive, reading all of it.
///
/// # Errors
/// A sentence, if it does not contain a dump.
pub fn look(from: impl Read, packing: Packing) -> Result<Dump, String> {
    let broken = |e: std::io::Error| match e.kind() {
        ErrorKind::FileTooLarge => format!("{e}."),
        _ => format!("The tar archive cannot be read to the end: {e}. Create it again."),
    };
    let mut archive = tar::Archive::new(from);
    let (mut members, mut toc) = (Members::default(), Vec::new());
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        if members.add(&mut entry)?.as_deref() == Some(pg_directory::TOC) {
            entry.by_ref().take(4096).read_to_end(&mut toc).map_err(broken)?;
        }
    }
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    members.files.sort_unstable();
    known(&members.files, packing, |_| Ok(toc))
}

/// What an archive that begins like this probably contains, by the names of its first files; `None` if they belong to no
/// dump. Its import examines all of it.
pub fn guess(head: &[u8]) -> Option<Format> {
    let mut archive = tar::Archive::new(head);
    let mut members = Members::default();
    // The beginning ends within a file.
    for mut entry in archive.entries().ok()?.raw(true).map_while(Result::ok) {
        let Ok(Some(name)) = members.add(&mut entry) else { continue };
        if pg_directory::is_part(&name) {
            return Some(Format::PgDirectory);
        }
        if name.contains(".sql") {
            return Some(Format::MariaDirectory);
        }
        if collection(&name).is_some() {
            return Some(Format::MongoFiles);
        }
    }
    None
}

/// Unpacks an archive into a new directory. An earlier, complete attempt is kept.
///
/// # Errors
/// A sentence, if the archive is damaged, becomes larger than `most`, or cannot be stored.
pub fn unpack(file: &Path, packing: Packing, most: u64, dir: &Path) -> Result<(), String> {
    if dir.is_dir() {
        return Ok(());
    }
    let failed = |e: std::io::Error| format!("The tar archive cannot be unpacked: {e}.");
    let partial = dir.with_extension("partial");
    if let Err(e) = std::fs::remove_dir_all(&partial)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(failed(e));
    }
    std::fs::create_dir_all(&partial).map_err(failed)?;
    let packed = BytesRead::default();
    let from = CountedReader(std::fs::File::open(file).map_err(failed)?, packed.clone());
    let from = packing.unpacked(Box::new(from)).map_err(failed)?;
    let mut archive = tar::Archive::new(MeasuredReader::new(from, most, packed, BytesRead::default()));
    let mut members = Members::default();
    for entry in archive.entries().map_err(failed)?.raw(true) {
        let mut entry = entry.map_err(failed)?;
        let Some(name) = members.add(&mut entry)? else { continue };
        let mut out = std::fs::OpenOptions::new();
        let out = out.write(true).create_new(true).mode(0o600).open(partial.join(&name));
        std::io::copy(&mut entry, &mut out.map_err(failed)?).map_err(failed)?;
    }
    std::fs::rename(&partial, dir).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::files::list::TestDir;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // `append_data` would refuse the names that are tested.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn only_files_of_one_directory_are_accepted() {
        let good =
            archive(&[("./dump/mice.csv", b"a\n1\n"), ("./dump/._mice.csv", b"x"), ("./dump/rats.jsonl", b"{}\n")]);
        assert!(is_tar(&good) && !is_tar(b"short"));
        assert_eq!(look(good.as_slice(), Packing::None).unwrap().format, Format::MongoFiles);
        assert_eq!(guess(&good), Some(Format::MongoFiles));
        assert_eq!(guess(&archive(&[("d/7.dat.gz", &[0; 5000])])[..2000]), Some(Format::PgDirectory));
        assert_eq!(guess(&archive(&[("d/metadata", b"x"), ("d/a.t.sql", b"x")])), Some(Format::MariaDirectory));
        assert_eq!(guess(&archive(&[("notes.txt", b"x")])), None);
        for (files, words) in [
            (&[("../mice.csv", b"a".as_slice())][..], "../mice.csv"),
            (&[("/etc/mice.csv", b"a")], "/etc/mice.csv"),
            (&[("a/mice.csv", b"a"), ("b/rats.csv", b"a")], "another directory"),
            (&[("mice.csv", b"a"), ("mice.csv", b"a")], "twice"),
            (&[("mice.exe", b"a")], "mice.exe"),
        ] {
            let said = look(archive(files).as_slice(), Packing::None).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
        let cut = &good[..good.len() - 1400];
        assert!(look(cut, Packing::None).unwrap_err().contains("cannot be read to the end"), "it is cut off");
    }

    #[test]
    fn long_names_are_read_up_to_the_limit() {
        let name = format!("{}/mice.csv", "d".repeat(200));
        let of = |builder: &mut tar::Builder<Vec<u8>>| {
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(0o644);
            builder.append_data(&mut header, &name, &b"a\n1\n"[..]).unwrap();
        };
        let mut gnu = tar::Builder::new(Vec::new());
        of(&mut gnu);
        assert_eq!(look(gnu.into_inner().unwrap().as_slice(), Packing::None).unwrap().format, Format::MongoFiles);
        let mut pax = tar::Builder::new(Vec::new());
        pax.append_pax_extensions([("path", &b"mice.csv"[..]), ("comment", b"x")]).unwrap();
        of(&mut pax);
        assert_eq!(guess(&pax.into_inner().unwrap()), Some(Format::MongoFiles));
        for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(256 << 20);
            header.set_cksum();
            let endless = header.as_bytes().as_slice().chain(std::io::repeat(b'a'));
            assert!(look(endless, Packing::None).unwrap_err().contains("too long"), "{kind:?}");
        }
    }

    #[test]
    fn an_archive_is_unpacked_once_and_within_its_limit() {
        let dir = TestDir::new();
        let (file, to) = (dir.path().join("dump.tar"), dir.path().join("files"));
        std::fs::write(&file, archive(&[("mice.csv", &[b'a'; 5000])])).unwrap();
        assert!(unpack(&file, Packing::None, 2000, &to).unwrap_err().contains("larger than"));
        assert!(!to.exists());
        unpack(&file, Packing::None, 100_000, &to).unwrap();
        assert_eq!(std::fs::read(to.join("mice.csv")).unwrap().len(), 5000);
        unpack(&file, Packing::None, 100_000, &to).unwrap();
    }
}
