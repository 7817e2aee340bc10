//! Restore into a new container: made like any other, then filled from the store and compared with the manifest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use super::describes;
use super::head;
use super::manifest::{Manifest, Object};
use super::source::{Source, present};
use super::storing::tell;
use super::stream::{self, From, Reports};
use crate::admin_db::containers::Container;
use crate::app::App;
use crate::config::Tier;
use crate::domain::quantity::MIB;
use crate::domain::work::{Cancel, Pool, Rules};
use crate::engine::alone::{Read, Stage};
use crate::engine::backup::{Count, When};
use crate::engine::{Backup as Describes, Plan};
use crate::objects::Store;
use crate::provision::blueprint::{self, Blueprint};
use crate::provision::container::find;
use crate::provision::create::{self, measured};
use crate::provision::flow::{Flow, Step, StepError, Work};
use crate::provision::server::run_all;
use crate::provision::throwaway::{Admin, ThrowAway};
use crate::provision::{power, rotate};

/// Below this a tier counts as full: a server that wants to write its next piece finds no room for it.
const FULL: i64 = 32 * MIB;

/// Restore into a new database.
pub static RESTORE: Flow = Flow {
    kind: "restore",
    title: "Restore into a new database",
    rules: Rules::of(Pool::Long).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        Step { name: "Find the backup", run: |w| Box::pin(look(w)), undo: None },
        create::CHECK_STORAGE,
        create::GET_IMAGE,
        create::PREPARE_DATA,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        Step { name: "Set up your database and user", run: |w| Box::pin(rotate::set(w)), undo: None },
        Step { name: "Bring the data back", run: |w| Box::pin(fill(w)), undo: None },
        Step { name: "Compare it with the backup", run: |w| Box::pin(compare(w)), undo: None },
        // The roles came back with the passwords of then.
        Step { name: "Set the new password", run: |w| Box::pin(rotate::set(w)), undo: None },
        create::HAND_OVER,
    ],
};

/// The row of a backup that lies in its target.
/// A server that is to be filled.
pub struct Server<'a> {
    /// The engine's id of its container.
    pub id: &'a str,
    /// What its engine's description needs.
    pub plan: Plan<'a>,
    /// How its engine restores.
    pub describes: &'static dyn Describes,
}

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
        Read::Beginning => return head::run(runtime, &from, id, &stage.exec).await,
        Read::Nothing => None,
        Read::All => Some(stream::fetch(&from, passed.clone()).await?),
    };
    stream::run(runtime, id, &stage.exec, input, &AtomicU64::new(0)).await
}

/// Removes from a server what came with the wanted part of a backup but does not belong to it.
async fn keep_only(app: &App, manifest: &Manifest, server: &Server<'_>) -> Result<(), StepError> {
    let Some(wanted) = &manifest.wanted else { return Ok(()) };
    let Some(exec) = server.describes.keep_only(&server.plan, &wanted.only, &wanted.others) else { return Ok(()) };
    stream::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await.map(|_| ())
}

/// Puts all that is wanted of a backup into a server.
///
/// # Errors
/// If one can't be read, is damaged, or the server does not take it.
pub async fn into(
    app: &App,
    source: &Source<'_>,
    server: &Server<'_>,
    passed: &Arc<AtomicU64>,
) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let (plan, part) = (&server.plan, object.part());
        let stages = match &source.manifest.wanted {
            None => vec![Stage::new(Read::All, server.describes.restore(plan, &part))],
            Some(wanted) => server.describes.restore_only(plan, &part, &wanted.only),
        };
        for stage in stages {
            begin_stage(app, source, object, server.id, &stage, passed).await?;
        }
    }
    if server.describes.moves() == When::Running { keep_only(app, &source.manifest, server).await } else { Ok(()) }
}

