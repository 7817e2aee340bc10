//! Imports a version of a template from a snapshot of a database.

use uuid::Uuid;

use crate::admin_db::containers::snapshots;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::templates::versions::{SourceFacts, TemplateVersion};
use crate::admin_db::templates::{Template, versions};
use crate::clones::fetch::copy;
use crate::clones::snapshot::failure;
use crate::clones::take_over::{admin_of, recover, replace_passwords};
use crate::domain::password::Password;
use crate::domain::quantity::ByteSize;
use crate::manifest::dump::LoadReport;
use crate::provision::data_directory;
use crate::provision::sealed_server::SealedServer;
use crate::provision::server::tools_in;
use crate::queue::context::StepContext;
use crate::queue::requester::lost;
use crate::queue::step_error::StepError;
use crate::templates::fill::{complete, format_of, whole_database};
use crate::templates::hook;
use crate::templates::source::hook_sha256;

/// The complete snapshot with this id.
pub(super) async fn snapshot(w: &StepContext, id: Uuid) -> Result<Snapshot, StepError> {
    let mut db = w.app.db.acquire().await?;
    match snapshots::by_id(&mut db, id).await?.filter(|s| s.made_at.is_some()) {
        Some(snapshot) => Ok(snapshot),
        None => {
            let why = failure(&mut db, id).await?;
            Err(StepError::Fail(format!("No snapshot of the database could be taken.{why}")))
        }
    }
}

/// Records what is imported.
pub(super) async fn read(w: &StepContext, t: &Template, v: &TemplateVersion, id: Uuid) -> Result<(), StepError> {
    let (app, snapshot) = (&w.app, snapshot(w, id).await?);
    // It may have been taken for another request too, which waited until the database had another owner.
    if snapshot.frozen_at.is_some_and(|at| at > w.job.created_at)
        && let Some(why) = lost(w, snapshot.container_id).await?
    {
        return Err(StepError::Fail(why));
    }
    let at = snapshot.as_of();
    let hook_sha256 = hook_sha256(hook::of(w, t).await?).await?;
    let bytes = snapshot.bytes.unwrap_or(0);
    let facts = SourceFacts { bytes, mtime: at, sha256: String::new(), hook_sha256 };
    let mut db = app.db.acquire().await?;
    versions::set_source(&mut db, v.id, &facts, app.clock.now()).await?;
    drop(db);
    w.progress(&format!("{}, as of {}", ByteSize(bytes), at.format("%Y-%m-%d %H:%M:%S UTC"))).await;
    Ok(())
}

/// Copies the snapshot to the empty directory of `sealed`, replaces the passwords in it, runs the script of the template and
/// stops the server cleanly.
///
/// # Errors
/// If it cannot be copied or recovered, or a statement of the script fails.
pub(super) async fn fill(
    w: &StepContext,
    (t, v): (&Template, &TemplateVersion),
    snapshot: &Snapshot,
    sealed: &mut SealedServer,
) -> Result<LoadReport, StepError> {
    let (app, kind) = (&w.app, sealed.blueprint.image.engine);
    // An interrupted attempt may have changed the passwords in the data, so each attempt starts with a new copy.
    sealed.remove(app).await?;
    data_directory::prepare(app, &sealed.blueprint).await?;
    copy(w, snapshot, &sealed.blueprint.dir, &sealed.blueprint).await?;
    let own = Password::generate(&app.random).secret().clone();
    // Nobody needs it later: each copy gets its own password.
    let user = Password::generate(&app.random).secret().clone();
    let id = recover(w, sealed).await?;
    replace_passwords(app, sealed, &id, &admin_of(app, snapshot)?, (&own, &user)).await?;
    sealed.blueprint.begins_with(own);
    if let Some(tools) = tools_in(app, kind, &v.digest, &id).await? {
        sealed.blueprint.set_tools(tools);
    }
    let target = whole_database(sealed.blueprint.plan().dbname.as_str());
    let mut report = LoadReport { format: Some(format_of(kind)), ..LoadReport::default() };
    let hook = hook::of(w, t).await?;
    complete(w, sealed, &id, hook.as_deref(), (&user, vec![target]), &mut report).await?;
    Ok(report)
}
