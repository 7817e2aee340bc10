//! The flow that creates a database from a dump for engines that load dumps while their server is stopped. The dump is
//! loaded into the new data directory and verified by the engine's own check. Only then a server starts on it, whose
//! accounts are set up as in any new database.

use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use crate::backup::engine_backup;
use crate::backup::pipeline::transfer::run;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::import::load::{CHECK_STORAGE, count, forget, keep, path, row, uploaded, wanted, within};
use crate::import::run_tool::pour;
use crate::manifest::BackupSubject;
use crate::manifest::dump::LoadReport;
use crate::provision::container::running;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::server::tools_in;
use crate::provision::{create, rotate_password};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;
use crate::sql::to_mariadb::DatabasePlaces;

/// Creates a database from a dump that is loaded before the server starts.
pub static LOAD_STOPPED: Flow = Flow {
    kind: JobKind::LoadStopped,
    title: "Create database from a dump",
    rules: JobRules::of(Pool::Load).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        CHECK_STORAGE,
        create::GET_IMAGE,
        create::EMPTY_DATA,
        Step::new("Load the dump", |w| Box::pin(load(w))).undo(|w| Box::pin(unseal(w))),
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        rotate_password::SET_UP_ACCESS,
        Step::new("Count what was loaded", |w| Box::pin(look(w))),
        create::HAND_OVER,
    ],
};

async fn sealed(w: &StepContext) -> Result<SealedServer, StepError> {
    let c = w.container().await?;
    let of = BackupSubject::new(&c, c.image_digest.as_deref().unwrap_or_default());
    SealedServer::of(&w.app, &of, c.id, AdminPassword::New).await
}

/// Removes the container in which the dump was loaded; the data directory has its own undo.
async fn unseal(w: &StepContext) -> Result<(), StepError> {
    sealed(w).await?.remove_container(&w.app).await
}

/// Loads the dump into the data directory, overwriting what an interrupted attempt left there.
async fn load(w: &StepContext) -> Result<(), StepError> {
    Box::pin(within(w, fill(w))).await
}

async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (app, row, c) = (&w.app, row(w).await?, w.container().await?);
    let own = w.blueprint().await?;
    let first = sealed(w).await?;
    if first.blueprint.dir != own.dir {
        return Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", c.storage)));
    }
    let id = first.hold(app, true).await?;
    // The tools of an image that was never used before are unknown until now.
    tools_in(app, c.engine, c.image_digest.as_deref().unwrap_or_default(), &id).await?;
    let sealed = sealed(w).await?;
    let (plan, dump) = (sealed.blueprint.plan(), row.dump());
    for target in wanted(&row, plan.dbname.as_str()) {
        let file = uploaded(w, &row, (&dump, path(w, &row)?))?;
        pour(w, file, (&id, &plan), (&SecretString::default(), &target, &DatabasePlaces::default())).await?;
    }
    w.progress("Checking what was loaded").await;
    let check = engine_backup(c.engine)?.check(&plan, plan.dbname.as_str());
    run(app.runtime.as_ref(), &id, &check, None, &AtomicU64::new(0)).await.map_err(|e| {
        StepError::Fail(format!(
            "{e}\nThe dump may be damaged, or from a version or edition whose data this server cannot read."
        ))
    })?;
    sealed.remove_container(app).await
}

async fn look(w: &StepContext) -> Result<(), StepError> {
    let (app, row, c) = (&w.app, row(w).await?, w.container().await?);
    if row.report.is_some() {
        return forget(w).await;
    }
    let blueprint = w.blueprint().await?;
    let id = running(app, &c).await?;
    let mut report = LoadReport { format: Some(row.dump().format), told: row.told.0.clone(), ..LoadReport::default() };
    let places = [c.dbname.clone()];
    count(app, (&id, &blueprint.plan()), engine_backup(c.engine)?, &places, &mut report).await?;
    keep(w, &row, &report).await
}
