//! Transfers dumps from a command in a container to a store, and back. All checksums are compared here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::backup::pipeline::pack::PackOptions;
use crate::backup::pipeline::reports::{Output, Reports};
use crate::backup::pipeline::verified::ChunkSums;
use crate::backup::pipeline::{multipart, pack, unpack};
use crate::domain::stream_error::{DAMAGED, StreamError};
use crate::encryption::{AGE, Identities};
use crate::engine::ExecSpec;
use crate::engine::definition::{Definition, DefinitionSplitter, settle};
use crate::manifest::Object;
use crate::manifest::sum::{Sum, Summing};
use crate::objects::{Download, ObjectError, Store};
use crate::queue::step_error::StepError;
use crate::runtime::{ExecPiece, Input, Pieces, Runtime};
use crate::tasks;

/// Longest time without output of a command. Counting a large table prints nothing for a long time.
const SILENCE: Duration = Duration::from_secs(3600);
/// Chunks buffered between two stages.
const WAITING: usize = 16;

/// Reads all output of a command. Standard output is sent to `out`; without `out` it is parsed for reports.
async fn follow(
    mut pieces: Pieces,
    out: Option<mpsc::Sender<Bytes>>,
    split: Option<Box<dyn DefinitionSplitter>>,
    passed: &AtomicU64,
) -> Result<(i64, Reports), StepError> {
    let mut reports = Reports::of(split);
    if out.is_none() {
        reports = reports.on_stdout();
    }
    loop {
        let piece = tokio::time::timeout(SILENCE, pieces.next()).await.map_err(|_| {
            StepError::Fail(format!(
                "The command in the container produced no output for {} minutes.",
                SILENCE.as_secs() / 60
            ))
        })?;
        match piece {
            Some(Ok(ExecPiece::Stdout(bytes))) => {
                passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                match &out {
                    Some(out) => {
                        out.send(bytes).await.map_err(|_| StepError::Retry("The upload ended early.".to_owned()))?;
                    }
                    None => reports.take(Output::Out, &bytes).map_err(StepError::Fail)?,
                }
            }
            Some(Ok(ExecPiece::Stderr(bytes))) => reports.take(Output::Err, &bytes).map_err(StepError::Fail)?,
            Some(Ok(ExecPiece::Ended(code))) => {
                reports.end().map_err(StepError::Fail)?;
                return Ok((code, reports));
            }
            Some(Err(e)) => return Err(e.into()),
            // A stream without an exit code was cut off.
            None => {
                return Err(StepError::Fail(
                    "The container engine closed the command's output before the command ended.".to_owned(),
                ));
            }
        }
    }
}

/// Runs a command to its end and returns what it reported on standard output.
pub async fn run(
    runtime: &dyn Runtime,
    id: &str,
    exec: &ExecSpec,
    input: Option<Input>,
    passed: &AtomicU64,
) -> Result<Reports, StepError> {
    let pieces = runtime.exec_stream(id, exec, input).await?;
    ended_well(follow(pieces, None, None, passed).await?)
}

/// Runs a command that reports definitions to its end.
pub async fn definitions(
    runtime: &dyn Runtime,
    id: &str,
    exec: &ExecSpec,
    split: Option<Box<dyn DefinitionSplitter>>,
) -> Result<Vec<Definition>, StepError> {
    let pieces = runtime.exec_stream(id, exec, None).await?;
    let mut found = ended_well(follow(pieces, None, split, &AtomicU64::new(0)).await?)?.definitions;
    settle(&mut found);
    Ok(found)
}

fn ended_well((code, reports): (i64, Reports)) -> Result<Reports, StepError> {
    if code == 0 {
        return Ok(reports);
    }
    Err(StepError::Fail(format!("A command in the container {}. Output: {}", ending(code), reports.words())))
}

/// Describes how a command ended: a shell adds 128 to the number of a signal.
fn ending(code: i64) -> String {
    match code - 128 {
        9 => "was killed (signal 9)".to_owned(),
        13 => "was terminated because its output was closed (signal 13)".to_owned(),
        signal @ 1..=64 => format!("was terminated by signal {signal}"),
        _ => format!("exited with code {code}"),
    }
}

/// Result of a dump.
#[derive(Debug)]
pub struct Dumped {
    /// Size and checksum as it left the container.
    pub plain: Sum,
    /// Size and checksum as stored.
    pub stored: Sum,
    /// The reports of its command.
    pub reports: Reports,
    /// MD5s of the uploaded parts.
    pub parts: Vec<[u8; 16]>,
}

