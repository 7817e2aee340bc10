//! Downloads of backups: all objects as one tar archive, or a single object. The data is compared with the manifest
//! while it is sent; if it differs, the transfer ends early.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::backup::pipeline::transfer::{ObjectSource, fetch, fetch_stored};
use crate::backup::restore::source::BackupSource;
use crate::backup::restore_script;
use crate::domain::stream_error::StreamError;
use crate::encryption::Identities;
use crate::manifest::sum::Sum;
use crate::manifest::{BY_HAND, FILE, Manifest, Object};
use crate::objects::Store;
use crate::queue::step_error::StepError;
use crate::runtime::Input;

/// Block size of a tar archive.
const BLOCK: u64 = 512;
/// Size of the end marker of a tar archive.
const END: u64 = 2 * BLOCK;

/// The form in which objects are downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadForm {
    /// As dumped: decrypted and decompressed.
    Plain,
    /// As stored in the target.
    Stored,
}

impl DownloadForm {
    /// Parses the value of `?as=`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "plain" => Some(Self::Plain),
            "stored" => Some(Self::Stored),
            _ => None,
        }
    }

    /// The value of `?as=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stored => "stored",
        }
    }

    fn sum(self, object: &Object) -> &Sum {
        match self {
            Self::Plain => &object.dumped,
            Self::Stored => &object.stored,
        }
    }

    /// Name of an object in this form.
    pub fn name(self, object: &Object) -> &str {
        match self {
            Self::Plain => &object.plain,
            Self::Stored => &object.file,
        }
    }
}

/// A download.
pub struct Package {
    /// File name.
    pub name: String,
    /// Its size. If the content ends earlier, it is not what was stored, and the error gives the reason.
    pub bytes: u64,
    /// Whether it is a tar archive.
    pub is_tar: bool,
    /// Its content. An error is always the last item.
    pub content: Input,
}

/// Everything needed to read objects while the response is sent.
struct Reader {
    store: Arc<Store>,
    location: String,
    keys: Identities,
    form: DownloadForm,
}

impl Reader {
    async fn open(&self, object: &Object) -> Input {
        let key = format!("{}/{}", self.location, object.file);
        let from = ObjectSource { store: &self.store, key: &key, object, keys: &self.keys, verified: None };
        let opened = match self.form {
            DownloadForm::Plain => fetch(&from, Arc::new(AtomicU64::new(0))).await,
            DownloadForm::Stored => fetch_stored(&from).await,
        };
        match opened {
            Ok(content) => exactly(content, self.form.sum(object).bytes),
            Err(StepError::Store(e)) => stream::once(async move { Err(e) }).boxed(),
            Err(e) => stream::once(async move { Err(StreamError::refused(e.to_string())) }).boxed(),
        }
    }
}

/// Passes on a stream of known size, and its last chunk only after the stream has been verified: a client that counts
/// bytes must not consider damaged data complete.
fn exactly(content: Input, bytes: u64) -> Input {
    let state = (content.fuse(), bytes, None::<Bytes>);
    stream::unfold(state, |(mut content, left, held)| async move {
        loop {
            match (content.next().await, &held) {
                (Some(Ok(piece)), _) if piece.is_empty() => {}
                (Some(Ok(piece)), held) => match left.checked_sub(piece.len() as u64) {
                    Some(left) => {
                        let out = held.clone().unwrap_or_default();
                        return Some((Ok(out), (content, left, Some(piece))));
                    }
                    None => {
                        let more = StreamError::damaged("There is more data than the manifest states.");
                        return Some((Err(more), (content, 0, None)));
                    }
                },
                (Some(Err(why)), _) => return Some((Err(why), (content, 0, None))),
                (None, Some(last)) => {
                    let last = last.clone();
                    return Some((Ok(last), (content, left, None)));
                }
                (None, None) => return None,
            }
        }
    })
    .boxed()
}

/// Ends the stream after the first error.
fn until_error(content: impl futures::Stream<Item = Result<Bytes, StreamError>> + Send + 'static) -> Input {
    content
        .scan(false, |failed, piece| {
            let go_on = !*failed;
            *failed |= piece.is_err();
            std::future::ready(go_on.then_some(piece))
        })
        .boxed()
}

/// Finds an object of a backup by its stored name or the name of its dump.
pub fn find<'m>(manifest: &'m Manifest, name: &str) -> Option<&'m Object> {
    manifest.objects.iter().find(|o| o.file == name || o.plain == name)
}

/// Prepares the download of one object.
pub async fn object(source: &BackupSource<'_>, form: DownloadForm, object: &Object) -> Package {
    let reader = reader(source, form);
    Package {
        name: form.name(object).to_owned(),
        bytes: form.sum(object).bytes,
        is_tar: false,
        content: until_error(reader.open(object).await),
    }
}

fn reader(source: &BackupSource<'_>, form: DownloadForm) -> Reader {
    let (store, location, keys) = (source.store.clone(), source.location.clone(), source.keys.clone());
    Reader { store, location, keys, form }
}

