//! The script that administrators keep beside the dumps, `NAME.post.sql`, `.post.js` or `.post.cypher`: it runs in a version
//! of the template NAME before that version is complete.

use std::path::PathBuf;

use crate::admin_db::people::ownership;
use crate::admin_db::templates::Template;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::templates::directory;

/// The script of a template that is not made from a file of the directory.
///
/// # Errors
/// [`StepError::Fail`] if the template belongs to a researcher: whoever can read the data after the script has run, or its
/// messages, can read the script. Leaving it out instead would publish what it is meant to remove.
pub(super) async fn of(w: &StepContext, t: &Template) -> Result<Option<PathBuf>, StepError> {
    let Some(path) = directory::hook_named(&w.app.config.templates.dumps, &t.name).await else { return Ok(None) };
    let mut db = w.app.db.acquire().await?;
    if t.is_personal() && ownership::is_researcher(&mut db, &t.created_by).await? {
        return Err(StepError::Fail(format!(
            "An administrator keeps a script for templates named “{}”, which runs only in templates that an \
             administrator created. Rename this template, or ask an administrator to create it.",
            t.name
        )));
    }
    Ok(Some(path))
}