/// Where a dump goes.
pub struct DumpTarget<'a> {
    /// The container engine.
    pub runtime: &'a dyn Runtime,
    /// The store.
    pub store: &'a Store,
    /// Key of the object.
    pub key: &'a str,
    /// Id of its upload, which has been started.
    pub upload: &'a str,
    /// How it is compressed and encrypted.
    pub how: PackOptions,
    /// Text that the last lines of a complete dump contain, if known.
    pub end_mark: Option<&'static str>,
    /// Counts the bytes that have left the container.
    pub passed: &'a AtomicU64,
}

/// Runs a command that dumps in the container `id`, and uploads its output; `split` separates the definitions it
/// reports. The upload is not completed: that is allowed only if this succeeds.
///
/// # Errors
/// If the command fails, its checksum differs from that of the data received, or the store rejects the data.
pub async fn dump(
    to: &DumpTarget<'_>,
    id: &str,
    exec: &ExecSpec,
    split: Option<Box<dyn DefinitionSplitter>>,
) -> Result<Dumped, StepError> {
    let pieces = to.runtime.exec_stream(id, exec, None).await?;
    let (plain_out, plain_in) = mpsc::channel(WAITING);
    let (parts_out, parts_in) = mpsc::channel(1);
    let (how, limit) = (to.how.clone(), to.store.target().part_limit);
    let packing = tasks::blocking(move || pack::pack(plain_in, parts_out, &how, limit));
    let reading = follow(pieces, Some(plain_out), split, to.passed);
    let sending = async { multipart::send(to.store, to.key, to.upload, parts_in).await.map_err(StepError::from) };
    let ((code, reports), parts) = tokio::try_join!(reading, sending)?;
    let pack::Packed { plain, stored, tail } = packing
        .await
        .map_err(|e| StepError::Retry(format!("The compression was interrupted: {e}")))?
        .map_err(|e| StepError::Fail(format!("The compression or encryption failed: {e}.")))?;
    let again = reports.again.as_ref().or(reports.altered.as_ref());
    if let (Some(why), []) = (again, reports.sums.as_slice()) {
        return Err(StepError::Retry(why.trim().to_owned()));
    }
    let [inside] = reports.sums.as_slice() else {
        return Err(StepError::Fail(format!(
            "{}The dump {} without completing. Output: {}",
            found(&reports),
            ending(code),
            reports.words()
        )));
    };
    if inside.code != 0 || code != 0 {
        if let Some(why) = again {
            return Err(StepError::Retry(why.trim().to_owned()));
        }
        let code = if inside.code == 0 { code } else { inside.code };
        let found = found(&reports);
        return Err(StepError::Fail(format!("{found}The dump {}. Output: {}", ending(code), reports.words())));
    }
    if inside.sha256 != plain.sha256 {
        return Err(StepError::Fail(format!(
            "The {} bytes of the dump that arrived differ from what the container sent (SHA-256 {} instead of {}).",
            plain.bytes, plain.sha256, inside.sha256
        )));
    }
    if let Some(mark) = to.end_mark
        && !String::from_utf8_lossy(&tail).contains(mark)
    {
        return Err(StepError::Fail(format!("The dump does not end with “{mark}”, so it is incomplete.")));
    }
    Ok(Dumped { plain, stored, reports, parts })
}

/// The reason found by the dump's command, if any, placed before the output of its programs.
fn found(reports: &Reports) -> String {
    reports.faults.iter().flat_map(|fault| [fault.as_str(), "\n"]).collect()
}

/// A task that is aborted when this is dropped.
struct FeedTask(JoinHandle<Result<(), ObjectError>>);

impl Drop for FeedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where the content of an object comes from.
pub struct ObjectSource<'a> {
    /// The store.
    pub store: &'a Arc<Store>,
    /// Key of the object.
    pub key: &'a str,
    /// The object as described by the manifest.
    pub object: &'a Object,
    /// Keys to decrypt it, if it is encrypted.
    pub keys: &'a Identities,
    /// Checksums of its content, if it was read before: nothing else is passed on.
    pub verified: Option<ChunkSums>,
}

