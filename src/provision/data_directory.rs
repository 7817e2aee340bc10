//! The data directory of a container: prepared, and checked before a server uses it.

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::queue::step_error::StepError;
use crate::storage::{DataDir, SmallFile};

/// Prepares the data directory, or finds it prepared, with a note next to it about what it is for.
pub async fn prepare(app: &App, b: &Blueprint) -> Result<(), StepError> {
    app.files.prepare(&b.dir, &b.reference, b.image.uid, b.image.gid).await?;
    note_maker(&b.dir, &b.image).await
}

/// Records next to a data directory which server wrote it, unless that is already recorded.
pub(crate) async fn note_maker(dir: &DataDir, image: &CatalogImage) -> Result<(), StepError> {
    Ok(dir.note_maker(&maker(image)).await?)
}

/// Fails before a server opens data of another version, or initialises a directory that contained data before: if that
/// is empty, a disk is not mounted, and the database is not empty.
///
/// # Errors
/// [`StepError::Fail`] with what was found.
pub(super) async fn refuse_foreign_data(app: &App, c: &Container, b: &Blueprint) -> Result<(), StepError> {
    let wrong = |found: &str, expected: &str| {
        StepError::Fail(format!(
            "The data directory was written by {found}, but the image is {expected}. Nothing was changed."
        ))
    };
    // The portal's own note next to the data, which every engine has …
    let (made_by, expected) = (b.dir.made_by().await?, maker(&b.image));
    if let Some(found) = made_by.as_deref().filter(|found| *found != expected) {
        return Err(wrong(found, &expected));
    }
    // … and the server's own version file in it, if there is one, which also identifies data that was copied in
    // manually.
    let written = c.engine.engine().version_file(&b.image);
    let found = match &written {
        Some(written) => app.files.first_line(&b.dir, &written.files, &b.reference).await?,
        None => SmallFile::Missing,
    };
    if let Some(expected) = &written {
        match &found {
            SmallFile::Line(line) if expected.agrees(line) => {}
            SmallFile::Line(line) if is_version(line) => {
                return Err(wrong(&format!("version {}", line.trim()), &format!("version {}", expected.version)));
            }
            SmallFile::Missing => {}
            SmallFile::Line(_) | SmallFile::Odd => {
                let file = expected.files.join(" or ");
                return Err(StepError::Fail(format!(
                    "The file {file} was not written by a database server. Nothing was changed."
                )));
            }
        }
    }
    let there = match written {
        Some(_) => found != SmallFile::Missing,
        None => c.started_at.is_none() || !app.files.is_empty(&b.dir, &b.reference).await?,
    };
    if c.started_at.is_some() && !there {
        return Err(StepError::Fail(format!(
            "The data of this database is not in {}. Is its disk mounted? Nothing was changed.",
            b.dir.data().display()
        )));
    }
    Ok(())
}

/// Whether a line may be quoted in a message: other content of the file is the owner's.
fn is_version(line: &str) -> bool {
    let line = line.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-+_~:".contains(c);
    line.len() <= 40 && line.starts_with(|c: char| c.is_ascii_digit()) && line.chars().all(allowed)
}

/// Engine and version, as noted next to a data directory.
fn maker(image: &CatalogImage) -> String {
    format!("{} {}", image.engine.label(), image.version)
}
