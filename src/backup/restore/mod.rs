//! Restore into a new container: made like any other, then filled from the store and compared with the manifest.

pub mod in_place;
pub mod offline;
pub mod partial;
pub mod recover;
pub mod request_in_place;
mod resources;
pub mod source;
pub mod upgrade;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::backup::dump::store_parts::tell;
use crate::backup::pipeline::reports::Reports;
use crate::backup::pipeline::rewrite::through;
use crate::backup::pipeline::transfer::From;
use crate::backup::pipeline::{peek, transfer};
use crate::backup::restore::resources::{explain_full_tier, is_resource_failure};
use crate::backup::restore::source::{Source, present};
use crate::backup::server::Server;
use crate::backup::{compare, describes, kept};
use crate::domain::work::{Cancel, Pool, Rules};
use crate::engine::part::When;
use crate::engine::partial::{Read, Stage};
use crate::manifest::{Manifest, Object};
use crate::objects::Store;
use crate::provision::blueprint::Blueprint;
use crate::provision::container::find;
use crate::provision::exec::run_all;
use crate::provision::sealed_server::{Admin, ThrowAway};
use crate::provision::{blueprint, create, power, rotate};
use crate::queue::flow::{Flow, Step, StepError, Work};

/// Finds the backup, and says from when it is.
const FIND_BACKUP: Step = Step { name: "Find the backup", run: |w| Box::pin(look(w)), undo: None };

/// Restore into a new database.
pub static RESTORE: Flow = Flow {
    kind: "restore",
    title: "Restore into a new database",
    rules: Rules::of(Pool::Long).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        FIND_BACKUP,
        create::CHECK_STORAGE,
        create::GET_IMAGE,
        create::PREPARE_DATA,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        Step { name: "Set up your database and user", run: |w| Box::pin(rotate::set(w)), undo: None },
        Step { name: "Bring the data back", run: |w| Box::pin(fill(w)), undo: None },
        Step { name: "Compare it with the backup", run: |w| Box::pin(match_backup(w)), undo: None },
        // The roles came back with the passwords of then.
        Step { name: "Set the new password", run: |w| Box::pin(rotate::set_password(w)), undo: None },
        create::HAND_OVER,
    ],
};

/// Runs a command with what it reads of an object; once more with each copy of it, while a store gives it not at all, not
/// whole or damaged: these commands begin anew with what an attempt before them left.
///
/// # Errors
/// If the object can't be read or is damaged in every store, or the command fails.
pub(super) async fn begin_stage(
    app: &App,
    source: &Source<'_>,
    object: &Object,
    id: &str,
    stage: &Stage,
    passed: &Arc<AtomicU64>,
) -> Result<Reports, StepError> {
    let mut done = stage_from(app, source, source.store, object, id, stage, passed).await;
    let mut waits = None;
    for other in &source.others {
        match done {
            Err(why @ StepError::Store(_)) => {
                source.takes(other, &why);
                waits = waits.or(Some(why).filter(StepError::may_pass));
            }
            done => return done,
        }
        done = stage_from(app, source, other, object, id, stage, passed).await;
    }
    match (done, waits) {
        // None has it now, but one may have it later.
        (Err(StepError::Store(_)), Some(why)) => Err(why),
        (done, _) => done,
    }
}

async fn stage_from(
    app: &App,
    source: &Source<'_>,
    store: &Arc<Store>,
    object: &Object,
    id: &str,
    stage: &Stage,
    passed: &Arc<AtomicU64>,
) -> Result<Reports, StepError> {
    let (runtime, key) = (app.runtime.as_ref(), source.key(&object.file));
    let from = From { store, key: &key, object, keys: &source.keys };
    let input = match stage.read {
        Read::Beginning => return peek::run(runtime, &from, id, &stage.exec).await,
        Read::Nothing => return transfer::run(runtime, id, &stage.exec, None, &AtomicU64::new(0)).await,
        Read::All => transfer::fetch(&from, passed.clone()).await?,
    };
    // A word that whoever wrote the dump can't know.
    let token = format!("${}", hex::encode(app.random.bytes::<6>()));
    let (input, changes) = through(input, &stage.through, &token);
    let mut reports = transfer::run(runtime, id, &stage.exec, Some(input), &AtomicU64::new(0)).await?;
    reports.changed = changes.await;
    Ok(reports)
}

/// Removes from a server what came with the wanted part of a backup but does not belong to it.
async fn keep_only(app: &App, manifest: &Manifest, server: &Server<'_>) -> Result<(), StepError> {
    let Some(wanted) = &manifest.wanted else { return Ok(()) };
    let Some(exec) = server.describes.keep_only(&server.plan, &wanted.only, &wanted.others) else { return Ok(()) };
    transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await.map(|_| ())
}