/// The content of an object as the input of a command: decrypted, decompressed, and compared with the manifest before
/// the end of the input is passed on.
///
/// # Errors
/// If the store does not return the object, or its size differs from the manifest.
pub async fn fetch(from: &ObjectSource<'_>, passed: Arc<AtomicU64>) -> Result<Input, StepError> {
    let ObjectSource { store, key, object, keys, verified } = from;
    if object.compression != "zstd" {
        return Err(StepError::Fail(format!("This portal cannot decompress “{}”.", object.compression)));
    }
    let keys = match object.encryption.as_deref() {
        None => None,
        Some(AGE) => Some((*keys).clone()),
        Some(other) => return Err(StepError::Fail(format!("This portal cannot decrypt “{other}”."))),
    };
    let mut download = get(from).await?;
    let (stored_out, stored_in) = mpsc::channel(WAITING);
    let (plain_out, plain_in) = mpsc::channel(WAITING);
    let feeding = FeedTask(tasks::spawn(async move {
        while let Some(piece) = download.stream.next().await {
            let piece = piece?;
            passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
            if stored_out.send(piece).await.is_err() {
                break;
            }
        }
        Ok(())
    }));
    let unpacking = tasks::blocking(move || unpack::unpack(stored_in, plain_out, keys.as_ref()));
    let end = FinalCheck { url: store.url(key), object: (*object).clone(), feeding, unpacking };
    let input = stream::unfold((plain_in, Some(end)), |(mut plain, end)| async move {
        match plain.recv().await {
            Some(piece) => Some((Ok(piece), (plain, end))),
            None => match end?.judge().await {
                Ok(()) => None,
                Err(e) => Some((Err(e), (plain, None))),
            },
        }
    })
    .boxed();
    Ok(match verified {
        Some(sums) => sums.clone().pass(input),
        None => input,
    })
}

/// The object as stored: not decrypted or decompressed, but compared with the manifest.
///
/// # Errors
/// If the store does not return the object, or its size differs from the manifest.
pub async fn fetch_stored(from: &ObjectSource<'_>) -> Result<Input, StepError> {
    let download = get(from).await?;
    let (url, stored) = (from.store.url(from.key), from.object.stored.clone());
    let state = (download.stream, Some(Summing::default()));
    Ok(stream::unfold(state, move |(mut pieces, sum)| {
        let (url, stored) = (url.clone(), stored.clone());
        async move {
            let mut sum = sum?;
            match pieces.next().await {
                Some(Ok(piece)) => {
                    sum.add(&piece);
                    Some((Ok(piece), (pieces, Some(sum))))
                }
                Some(Err(e)) => Some((Err(e.into()), (pieces, None))),
                None => {
                    let sum = sum.done();
                    (sum != stored).then(|| (Err(other_than(&url, &sum, &stored)), (pieces, None)))
                }
            }
        }
    })
    .boxed())
}

/// Starts reading an object if it has the size given by the manifest.
async fn get(from: &ObjectSource<'_>) -> Result<Download, StepError> {
    let ObjectSource { store, key, object, .. } = from;
    let download = store.get(key).await?;
    match download.bytes {
        Some(bytes) if bytes != object.stored.bytes => Err(StreamError::damaged(format!(
            "{} has {bytes} bytes, but the manifest states {}. {DAMAGED}",
            store.url(key),
            object.stored.bytes
        ))
        .into()),
        _ => Ok(download),
    }
}

/// The error for an object that differs from what was stored.
pub(crate) fn other_than(url: &str, is: &Sum, stored: &Sum) -> StreamError {
    StreamError::damaged(format!(
        "{url} differs from what was stored: it has {} bytes with SHA-256 {}, and the manifest states {} with {}. \
         {DAMAGED}",
        is.bytes, is.sha256, stored.bytes, stored.sha256
    ))
}

/// The beginning of an input, at most about `most` bytes. If the input is longer, nothing is compared.
pub fn beginning(input: Input, most: usize) -> Input {
    let mut left = most;
    input
        .take_while(move |piece| {
            let go_on = left > 0;
            left = left.saturating_sub(piece.as_ref().map_or(0, Bytes::len));
            std::future::ready(go_on)
        })
        .boxed()
}

/// What is compared after an object was read to the end.
struct FinalCheck {
    url: String,
    object: Object,
    feeding: FeedTask,
    unpacking: JoinHandle<std::io::Result<(Sum, Sum)>>,
}

impl FinalCheck {
    async fn judge(self) -> Result<(), StreamError> {
        let Self { url, object, mut feeding, unpacking } = self;
        match (&mut feeding.0).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(e.into()),
            Err(e) => return Err(StreamError::transient(format!("Reading {url} was interrupted: {e}."))),
        }
        let damaged = |why: &str| StreamError::damaged(format!("{url} differs from what was stored: {why}. {DAMAGED}"));
        let (stored, plain) = match unpacking.await {
            Ok(Ok(sums)) => sums,
            Ok(Err(e)) => return Err(damaged(&e.to_string())),
            Err(e) => return Err(StreamError::transient(format!("Decompressing {url} was interrupted: {e}."))),
        };
        if stored != object.stored {
            return Err(other_than(&url, &stored, &object.stored));
        }
        if plain != object.dumped {
            return Err(damaged(&format!(
                "its content has SHA-256 {}, and the manifest states {}",
                plain.sha256, object.dumped.sha256
            )));
        }
        Ok(())
    }
}
