//! Creates a database: from the accepted form to a server to which its owner can sign in.

use std::time::Duration;

use tokio::sync::watch;

use super::quota::tier_limit;
use super::{container, data_directory, initial_data, power, rotate_password, server};
use crate::admin_db::containers;
use crate::admin_db::containers::{Container, credentials};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::quantity::{ByteSize, MIB};
use crate::domain::state::Event;
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Resume, Step};
use crate::queue::step_error::StepError;
use crate::runtime::waiting_shell::WaitingShell;
use crate::storage::measured;

/// Minimum free space on a tier for a new database: an empty server with its write-ahead log, and some room to start
/// with.
const ROOM: i64 = 256 * MIB;

/// Creates a database.
pub static CREATE: Flow = Flow {
    kind: JobKind::Create,
    title: "Create database",
    rules: JobRules::of(Pool::Short).cancel(Cancel::Before(HAND_OVER.name)),
    steps: STEPS,
};

/// The steps of a database whose data is a copy, of a seed or of a template, or is initialised by the image.
pub(crate) const STEPS: &[Step] =
    &[CHECK_STORAGE, GET_IMAGE, PREPARE_DATA, MAKE_CONTAINER, START, WAIT, rotate_password::SET_UP_ACCESS, HAND_OVER];

// Steps shared with other flows that result in a new server.
/// Rejects a full tier.
pub(crate) const CHECK_STORAGE: Step = Step::new("Check the storage", |w| Box::pin(check_storage(w)));
/// Gets the image if it is not on this host.
pub(crate) const GET_IMAGE: Step = Step::new("Get the image", |w| Box::pin(get_image(w)));
/// Prepares the data directory of a new server.
pub(crate) const PREPARE_DATA: Step =
    Step::new("Prepare the data directory", |w| Box::pin(initial_data::prepare(w))).undo(|w| Box::pin(remove_data(w)));
/// Creates an empty data directory, for data from elsewhere.
pub(crate) const EMPTY_DATA: Step =
    Step::new(PREPARE_DATA.name, |w| Box::pin(empty_data(w))).undo(|w| Box::pin(remove_data(w)));
/// Creates the container.
pub(crate) const MAKE_CONTAINER: Step = Step::new("Create the container", |w| Box::pin(power::make(w)))
    .undo(|w| Box::pin(container::remove(w)))
    .resume(Resume::Copy);
/// Starts the server.
pub(crate) const START: Step =
    Step::new("Start the server", |w| Box::pin(container::start(w))).resume(Resume::Initialised);
/// Waits until the server answers.
pub(crate) const WAIT: Step =
    Step::new("Wait until the server responds", |w| Box::pin(wait(w))).resume(Resume::Starting);
/// Records that the database is ready.
pub(crate) const HAND_OVER: Step = Step::new("Finish setup", |w| Box::pin(hand_over(w))).resume(Resume::Running);

pub(crate) async fn check_storage(w: &StepContext) -> Result<(), StepError> {
    power::apply(w, Event::Provision).await?;
    let _c = w.container().await?;
    let b = w.blueprint().await?;
    let has = measured(b.tier.path.clone()).await?;
    if has.free < ROOM {
        return Err(StepError::Fail(format!(
            "The storage tier “{}” is full: {} free, {} needed for a new database. Choose another tier or ask an \
             administrator.",
            b.tier.label,
            ByteSize(has.free),
            ByteSize(ROOM)
        )));
    }
    tier_limit::check(&w.app, &b.tier, 0, "Choose another tier or ask an administrator.").await
}

pub(crate) async fn get_image(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let reference = w.app.config.image_reference(&c.image);
    let found = match w.app.runtime.image(&reference).await? {
        Some(found) => found,
        None => {
            pull(w, &reference).await?;
            let pulled = w.app.runtime.image(&reference).await?;
            pulled.ok_or_else(|| StepError::Retry(format!("{reference} was pulled but cannot be found.")))?
        }
    };
    let mut db = w.app.db.acquire().await?;
    containers::record::set_digest(&mut db, c.id, &found.digest).await?;
    drop(db);
    w.changed();
    refuse_full_directory(w).await
}

/// Runs before the step whose undo removes the directory, so that a directory this job did not create is kept. Runs
/// after the image was pulled, because a portal that is not root uses a helper container of it to look inside.
async fn refuse_full_directory(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let b = w.blueprint().await?;
    let made_before = container::find(&w.app, &c).await?.is_some();
    if !made_before && !w.app.files.is_empty(&b.dir, &b.reference).await? {
        return Err(StepError::Fail(format!(
            "The data directory {} is not empty. Nothing was changed.",
            b.dir.data().display()
        )));
    }
    Ok(())
}

/// Pulls the image and shows the progress twice a second.
pub(crate) async fn pull(w: &StepContext, reference: &str) -> Result<(), StepError> {
    let (sender, said) = watch::channel(format!("Pulling {reference}"));
    let tell = |line: String| {
        let _ = sender.send(format!("Pulling {reference}: {line}"));
    };
    let show = async {
        loop {
            let line = said.borrow().clone();
            w.progress(&line).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        done = w.app.runtime.pull(reference, &tell) => Ok(done?),
        () = show => Ok(()),
    }
}

async fn empty_data(w: &StepContext) -> Result<(), StepError> {
    let _c = w.container().await?;
    let b = w.blueprint().await?;
    data_directory::prepare(&w.app, &b).await
}

pub(crate) async fn remove_data(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    if c.started_at.is_some() {
        // The database was handed over before this job was interrupted: its data belongs to its owner now.
        return Ok(());
    }
    let b = w.blueprint().await?;
    w.app.files.remove(&b.dir, &b.reference).await?;
    let mut db = w.app.db.acquire().await?;
    credentials::take(&mut db, c.id, credentials::CredentialKind::Seed).await?;
    Ok(())
}

pub(crate) async fn wait(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    // Meanwhile, a shell starts for the next step.
    let (running, shell) =
        tokio::join!(server::running(w, &c, w.app.config.databases.create_timeout), shell_for_accounts(w, &c));
    let (found, version) = running?;
    if let Some(shell) = shell {
        w.app.shells.keep(&found.id, shell);
    }
    w.progress(&format!("Version {version}")).await;
    Ok(())
}

/// A shell that waits in the container to set up the accounts; `None` if they are set up, or if it cannot be started.
async fn shell_for_accounts(w: &StepContext, c: &Container) -> Option<WaitingShell> {
    let id = c.docker_id.as_deref().filter(|id| w.job.kind() == Some(CREATE.kind) && !w.has_accounts(id))?;
    let user = c.engine.engine().probe(&w.blueprint().await.ok()?.plan()).user;
    WaitingShell::open(w.app.runtime.as_ref(), id, user).await.ok()
}

pub(crate) async fn hand_over(w: &StepContext) -> Result<(), StepError> {
    power::up(w).await?;
    // Only after that has been committed, as `mark_shown` expects.
    let mut db = w.app.db.acquire().await?;
    Ok(credentials::forget_typed(&mut db, w.container_id()?).await?)
}