/// Puts all that is wanted of a backup into a server. The source notes what was changed on the way, and what could not be
/// put back.
///
/// # Errors
/// If one can't be read, is damaged, or the server does not take it.
pub async fn into(
    app: &App,
    source: &Source<'_>,
    server: &Server<'_>,
    passed: &Arc<AtomicU64>,
) -> Result<(), StepError> {
    // A second attempt knows databases, not tables.
    let whole = source.manifest.wanted.as_ref().is_none_or(|w| w.only.table.is_none());
    match strictly(app, source, server, passed).await {
        Err(StepError::Fail(why)) if whole => second_attempt(app, source, server, passed, why).await?,
        done => done?,
    }
    if server.describes.moves() == When::Running {
        keep_only(app, &source.manifest, server).await?;
    }
    if let Some(exec) = server.describes.settle(&server.plan) {
        let said = transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
        said.notes.into_iter().for_each(|note| source.leave_out(note));
    }
    Ok(())
}

/// The first attempt: every fault ends it.
async fn strictly(
    app: &App,
    source: &Source<'_>,
    server: &Server<'_>,
    passed: &Arc<AtomicU64>,
) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let (plan, part) = (&server.plan, object.part());
        let stages = match &source.manifest.wanted {
            None => server.describes.restore_stages(plan, &part),
            Some(wanted) => server.describes.restore_only(plan, &part, &wanted.only),
        };
        for stage in stages {
            let said = begin_stage(app, source, object, server.id, &stage, passed).await?;
            said.notes.into_iter().chain(said.changed).for_each(|note| source.change(note));
        }
    }
    Ok(())
}

/// The second attempt, where the engine has one: what can be put back is, and all else is told.
async fn second_attempt(
    app: &App,
    source: &Source<'_>,
    server: &Server<'_>,
    passed: &Arc<AtomicU64>,
    why: String,
) -> Result<(), StepError> {
    if is_resource_failure(&why) {
        return Err(StepError::Fail(why));
    }
    let objects = &source.manifest.objects;
    let parts: Vec<_> = objects.iter().map(Object::part).collect();
    let stages =
        server.describes.second_attempt(&server.plan, &parts, source.manifest.wanted.as_ref().map(|w| &w.only));
    if stages.is_empty() {
        return Err(StepError::Fail(why));
    }
    tracing::info!(backup = %source.manifest.backup, "A strict restore failed, so a second one puts back what it can: {why}");
    source.begin_again(format!("Restored in a second attempt, because the first one failed: {why}"));
    for (place, stage) in stages {
        let Some(object) = objects.get(place) else { continue };
        let said = begin_stage(app, source, object, server.id, &stage, passed).await?;
        for note in said.notes {
            if is_resource_failure(&note) {
                return Err(StepError::Fail(note));
            }
            source.leave_out(note);
        }
        said.changed.into_iter().for_each(|note| source.change(note));
    }
    Ok(())
}

/// Puts a backup's data into a sealed container and answers the engine's id of it, with its server running.
///
/// # Errors
/// If one object can't be read, is damaged, is not taken, or the server does not start.
pub async fn raise(w: &Work, source: &Source<'_>, sealed: &mut ThrowAway<'_>) -> Result<String, StepError> {
    let (app, describes) = (&w.app, describes(source.manifest.container.engine)?);
    let passed = Arc::new(AtomicU64::new(0));
    let expected = i64::try_from(source.manifest.bytes()).ok();
    let moves = describes.moves();
    let id = match moves {
        When::Running => sealed.start(app).await?,
        When::Stopped => {
            sealed.remove_container(app).await?;
            blueprint::prepare(app, &sealed.blueprint).await?;
            sealed.hold(app, true).await?
        }
    };
    let server = Server { id: &id, plan: sealed.blueprint.plan(), describes };
    tokio::select! {
        done = into(app, source, &server, &passed) => if let Err(e) = done {
            return Err(explain_full_tier(sealed.blueprint.tier, e).await);
        },
        () = tell(w, &passed, expected) => {}
    }
    match moves {
        When::Running => Ok(id),
        When::Stopped => {
            let id = sealed.launch(app).await?;
            let server = Server { id: &id, plan: sealed.blueprint.plan(), describes };
            keep_only(app, &source.manifest, &server).await?;
            Ok(id)
        }
    }
}

/// What a sealed server that is filled from `source` has as its administrator's password: that in the data, or where it
/// makes its data anew, the one that the database itself has.
///
/// # Errors
/// If the data has one that the manifest does not name.
pub(super) fn admin_of(source: &Source<'_>, own: &SecretString) -> Result<Admin, StepError> {
    let manifest = &source.manifest;
    match (describes(manifest.container.engine)?.moves(), manifest.admin(&source.keys).map_err(StepError::Fail)?) {
        (When::Running, _) => Ok(Admin::Made(own.clone())),
        (When::Stopped, Some(password)) => Ok(Admin::There(password)),
        (When::Stopped, None) => {
            Err(StepError::Fail("The manifest does not name the administrator's password.".to_owned()))
        }
    }
}

