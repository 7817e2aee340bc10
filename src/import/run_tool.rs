//! Streams a dump into a server through the tool of its own image, and collects the tool's messages.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::backup::engine_backup;
use crate::domain::stream_error::StreamError;
use crate::engine::ServerSpec;
use crate::engine::backup::{LoadForm, LoadPlan};
use crate::import::content::open_counted;
use crate::import::dump_file::{DumpFile, LoadMeter, tell};
use crate::import::files::insert::insert;
use crate::import::files::list::DumpFiles;
use crate::import::files::pg_directory;
use crate::import::files::script::Script;
use crate::import::report::OutputCollector;
use crate::import::scan::{CUT, is_whole};
use crate::import::selection::LoadTarget;
use crate::import::sql_dump::output::Out;
use crate::import::sql_dump::send::{LeftOut, SendOptions, send};
use crate::import::sql_dump::sent_statements::LoadProgress;
use crate::import::sql_dump::transactions::undone;
use crate::import::sql_dump::unknown_encoding::{ARCHIVE_AS_UTF8, archive};
use crate::manifest::dump::{Dump, Format, LoadFailure, LoadReport};
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::{ExecPiece, Input};
use crate::sql::to_mariadb::{DatabasePlaces, LastMoment, RewriteRules, StatementScope};
use crate::tasks;

/// Timeout for a tool without output: it creates an index on a large table without printing anything.
const SILENCE: Duration = Duration::from_secs(6 * 3600);
/// Maximum number of chunks of 64 KiB between reading and sending.
const WAITING: usize = 16;

/// The content of a dump.
enum DumpSource {
    /// One file.
    File(PathBuf),
    /// Files with statements.
    Script(Box<Script>),
    /// Files for a tool that reads a directory.
    Directory(DumpFiles),
}

