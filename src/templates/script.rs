//! Runs scripts in JavaScript and Cypher in a server, as the user of its database. Scripts of SQL are loaded like dumps.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt, stream};
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::backup::engine_backup;
use crate::domain::engine::EngineKind;
use crate::domain::stream_error::StreamError;
use crate::engine::ServerSpec;
use crate::import::content::open;
use crate::import::read_meter::BytesRead;
use crate::manifest::dump::Packing;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::ExecPiece;
use crate::tasks;
use crate::templates::source::file_name;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;
/// Bytes of the server's words that are kept.
const WORDS: usize = 4000;

/// The engine of a script, by the ending of its name; `None` for SQL and for dumps.
pub(super) fn engine_of(path: &Path) -> Option<EngineKind> {
    let name = file_name(path);
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "js" => Some(EngineKind::Mongodb),
        "cypher" => Some(EngineKind::Neo4j),
        _ => None,
    }
}

/// Whether a script consists of SQL statements, by the ending of its name.
pub(super) fn is_sql(path: &Path) -> bool {
    engine_of(path).is_none()
}

/// Runs a script, which ends at its first error.
///
/// # Errors
/// [`StepError::Fail`] with the server's words.
pub(super) async fn run(
    w: &StepContext,
    (path, most): (&Path, u64),
    (id, plan): (&str, &ServerSpec<'_>),
    password: &SecretString,
) -> Result<(), StepError> {
    let (app, name) = (&w.app, file_name(path));
    let kind = plan.image.engine;
    let exec = engine_backup(kind)?.script(plan, password);
    let exec = exec.ok_or_else(|| StepError::Fail(format!("{name} is not a script for {}.", kind.label())))?;
    let (out, pieces) = mpsc::channel::<Result<Bytes, String>>(16);
    let file = path.to_owned();
    let reading = tasks::blocking(move || send(&file, most, &out));
    let input = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|p| (p, pieces)) });
    let input = input.map(|piece| piece.map_err(StreamError::refused)).boxed();
    let mut said = app.runtime.exec_stream(id, &exec, Some(input)).await?;
    let mut words = Vec::new();
    let code = loop {
        match said.next().await {
            Some(Ok(ExecPiece::Stderr(piece) | ExecPiece::Stdout(piece))) => {
                let room = WORDS.saturating_sub(words.len());
                words.extend(piece.iter().take(room));
            }
            Some(Ok(ExecPiece::Ended(code))) => break code,
            Some(Err(e)) => return Err(StepError::Fail(format!("{name}: {e}"))),
            None => return Err(StepError::Fail(format!("{name}: the script was interrupted."))),
        }
    };
    // A problem with the file explains more than the server's message.
    reading
        .await
        .map_err(|e| StepError::Fail(format!("{name}: reading it was interrupted: {e}.")))?
        .map_err(|e| StepError::Fail(format!("{name}: {e}.")))?;
    if code == 0 {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&words);
    Err(StepError::Fail(format!("{name}: {}", words.trim())))
}

fn send(path: &Path, most: u64, out: &mpsc::Sender<Result<Bytes, String>>) -> Result<(), String> {
    let done = pump(path, most, out).map_err(|e| e.to_string());
    if let Err(why) = &done {
        // The shell must not take an incomplete input for the whole script.
        let _ = out.blocking_send(Err(why.clone()));
    }
    done
}

fn pump(path: &Path, most: u64, out: &mpsc::Sender<Result<Bytes, String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(16).read_to_end(&mut head)?;
    let mut content = open(path, Packing::of(&head), true, most, BytesRead::default())?;
    let mut piece = vec![0; PIECE];
    loop {
        let n = content.from.read(&mut piece)?;
        let Some(read) = piece.get(..n).filter(|read| !read.is_empty()) else { return Ok(()) };
        if out.blocking_send(Ok(Bytes::copy_from_slice(read))).is_err() {
            // The shell has exited; its words give the reason.
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_script_determines_its_engine() {
        let of = |name: &str| engine_of(Path::new(name));
        assert_eq!((of("a.js"), of("a.post.js")), (Some(EngineKind::Mongodb), Some(EngineKind::Mongodb)));
        assert_eq!((of("a.cypher.gz"), of("a.post.cypher")), (Some(EngineKind::Neo4j), Some(EngineKind::Neo4j)));
        assert!(is_sql(Path::new("a.post.sql")) && of("a.sql.gz").is_none() && of("a.dump").is_none());
    }
}
