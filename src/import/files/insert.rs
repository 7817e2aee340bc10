//! Loads collections into a server of MongoDB: the portal reads the files and speaks to the server itself, so the image
//! needs no tool for it.

use futures::StreamExt;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::batch::DocumentsOut;
use super::collections;
use super::list::DumpFiles;
use crate::backup::engine_backup;
use crate::engine::ServerSpec;
use crate::engine::backup::{LoadForm, LoadPlan};
use crate::engine::documents::{Documents, RefusedDocuments};
use crate::import::dump_file::{DumpFile, LoadMeter, tell};
use crate::import::selection::LoadTarget;
use crate::manifest::dump::{Format, LoadFailure, LoadReport};
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::ExecPiece;
use crate::tasks;

/// Batches between reading and sending.
const WAITING: usize = 4;
/// Bytes of the relay's words that are kept.
const WORDS: usize = 4000;

/// Loads the documents of a dump as the user of the database. `files` is `None` if the dump is one file.
///
/// # Errors
/// If a file cannot be read, with its line, or the server ends the conversation.
pub(crate) async fn insert(
    w: &StepContext,
    (file, files): (DumpFile<'_>, Option<DumpFiles>),
    (id, plan): (&str, &ServerSpec<'_>),
    (password, target): (&SecretString, &LoadTarget),
) -> Result<LoadReport, StepError> {
    let (sender, batches) = mpsc::channel(WAITING);
    let refused = RefusedDocuments::default();
    let documents = Documents::new(batches, refused.clone());
    let out = DocumentsOut { sender, refused: refused.clone() };
    let form = LoadForm::Statements;
    let load = LoadPlan { form, password, lock: "", source: None, database: &target.database };
    let exec = engine_backup(plan.image.engine)?.load_documents(plan, &load, documents.clone());
    let exec = exec.ok_or_else(|| StepError::Fail(format!("{} stores no documents.", plan.image.engine.label())))?;
    let (meter, most, path, name) = (LoadMeter::default(), file.most, file.path.clone(), file.name.clone());
    let counted = meter.passed.clone();
    let reading = tasks::blocking(move || {
        let done = match &files {
            Some(files) => collections::send_all(files, most, &counted, &out),
            None => {
                let collection = collections::collection(&name).unwrap_or(&name);
                collections::send(&path, (&name, collection), most, &counted, &out)
            }
        };
        if let Err(why) = &done {
            // An incomplete input must not pass for the whole dump.
            let _ = out.sender.blocking_send(Err(why.clone()));
        }
        done
    });
    let loading = async {
        let mut words = Vec::new();
        let mut pieces = w.app.runtime.exec_stream(id, &exec, None).await?;
        loop {
            match pieces.next().await {
                Some(Ok(ExecPiece::Stderr(piece) | ExecPiece::Stdout(piece))) => {
                    let room = WORDS.saturating_sub(words.len());
                    words.extend(piece.iter().take(room));
                }
                Some(Ok(ExecPiece::Ended(code))) => return Ok((code, words)),
                Some(Err(e)) => return Err(StepError::Fail(e.to_string())),
                None => return Err(StepError::Fail("Loading the documents was interrupted.".to_owned())),
            }
        }
    };
    let ended: Result<(i64, Vec<u8>), StepError> = tokio::select! {
        ended = loading => ended,
        never = tell(w, &meter) => match never {},
    };
    // Ends the reader, if the server ended the conversation.
    documents.close().await;
    let read = reading.await.map_err(|e| StepError::Fail(format!("Reading the dump was interrupted: {e}.")))?;
    // A problem with a file explains more than the words of the conversation that it ended.
    let told = read.map_err(StepError::Fail)?;
    let (code, words) = ended?;
    if code != 0 {
        let words = String::from_utf8_lossy(&words);
        return Err(StepError::Fail(format!("The documents could not be loaded completely: {}", words.trim())));
    }
    let (failed, first) = refused.all();
    let failures = first.into_iter().map(|refused| LoadFailure {
        file: Some(refused.place.file.to_string()),
        line: Some(refused.place.line),
        text: refused.why,
        ..LoadFailure::default()
    });
    let failures = failures.collect();
    Ok(LoadReport { format: Some(Format::MongoFiles), failed, failures, told, ..LoadReport::default() })
}
