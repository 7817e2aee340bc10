//! Puts uploaded dumps in the directory of dumps, where they are the sources of templates like any other.

use std::path::Path;

use crate::app::App;
use crate::domain::names::TemplateName;
use crate::import::staging::Staging;
use crate::manifest::dump::Dump;
use crate::queue::refusal::RequestError;
use crate::templates::directory;
use crate::templates::directory::{DumpFile, SMALLEST};

/// Copies a received dump to the directory of dumps, under the name of its template. It appears there when it is complete.
/// `sent_as` is the name of the file that was sent.
///
/// # Errors
/// [`RequestError::Template`] if there is a dump for this template already, or the file cannot be written.
pub async fn keep(
    app: &App,
    name: &TemplateName,
    staging: &Staging,
    (dump, sent_as): (&Dump, &str),
) -> Result<DumpFile, RequestError> {
    let dir = &app.config.templates.dumps;
    let file = format!("{name}{}", directory::ending(sent_as, dump.format));
    let refused = |why: String| RequestError::Template(why);
    if staging.bytes <= SMALLEST {
        return Err(refused(format!("The file has only {} bytes, so it is not a dump.", staging.bytes)));
    }
    if directory::is_hook(&file) {
        return Err(refused("Choose another name: this one is that of a script.".to_owned()));
    }
    let failed = |e: std::io::Error| refused(format!("The dump cannot be stored in {}: {e}.", dir.display()));
    tokio::fs::create_dir_all(dir).await.map_err(failed)?;
    let listing = directory::list(dir).await.map_err(refused)?;
    if let Some(other) = listing.dumps.iter().find(|other| other.template == *name) {
        return Err(refused(format!("The directory of dumps already contains {} for this template.", other.file)));
    }
    // Hidden files are ignored until they are complete.
    let partial = dir.join(format!(".{file}.{}", staging.id));
    let done = place(staging.path(), &partial, &dir.join(&file)).await;
    let _ = tokio::fs::remove_file(&partial).await;
    done.map_err(failed)?;
    Ok(DumpFile { template: name.clone(), file, engine: Some(dump.format.engine()) })
}

/// Copies a file by way of `partial`. An existing file is not replaced.
async fn place(from: &Path, partial: &Path, to: &Path) -> std::io::Result<()> {
    tokio::fs::copy(from, partial).await?;
    tokio::fs::File::open(partial).await?.sync_all().await?;
    tokio::fs::hard_link(partial, to).await
}

/// Removes a dump that was kept for a template that could not be created.
pub async fn discard(app: &App, dump: &DumpFile) {
    let _ = tokio::fs::remove_file(app.config.templates.dumps.join(&dump.file)).await;
}
