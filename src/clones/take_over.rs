//! Turns a copy of another database's data into an independent database. A server without network access recovers the copy,
//! switches off what could write to other servers, and replaces the passwords.

use secrecy::SecretString;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, copies};
use crate::app::App;
use crate::backup::restore::swap;
use crate::backup::server_handle::ServerHandle;
use crate::backup::{engine_backup, rights};
use crate::blueprint::password;
use crate::clones::fetch::Fetched;
use crate::engine::cut_off::found;
use crate::engine::{LOCKED_OUT, ServerSpec};
use crate::manifest::BackupSubject;
use crate::provision::exec::{printed, run_all};
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// The administrator's password in a snapshot.
pub(crate) fn admin_of(app: &App, snapshot: &Snapshot) -> Result<SecretString, StepError> {
    let sealed = snapshot.sealed.as_deref().unwrap_or_default();
    app.sealer.open(sealed, &Snapshot::context(snapshot.id)).map_err(|e| {
        StepError::Fail(format!("The portal's sealing key cannot decrypt the password of this snapshot: {e}."))
    })
}

/// Recovers the data in directory `id`, which came from `snapshot`, and gives it the passwords of clone `c`.
///
/// # Errors
/// If the data cannot be recovered, or somebody has more privileges in it than the owner of a database.
pub(super) async fn take_over(
    w: &StepContext,
    (c, id): (&Container, Uuid),
    snapshot: &Snapshot,
    fetched: Fetched,
) -> Result<(), StepError> {
    // A snapshot that was taken after the request may have waited until its database had another owner.
    if snapshot.frozen_at.is_some_and(|at| at > w.job.created_at) {
        let mut db = w.app.db.acquire().await?;
        let source = containers::by_id(&mut db, snapshot.container_id).await?;
        if source.is_some_and(|source| source.account_id != c.account_id) {
            return Err(StepError::Fail("The source of this clone belongs to somebody else now.".to_owned()));
        }
    }
    let there = admin_of(&w.app, snapshot)?;
    match take_over_with(w, (c, id), (snapshot, fetched), &there).await {
        // An earlier attempt may have been interrupted after the administrator had got its new password.
        Err(StepError::Fail(first)) if fetched == Fetched::MovedBefore => {
            let own = w.blueprint().await?.admin_password();
            match take_over_with(w, (c, id), (snapshot, fetched), &own).await {
                // It had not, so the first error is the one to report.
                Err(StepError::Fail(why)) if why.contains(LOCKED_OUT) => Err(StepError::Fail(first)),
                done => done,
            }
        }
        done => done,
    }
}

/// The sealed server on the data in directory `id`, in which the administrator has the password `there`.
async fn sealed(
    app: &App,
    (c, id): (&Container, Uuid),
    snapshot: &Snapshot,
    there: &SecretString,
) -> Result<SealedServer, StepError> {
    let there = AdminPassword::There(there.clone());
    let reference = app.config.image_reference(&snapshot.image);
    let digest = app.runtime.image(&reference).await?.map(|i| i.digest).unwrap_or_default();
    let of = BackupSubject { image: snapshot.image.clone(), digest, ..BackupSubject::new(c, "") };
    let sealed = SealedServer::of(app, &of, id, there).await?;
    if sealed.blueprint.dir == swap::dir(app, c, id)? {
        return Ok(sealed);
    }
    Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", c.storage)))
}

/// The same with the administrator's current password. The server is stopped cleanly at the end.
async fn take_over_with(
    w: &StepContext,
    (c, id): (&Container, Uuid),
    (snapshot, fetched): (&Snapshot, Fetched),
    there: &SecretString,
) -> Result<(), StepError> {
    let app = &w.app;
    let sealed = sealed(app, (c, id), snapshot, there).await?;
    let own = w.blueprint().await?.admin_password();
    let mut db = app.db.acquire().await?;
    let user = password(app, &mut db, c.id, CredentialKind::Clone).await?;
    drop(db);
    let user = user.ok_or_else(|| StepError::Fail("The password of this clone no longer exists.".to_owned()))?;
    let id = launch(w, &sealed).await?;
    nobody_gained(app, &sealed, &id).await?;
    // Recorded before anything is switched off: the data may be the only copy.
    let (plan, engine) = (sealed.blueprint.plan(), sealed.blueprint.image.engine.engine());
    let found = found(&printed(app, &id, &engine.to_cut_off(&plan)).await?);
    let mut db = app.db.acquire().await?;
    copies::note_cut_off(&mut db, snapshot.id, &found, fetched == Fetched::MovedBefore).await?;
    drop(db);
    run_all(app, &id, &engine.cut_off(&plan)).await?;
    w.progress("Setting new passwords").await;
    replace_passwords(app, &sealed, &id, there, (&own, &user)).await?;
    sealed.stop(app).await
}

async fn launch(w: &StepContext, sealed: &SealedServer) -> Result<String, StepError> {
    w.progress("Recovering the copy in an isolated server").await;
    sealed.launch(&w.app).await
}

/// Recovers a copy in a sealed server, and switches off what could write to other servers. Returns the engine's id of the
/// running server.
///
/// # Errors
/// As for [`take_over`].
pub(crate) async fn recover(w: &StepContext, sealed: &SealedServer) -> Result<String, StepError> {
    let id = launch(w, sealed).await?;
    cut_off(&w.app, sealed, &id).await?;
    Ok(id)
}

/// Switches off what could write to other servers in the data of a running sealed server.
///
/// # Errors
/// If somebody has more privileges in the data than the owner of a database.
pub(crate) async fn cut_off(app: &App, sealed: &SealedServer, id: &str) -> Result<(), StepError> {
    nobody_gained(app, sealed, id).await?;
    let kind = sealed.blueprint.image.engine;
    run_all(app, id, &kind.engine().cut_off(&sealed.blueprint.plan())).await
}

async fn nobody_gained(app: &App, sealed: &SealedServer, id: &str) -> Result<(), StepError> {
    let (spec, engine) = (sealed.blueprint.plan(), engine_backup(sealed.blueprint.image.engine)?);
    rights::nobody_gained(app, &ServerHandle { id, spec, engine }).await
}

/// Replaces the passwords in a recovered copy: `there` is the administrator's current one, and then come the new ones of
/// the administrator and of the user.
pub(crate) async fn replace_passwords(
    app: &App,
    sealed: &SealedServer,
    id: &str,
    there: &SecretString,
    (own, user): (&SecretString, &SecretString),
) -> Result<(), StepError> {
    let (plan, kind) = (sealed.blueprint.plan(), sealed.blueprint.image.engine);
    match engine_backup(kind)?.adopt(&plan, own) {
        Some(adopt) => {
            run_all(app, id, &kind.engine().accounts(&plan, user, false)).await?;
            run_all(app, id, &[adopt]).await
        }
        None => {
            let copied = ServerSpec { admin_password: own, seed_password: Some(there), ..plan };
            run_all(app, id, &kind.engine().accounts(&copied, user, false)).await
        }
    }
}