/// Fills a sealed container's directory, compares what is in it, and leaves it as a clean stop does, with `own` as the
/// administrator's password. `strict`: definitions that differ are a fault, because it is to take the place of what is
/// good; else they are told.
///
/// # Errors
/// If it can't be filled, or is not what was backed up.
pub(super) async fn seal_in(
    w: &Work,
    source: &Source<'_>,
    sealed: &mut ThrowAway<'_>,
    own: &SecretString,
    strict: bool,
) -> Result<(), StepError> {
    let (app, describes) = (&w.app, describes(source.manifest.container.engine)?);
    let id = raise(w, source, sealed).await?;
    let server = Server { id: &id, plan: sealed.blueprint.plan(), describes };
    w.say("Comparing it with the backup").await;
    let found = compare::compare(app, &source.manifest, &server, true).await?;
    let told = match strict {
        true => match found.equal() {
            Ok(()) => found.sentence(),
            Err(e) => return Err(kept::with_reasons(source, e)),
        },
        false => kept::keep(w, source, &found).await?,
    };
    run_all(app, &id, describes.adopt(&server.plan, own).as_slice()).await?;
    sealed.stop(app).await?;
    w.say(&source.told(&told)).await;
    Ok(())
}

/// Has the engine's own checks done.
///
/// # Errors
/// With what they found.
pub async fn sound(app: &App, manifest: &Manifest, server: &Server<'_>) -> Result<(), StepError> {
    for database in manifest.databases() {
        let exec = server.describes.check(&server.plan, database);
        let said = transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
        if !said.faults.is_empty() {
            return Err(StepError::Fail(format!("The server's own checks found faults:\n{}", said.faults.join("\n"))));
        }
    }
    Ok(())
}

/// The backup that the job's container is made from.
pub(super) async fn source(w: &Work) -> Result<(Container, Source<'_>), StepError> {
    let c = w.container().await?;
    let id = c.restored_from.ok_or_else(|| StepError::Fail("This database names no backup to restore.".to_owned()))?;
    w.note_backup(id);
    let source = Source::read(&w.app, id).await?.reduced(c.restored_only.as_ref().map(|only| &only.0))?;
    Ok((c, source))
}

async fn look(w: &Work) -> Result<(), StepError> {
    let (_, source) = source(w).await?;
    present(&source).await?;
    let part = source.manifest.wanted.as_ref().map(|w| format!("{} of ", w.only.text())).unwrap_or_default();
    let (of, at) = (&source.manifest.container.name, source.manifest.started_at.format("%Y-%m-%d %H:%M UTC"));
    w.say(&source.told(&format!("{part}{of}, {at}"))).await;
    Ok(())
}

async fn running(w: &Work, c: &Container) -> Result<String, StepError> {
    let found = find(&w.app, c).await?.filter(|f| f.running);
    found.map(|f| f.id).ok_or_else(|| StepError::Retry("The container does not run.".to_owned()))
}

/// The server that is being filled, once it answers, and what it is filled from.
async fn filling(w: &Work) -> Result<(Source<'_>, Blueprint<'_>, String), StepError> {
    if w.resumed {
        power::wait(w).await?;
    }
    let (c, source) = source(w).await?;
    let blueprint = Blueprint::read(&w.app, &c).await?;
    let id = running(w, &c).await?;
    Ok((source, blueprint, id))
}

async fn fill(w: &Work) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    let server = Server { id: &id, plan: blueprint.plan(), describes: describes(blueprint.image.engine)? };
    let passed = Arc::new(AtomicU64::new(0));
    let expected = i64::try_from(source.manifest.bytes()).ok();
    tokio::select! {
        done = into(&w.app, &source, &server, &passed) => if let Err(e) = done {
            return Err(explain_full_tier(blueprint.tier, e).await);
        },
        () = tell(w, &passed, expected) => {}
    }
    kept::remember(w, &source).await?;
    let done = if source.left_out().is_empty() { "All of it is back" } else { "What could be rebuilt is back" };
    let said = source.told(done);
    if said != "All of it is back" {
        w.say(&said).await;
    }
    Ok(())
}

async fn match_backup(w: &Work) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    kept::recall(w, &source).await?;
    let server = Server { id: &id, plan: blueprint.plan(), describes: describes(blueprint.image.engine)? };
    let found = compare::compare(&w.app, &source.manifest, &server, true).await?;
    let told = kept::keep(w, &source, &found).await?;
    w.say(&told).await;
    Ok(())
}
