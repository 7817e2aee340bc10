//! A new password for the user's role, made up by the portal and shown once.

use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

use super::{container, power, seed};
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::admin_db::containers::{Container, credentials, states};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::blueprint::password;
use crate::domain::job_kind::JobKind;
use crate::domain::password::Password;
use crate::domain::state::ContainerState;
use crate::domain::work::{Blame, JobRules, Pool};
use crate::provision::exec::{ask, run_all};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::{Flow, Resume, Step};
use crate::queue::give_way;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// How long the server may take to count its sessions.
const LOOK: Duration = Duration::from_secs(20);

/// New password.
pub static ROTATE: Flow = Flow {
    kind: JobKind::RotatePassword,
    title: "Set new password",
    rules: JobRules::of(Pool::Short).blame(Blame::Nobody),
    steps: &[
        Step::new("Wait until the server responds", |w| Box::pin(power::wait(w))).resume(Resume::Running),
        Step::new("Set the new password", |w| Box::pin(set(w))).undo(|w| Box::pin(forget(w))).resume(Resume::Answering),
        Step::new("Check for open sessions", |w| Box::pin(note_sessions(w))),
    ],
};

/// Makes up a password, seals it and enqueues the job that sets it, in one transaction.
///
/// # Errors
/// [`RequestError`], with nothing written.
pub async fn rotate(app: &App, c: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let password = Password::generate(&app.random);
    let sealed = app.sealer.seal(password.secret(), &CredentialKind::User.context(c.id))?;
    let credential = Credential { username: c.dbuser.clone(), sealed, generated: true };
    give_way::cancel_backup(app, c, actor).await?;
    let mut tx = app.db.begin().await?;
    match states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)? {
        ContainerState::Running => {}
        state => return Err(RequestError::State(state)),
    }
    credentials::take(&mut tx, c.id, CredentialKind::User).await?;
    credentials::insert(&mut tx, c.id, CredentialKind::User, &credential, app.clock.now()).await?;
    let job = enqueue(app, &mut tx, &ROTATE, (c.id, &c.name), actor, "requested").await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Sets the sealed password in the server: the same statements that made the role find it made.
pub(crate) async fn set(w: &StepContext) -> Result<(), StepError> {
    // What its owner has removed since must not come back with a new password.
    set_up(w, w.job.kind() != Some(ROTATE.kind)).await
}

/// The same where the owner's data is back already: nothing but the password is set.
pub(crate) async fn set_password(w: &StepContext) -> Result<(), StepError> {
    set_up(w, false).await
}

async fn set_up(w: &StepContext, extensions: bool) -> Result<(), StepError> {
    let c = w.container().await?;
    let mut b = (*w.blueprint().await?).clone();
    if !extensions {
        b.extensions.clear();
    }
    let password = user_password(w, &c).await?;
    let found = container::find(&w.app, &c).await?;
    let id = found.ok_or_else(|| StepError::Retry("The container no longer exists.".to_owned()))?.id;
    run_all(&w.app, &id, &c.engine.engine().accounts(&b.plan(), &password)).await?;
    seed::settle(w).await
}

/// Says how many sessions go on that were signed in with the old password: no server ends those by itself.
async fn note_sessions(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let b = w.blueprint().await?;
    let Some(found) = container::find(&w.app, &c).await? else { return Ok(()) };
    let count = match ask(&w.app, &found.id, &c.engine.engine().sessions(&b.plan()), LOOK).await {
        Ok(said) if said.code == 0 => said.stdout.trim().parse::<u64>().ok(),
        // Not worth failing for: the password is set.
        _ => None,
    };
    let sentence = match count {
        Some(0) => "No sessions are open.".to_owned(),
        Some(1) => "1 open session continues with the old password until it ends; a restart ends it.".to_owned(),
        Some(n) => format!("{n} open sessions continue with the old password until they end; a restart ends them."),
        None => "The server did not report how many sessions are open. A restart ends all of them.".to_owned(),
    };
    w.progress(&sentence).await;
    Ok(())
}

pub(crate) async fn user_password(w: &StepContext, c: &Container) -> Result<SecretString, StepError> {
    let mut db = w.app.db.acquire().await?;
    password(&w.app, &mut db, c.id, CredentialKind::User).await?.ok_or_else(|| {
        StepError::Fail("The password to set no longer exists. Delete this database and create it again.".to_owned())
    })
}

/// A password that could not be set must not be shown as if it were.
async fn forget(w: &StepContext) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    credentials::take(&mut db, w.container_id()?, CredentialKind::User).await?;
    Ok(())
}