/// An entry of the archive.
enum ArchiveEntry {
    Text(&'static str, Bytes),
    Object(Object),
}

/// Prepares the download of a whole backup: a tar archive with one directory, which contains the objects, the manifest
/// and the restore script.
pub fn whole(source: &BackupSource<'_>, form: DownloadForm) -> Package {
    let reader = Arc::new(reader(source, form));
    let m = &source.manifest;
    let folder = format!("{}-{}", m.container.name, m.started_at.format("%Y%m%dT%H%M%SZ"));
    let made = u64::try_from(m.started_at.timestamp()).unwrap_or(0);
    let mut entries = Vec::new();
    // Generated from the verified manifest: the script in the bucket may have been changed by someone.
    let script = restore_script::lines(m, source.store, &source.location, m.container.engine.engine().backup());
    entries.push(ArchiveEntry::Text(BY_HAND, Bytes::from(script)));
    entries.push(ArchiveEntry::Text(FILE, source.text.clone()));
    entries.extend(m.objects.iter().cloned().map(ArchiveEntry::Object));
    let length = |e: &ArchiveEntry| match e {
        ArchiveEntry::Text(_, text) => text.len() as u64,
        ArchiveEntry::Object(o) => form.sum(o).bytes,
    };
    let bytes = entries.iter().map(|e| BLOCK + length(e).next_multiple_of(BLOCK)).sum::<u64>() + END;
    let name = format!("{folder}.tar");
    let content = stream::iter(entries)
        .then(move |entry| {
            let (reader, folder) = (reader.clone(), folder.clone());
            async move {
                let (name, bytes, content) = match entry {
                    ArchiveEntry::Text(name, text) => {
                        (name.to_owned(), text.len() as u64, stream::once(async { Ok(text) }).boxed())
                    }
                    ArchiveEntry::Object(o) => (form.name(&o).to_owned(), form.sum(&o).bytes, reader.open(&o).await),
                };
                let head = stream::once(async move { head(&format!("{folder}/{name}"), bytes, made) });
                let rest = zeros(bytes.next_multiple_of(BLOCK) - bytes);
                head.chain(content).chain(stream::once(async move { Ok(rest) })).boxed()
            }
        })
        .flatten()
        .chain(stream::once(async { Ok(zeros(END)) }));
    Package { name, bytes, is_tar: true, content: until_error(content) }
}

fn zeros(bytes: u64) -> Bytes {
    Bytes::from(vec![0; usize::try_from(bytes).unwrap_or(0)])
}

/// The header of a file in a tar archive.
fn head(path: &str, bytes: u64, made: u64) -> Result<Bytes, StreamError> {
    let mut head = tar::Header::new_gnu();
    head.set_path(path).map_err(|e| StreamError::refused(format!("Cannot add {path} to the archive: {e}.")))?;
    head.set_size(bytes);
    head.set_mode(0o600);
    head.set_mtime(made);
    head.set_cksum();
    Ok(Bytes::copy_from_slice(head.as_bytes()))
}

/// Writes a download to `out`.
///
/// # Errors
/// If `out` cannot be written, or the content differs from what was stored.
pub async fn write(package: Package, out: &mut (impl tokio::io::AsyncWrite + Unpin)) -> anyhow::Result<u64> {
    use tokio::io::AsyncWriteExt;
    let mut content = package.content.map_err(anyhow::Error::from);
    let mut written = 0;
    while let Some(piece) = content.try_next().await? {
        out.write_all(&piece).await?;
        written += piece.len() as u64;
    }
    out.flush().await?;
    anyhow::ensure!(written == package.bytes, "{written} bytes arrived instead of {}", package.bytes);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(parts: Vec<Result<&'static str, &'static str>>) -> Input {
        stream::iter(
            parts.into_iter().map(|p| p.map(|t| Bytes::from_static(t.as_bytes())).map_err(StreamError::damaged)),
        )
        .boxed()
    }

    async fn out(content: Input) -> (String, Option<String>) {
        let (mut text, mut error) = (String::new(), None);
        let mut content = until_error(content);
        while let Some(piece) = content.next().await {
            match piece {
                Ok(piece) => text.push_str(std::str::from_utf8(&piece).unwrap()),
                Err(why) => error = Some(why.to_string()),
            }
        }
        (text, error)
    }

    #[tokio::test]
    async fn the_last_chunk_is_sent_only_after_verification() {
        assert_eq!(out(exactly(pieces(vec![Ok("ab"), Ok("c")]), 3)).await, ("abc".to_owned(), None));
        assert_eq!(out(exactly(pieces(vec![]), 0)).await, (String::new(), None));
        let damaged = out(exactly(pieces(vec![Ok("ab"), Ok("c"), Err("damaged")]), 3)).await;
        assert_eq!(damaged, ("ab".to_owned(), Some("damaged".to_owned())), "fewer bytes than were promised");
        let longer = out(exactly(pieces(vec![Ok("ab"), Ok("cd")]), 3)).await;
        assert!(longer.0.len() < 3 && longer.1.is_some(), "{longer:?}");
    }

    #[test]
    fn tar_headers_support_files_larger_than_8_gib() {
        let head = head("lab/database-1.pgdump", 20 << 30, 1_800_000_000).unwrap();
        assert_eq!(head.len() as u64, BLOCK);
        let mut read = tar::Header::new_old();
        read.as_mut_bytes().copy_from_slice(&head);
        assert_eq!(read.size().unwrap(), 20 << 30);
    }
}