/// Says so where what a restore writes into is full: a server's own last words about that are many and various.
async fn or_full(tier: &Tier, e: StepError) -> StepError {
    let StepError::Fail(why) = e else { return e };
    // That the disk is full shows; the words are those of servers that have cleaned up since.
    let full =
        why.contains("No space left on device") || measured(tier.path.clone()).await.is_ok_and(|has| has.free < FULL);
    if !full {
        return StepError::Fail(why);
    }
    StepError::Fail(format!(
        "The storage tier “{}” became full while the data came back, so nothing of it was kept. Make room there, then \
         restore again.\n{why}",
        tier.label
    ))
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
            return Err(or_full(sealed.blueprint.tier, e).await);
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
/// administrator's password.
///
/// # Errors
/// If it can't be filled, or is not what was backed up.
pub(super) async fn seal_in(
    w: &Work,
    source: &Source<'_>,
    sealed: &mut ThrowAway<'_>,
    own: &SecretString,
) -> Result<(), StepError> {
    let (app, describes) = (&w.app, describes(source.manifest.container.engine)?);
    let id = raise(w, source, sealed).await?;
    let server = Server { id: &id, plan: sealed.blueprint.plan(), describes };
    w.say("Comparing it with the backup").await;
    let counted = same(app, &source.manifest, &server, true).await?;
    run_all(app, &id, describes.adopt(&server.plan, own).as_slice()).await?;
    sealed.stop(app).await?;
    w.say(&source.told(&format!("{counted} counts are those of the backup"))).await;
    Ok(())
}

/// Has the engine's own checks done.
///
/// # Errors
/// With what they found.
pub async fn sound(app: &App, manifest: &Manifest, server: &Server<'_>) -> Result<(), StepError> {
    for database in manifest.databases() {
        let exec = server.describes.check(&server.plan, database);
        let said = stream::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
        if !said.faults.is_empty() {
            return Err(StepError::Fail(format!("The server's own checks found faults:\n{}", said.faults.join("\n"))));
        }
    }
    Ok(())
}

/// Counts what is in a server and compares it with the manifest.
///
/// # Errors
/// With the differences, if there are any.
pub async fn same(app: &App, manifest: &Manifest, server: &Server<'_>, fingerprints: bool) -> Result<usize, StepError> {
    let mut counts = Vec::new();
    for database in manifest.databases() {
        let exec = server.describes.count(&server.plan, database, fingerprints && manifest.fingerprints);
        counts.extend(stream::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?.counts);
    }
    matching(manifest, &counts)
}

/// Compares counts with those of the manifest, and answers how many there are.
///
/// # Errors
/// With the differences, if there are any.
pub(super) fn matching(manifest: &Manifest, counts: &[Count]) -> Result<usize, StepError> {
    if !manifest.exact_counts {
        // Counted a moment before or after the dump: only what is missing altogether says something.
        return Ok(counts.len());
    }
    let differences = manifest.differences(counts);
    if differences.is_empty() {
        return Ok(counts.len());
    }
    Err(StepError::Fail(format!("What was restored is not what was backed up:\n{}", differences.join("\n"))))
}

/// The backup that the job's container is made from.
pub(super) async fn source(w: &Work) -> Result<(Container, Source<'_>), StepError> {
    let c = w.container().await?;
    let id = c.restored_from.ok_or_else(|| StepError::Fail("This database names no backup to restore.".to_owned()))?;
    let source = Source::read(&w.app, id).await?.reduced(c.restored_only.as_ref().map(|only| &only.0))?;
    Ok((c, source))
}

pub(super) async fn look(w: &Work) -> Result<(), StepError> {
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
            return Err(or_full(blueprint.tier, e).await);
        },
        () = tell(w, &passed, expected) => {}
    }
    if source.instead.get().is_some() {
        w.say(&source.told("All of it is back")).await;
    }
    Ok(())
}

async fn compare(w: &Work) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    let server = Server { id: &id, plan: blueprint.plan(), describes: describes(blueprint.image.engine)? };
    let counted = same(&w.app, &source.manifest, &server, true).await?;
    w.say(&format!("{counted} counts are those of the backup")).await;
    Ok(())
}