/// Runs the tool that loads a dump in the container `id`, and reports the failures from its output.
pub(crate) async fn pour(
    w: &StepContext,
    file: DumpFile<'_>,
    (id, plan): (&str, &ServerSpec<'_>),
    (password, target, places): (&SecretString, &LoadTarget, &DatabasePlaces),
) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let engine = engine_backup(plan.image.engine)?;
    let files = file.files().await?;
    if file.dump.format == Format::MongoFiles {
        return insert(w, (file, files), (id, plan), (password, target)).await;
    }
    let missing = plan.tools.missing(engine.load_tools());
    if !missing.is_empty() {
        return Err(StepError::Fail(format!(
            "The image lacks {}, so the dump cannot be loaded here. Create an empty database and load the dump from \
             your own computer, using the connection details on the database's page.",
            missing.join(" or ")
        )));
    }
    // The author of the dump cannot know this word, so nothing in the dump can unlock the client's commands.
    let lock = hex::encode(app.random.bytes::<16>());
    let DumpFile { dump, path, most, .. } = file;
    let (form, spoken) = match dump.format {
        Format::PgDirectory => (LoadForm::Directory, Format::PgCustom),
        Format::MariaDirectory => (LoadForm::Statements, Format::MariaSql),
        Format::PgCustom => (LoadForm::Archive, Format::PgCustom),
        format => (LoadForm::Statements, format),
    };
    let source = Some(target.source.as_str()).filter(|s| !s.is_empty());
    let load = LoadPlan { form, password, lock: &lock, source, database: &target.database };
    let exec = engine.load(plan, &load);
    let (progress, mut meter) = (Arc::new(LoadProgress::default()), LoadMeter::default());
    let content = dump_source(files, form, (path, &target.source, most), &mut meter).await?;
    let lines = if let DumpSource::Script(script) = &content { Some(script.places()) } else { None };
    let reading = DumpReader { most, content, meter: meter.clone() };
    let rules = (spoken == Format::MariaSql).then(|| RewriteRules {
        account: (plan.dbuser.to_string(), "%".to_owned()),
        collations: true,
        pass: StatementScope::All,
        places: places.clone(),
        last_moment: Some(LastMoment::of(&plan.image.version)),
    });
    let what = dump.format.dialect().map(|dialect| SendOptions {
        dialect,
        source: target.source.clone(),
        lock: lock.clone(),
        rules,
    });
    let (input, reading) = reading.begin(dump.clone(), what, progress.clone());
    let mut collector = OutputCollector::new(spoken, &progress);
    let loading = async {
        let mut pieces = app.runtime.exec_stream(id, &exec, Some(input)).await?;
        loop {
            let piece = tokio::time::timeout(SILENCE, pieces.next()).await;
            match piece
                .map_err(|_| StepError::Fail("The tool that loads the dump produced no output for hours.".to_owned()))?
            {
                Some(Ok(ExecPiece::Stderr(piece))) => collector.take(&piece),
                Some(Ok(ExecPiece::Stdout(_))) => {}
                Some(Ok(ExecPiece::Ended(code))) => return Ok(code),
                Some(Err(e)) => return Err(StepError::Fail(e.to_string())),
                None => return Err(StepError::Fail("The tool that loads the dump was interrupted.".to_owned())),
            }
        }
    };
    let code = tokio::select! {
        code = loading => code,
        never = tell(w, &meter) => match never {},
    };
    progress.end();
    let code = code?;
    // A problem with the file explains more than the tool's messages about it.
    let left_out = reading
        .await
        .map_err(|e| StepError::Fail(format!("Reading the dump was interrupted: {e}.")))?
        .map_err(StepError::Fail)?;
    let (mut report, words) = collector.done();
    report.format = Some(dump.format);
    report.told.extend(undone(&left_out.transactions, &report.failures));
    if let Some(lines) = lines {
        report.failures.iter_mut().for_each(|failure| lines.resolve(failure));
    }
    report.told.extend(left_out.told);
    if left_out.count > 0 {
        let (count, first) = (left_out.count, left_out.first.join("; "));
        let what = if count == 1 { "1 statement".to_owned() } else { format!("{count} statements") };
        report.told.push(format!(
            "Skipped because they apply to the whole server (roles, owners, databases): {what}. \
                                  {first}"
        ));
    }
    if engine.loaded(code, &words) {
        return Ok(report);
    }
    let first = report.failures.first().map(LoadFailure::sentence).unwrap_or_default();
    let said = [first.as_str(), words.trim()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    Err(StepError::Fail(format!("The dump could not be loaded completely: {said}")))
}

/// The content of a dump, which `meter` measures.
async fn dump_source(
    files: Option<DumpFiles>,
    form: LoadForm,
    (path, database, most): (PathBuf, &str, u64),
    meter: &mut LoadMeter,
) -> Result<DumpSource, StepError> {
    Ok(match files {
        Some(files) if form == LoadForm::Directory => {
            meter.total = files.members.iter().map(|(_, bytes)| bytes).sum();
            meter.read = meter.passed.clone();
            DumpSource::Directory(files)
        }
        Some(files) => {
            let script = Script::new(&files, database, most, meter.passed.clone()).map_err(StepError::Fail)?;
            DumpSource::Script(Box::new(script))
        }
        None => {
            meter.total = tokio::fs::metadata(&path).await.map_or(0, |about| about.len());
            DumpSource::File(path)
        }
    })
}

/// Reads a dump's file and sends its content.
struct DumpReader {
    content: DumpSource,
    most: u64,
    meter: LoadMeter,
}

impl DumpReader {
    /// Starts reading. Returns the decompressed dump as the input of a tool, and the result of reading.
    fn begin(
        self,
        dump: Dump,
        what: Option<SendOptions>,
        progress: Arc<LoadProgress>,
    ) -> (Input, JoinHandle<Result<LeftOut, String>>) {
        let (out, pieces) = mpsc::channel::<Result<Bytes, String>>(WAITING);
        let reading = tasks::blocking(move || {
            let done = self.pump(&dump, what.as_ref(), &progress, &out);
            if let Err(why) = &done {
                // The tool must not take an incomplete input for the whole dump.
                let _ = out.blocking_send(Err(why.clone()));
            }
            done
        });
        let pieces = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|p| (p, pieces)) });
        (pieces.map(|piece| piece.map_err(StreamError::refused)).boxed(), reading)
    }

    fn pump(
        self,
        dump: &Dump,
        what: Option<&SendOptions>,
        progress: &LoadProgress,
        out: &Out,
    ) -> Result<LeftOut, String> {
        let cut = |e: std::io::Error| {
            format!("The dump cannot be read to the end: {e}. It may be truncated: create it again.")
        };
        let file = match (self.content, what) {
            (DumpSource::File(file), _) => file,
            (DumpSource::Script(script), Some(what)) => return send(script, what, progress, out),
            (DumpSource::Directory(files), _) => {
                return pg_directory::send(&files, self.most, &self.meter.passed, out).map(of_archive);
            }
            (DumpSource::Script(_), None) => return Err("Its format is unknown.".to_owned()),
        };
        let counters = (self.meter.passed, self.meter.read);
        let content = open_counted(&file, dump.packing, what.is_some(), self.most, counters).map_err(cut)?;
        let left_out = match what {
            Some(what) => send(content.from, what, progress, out)?,
            None if dump.format == Format::PgCustom => {
                let (changed, from) = archive(content.from).map_err(cut)?;
                copy(from, out).map_err(cut)?;
                of_archive(changed)
            }
            None => {
                copy(content.from, out).map_err(cut)?;
                LeftOut::default()
            }
        };
        if dump.says_its_end && !out.is_closed() && !is_whole(&content.tail, content.encoding) {
            return Err(CUT.to_owned());
        }
        Ok(left_out)
    }
}

/// What the report says about an archive of `pg_dump`. `changed`: its encoding was replaced.
fn of_archive(changed: bool) -> LeftOut {
    LeftOut { told: changed.then(|| ARCHIVE_AS_UTF8.to_owned()).into_iter().collect(), ..LeftOut::default() }
}

/// Sends the content of `from` unchanged.
fn copy(mut from: impl Read, out: &Out) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut piece)?;
        let Some(read) = piece.get(..n).filter(|r| !r.is_empty()) else { return Ok(()) };
        if out.blocking_send(Ok(Bytes::copy_from_slice(read))).is_err() {
            // The tool has exited; its messages give the reason.
            return Ok(());
        }
    }
}
