//! Restore into a new container: made like any other, then filled from the store and compared with the manifest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;
use uuid::Uuid;

use super::manifest::{FILE, LONGEST, Manifest};
use super::site::store;
use super::storing::tell;
use super::{describes, stream};
use crate::admin_db::backups::{self, Backup};
use crate::admin_db::containers::Container;
use crate::admin_db::copies;
use crate::app::App;
use crate::engine::backup::When;
use crate::engine::{Backup as Describes, Plan};
use crate::objects::Store;
use crate::provision::blueprint::{self, Blueprint};
use crate::provision::container::{self, find};
use crate::provision::create;
use crate::provision::flow::{Flow, Step, StepError, Work};
use crate::provision::server::run_all;
use crate::provision::throwaway::{Admin, ThrowAway};
use crate::provision::{power, rotate};

/// Restore into a new database.
pub static RESTORE: Flow = Flow {
    kind: "restore",
    title: "Restore into a new database",
    steps: &[
        Step { name: "Find the backup", run: |w| Box::pin(look(w)), undo: None },
        Step { name: "Check the storage", run: |w| Box::pin(create::check_storage(w)), undo: None },
        Step { name: "Get the image", run: |w| Box::pin(create::get_image(w)), undo: None },
        Step {
            name: "Prepare the data directory",
            run: |w| Box::pin(create::prepare_data(w)),
            undo: Some(|w| Box::pin(create::remove_data(w))),
        },
        Step {
            name: "Make the container",
            run: |w| Box::pin(create::make_container(w)),
            undo: Some(|w| Box::pin(container::remove(w))),
        },
        Step { name: "Start the server", run: |w| Box::pin(container::start(w)), undo: None },
        Step { name: "Wait until it answers", run: |w| Box::pin(create::wait(w)), undo: None },
        Step { name: "Set up your database and user", run: |w| Box::pin(rotate::set(w)), undo: None },
        Step { name: "Bring the data back", run: |w| Box::pin(fill(w)), undo: None },
        Step { name: "Compare it with the backup", run: |w| Box::pin(compare(w)), undo: None },
        // The roles came back with the passwords of then.
        Step { name: "Set the new password", run: |w| Box::pin(rotate::set(w)), undo: None },
        Step { name: "Hand it over", run: |w| Box::pin(create::hand_over(w)), undo: None },
    ],
};

/// Where a backup lies, with its manifest as it lies there.
pub struct Source<'a> {
    /// Its row.
    pub row: Backup,
    /// Its store.
    pub store: &'a Arc<Store>,
    /// Beginning of its keys.
    pub location: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Why a copy is read instead of what is in its own target, as a sentence.
    pub instead: Option<String>,
}

impl<'a> Source<'a> {
    /// Reads the manifest from the store: what lies there is what will be restored. Where the backup's own target does not
    /// give it, or lacks one of its objects, a copy in another target takes its place.
    ///
    /// # Errors
    /// If it is not there, or is not that of this backup.
    pub async fn read(app: &'a App, id: Uuid) -> Result<Self, StepError> {
        // The way through the stores takes much room on the stack, which callers have other uses for.
        Box::pin(Self::anywhere(app, id)).await
    }

    async fn anywhere(app: &'a App, id: Uuid) -> Result<Self, StepError> {
        let row = row(app, id).await?;
        let mut db = app.db.acquire().await?;
        let copies = copies::of(&mut db, &[id]).await?;
        drop(db);
        let stored = copies.iter().filter(|k| k.status == "stored").filter_map(|k| app.stores.get(&k.target));
        let stored: Vec<&Arc<Store>> = stored.collect();
        let own = async { Ok::<_, StepError>(Self::at(row.clone(), store(app, &row)?).await?.0) };
        if stored.is_empty() {
            return own.await;
        }
        let whole = async {
            let source = own.await?;
            present(&source).await.map(|()| source)
        };
        let why = match whole.await {
            Ok(source) => return Ok(source),
            Err(why) => why,
        };
        for copy in stored {
            if let Ok((source, _)) = Self::at(row.clone(), copy).await
                && present(&source).await.is_ok()
            {
                let instead = Some(format!("The copy in “{}” is used. {why}", copy.name()));
                return Ok(Self { instead, ..source });
            }
        }
        Err(why)
    }

    /// The same from the backup's own target only, with the manifest as it lies there.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub async fn first(app: &'a App, id: Uuid) -> Result<(Self, Vec<u8>), StepError> {
        let row = row(app, id).await?;
        let store = store(app, &row)?;
        Self::at(row, store).await
    }

    async fn at(row: Backup, store: &'a Arc<Store>) -> Result<(Self, Vec<u8>), StepError> {
        let location = row.location.clone().unwrap_or_default();
        let text = store.read(&format!("{location}/{FILE}"), LONGEST).await?;
        let manifest = Manifest::read(&text, row.id).map_err(StepError::Fail)?;
        if manifest.container.id != row.container_id {
            return Err(StepError::Fail(format!(
                "What lies there is a backup of another database, {}.",
                manifest.container.name
            )));
        }
        Ok((Self { row, store, location, manifest, instead: None }, text))
    }

    /// What a step says of where the backup was read, after what it did.
    pub fn told(&self, done: &str) -> String {
        self.instead.as_ref().map_or_else(|| done.to_owned(), |instead| format!("{done}. {instead}"))
    }

    /// Key of one of its objects.
    pub fn key(&self, file: &str) -> String {
        format!("{}/{file}", self.location)
    }
}

/// The row of a backup that lies in its target.
async fn row(app: &App, id: Uuid) -> Result<Backup, StepError> {
    let mut db = app.db.acquire().await?;
    let row = backups::by_id(&mut db, id).await?;
    let row = row.ok_or_else(|| StepError::Fail("There is no such backup.".to_owned()))?;
    match row.location {
        Some(_) if row.removed_at.is_none() => Ok(row),
        _ => Err(StepError::Fail("This backup is not in its target any more.".to_owned())),
    }
}

/// A server that is to be filled.
pub struct Server<'a> {
    /// The engine's id of its container.
    pub id: &'a str,
    /// What its engine's description needs.
    pub plan: Plan<'a>,
    /// How its engine restores.
    pub describes: &'static dyn Describes,
}

/// Puts all objects of a backup into a server.
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
        let input = stream::fetch(source.store, &source.key(&object.file), object, passed.clone()).await?;
        let exec = server.describes.restore(&server.plan, &object.part());
        stream::run(app.runtime.as_ref(), server.id, &exec, Some(input), &AtomicU64::new(0)).await?;
    }
    Ok(())
}

/// Puts a backup's data into a sealed container and answers the engine's id of it, with its server running.
///
/// # Errors
/// If one object can't be read, is damaged, is not taken, or the server does not start.
pub async fn raise(w: &Work, source: &Source<'_>, sealed: &ThrowAway<'_>) -> Result<String, StepError> {
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
        done = into(app, source, &server, &passed) => done?,
        () = tell(w, &passed, expected) => {}
    }
    match moves {
        When::Running => Ok(id),
        When::Stopped => sealed.launch(app).await,
    }
}

/// What a sealed server that is filled from `source` has as its administrator's password: that in the data, or where it
/// makes its data anew, the one that the database itself has.
///
/// # Errors
/// If the data has one that the manifest does not name.
pub(super) fn admin_of(source: &Source<'_>, own: &SecretString) -> Result<Admin, StepError> {
    let manifest = &source.manifest;
    match (describes(manifest.container.engine)?.moves(), &manifest.admin_password) {
        (When::Running, _) => Ok(Admin::Made(own.clone())),
        (When::Stopped, Some(password)) => Ok(Admin::There(SecretString::from(password.clone()))),
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
    sealed: &ThrowAway<'_>,
    own: &SecretString,
) -> Result<(), StepError> {
    let (app, describes) = (&w.app, describes(source.manifest.container.engine)?);
    let id = raise(w, source, sealed).await?;
    let server = Server { id: &id, plan: sealed.blueprint.plan(), describes };
    w.say("Comparing it with the backup").await;
    let counted = same(app, &source.manifest, &server, true).await?;
    run_all(app, &id, describes.adopt(&server.plan, own).as_slice()).await?;
    sealed.stop(app).await?;
    w.say(&format!("{counted} counts are those of the backup")).await;
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
    if !manifest.exact_counts {
        // Counted a moment before or after the dump: only what is missing altogether says something.
        return Ok(counts.len());
    }
    let differences = manifest.differences(&counts);
    if differences.is_empty() {
        return Ok(counts.len());
    }
    Err(StepError::Fail(format!("What was restored is not what was backed up:\n{}", differences.join("\n"))))
}

/// The backup that the job's container is made from.
pub(super) async fn source(w: &Work) -> Result<(Container, Source<'_>), StepError> {
    let c = w.container().await?;
    let id = c.restored_from.ok_or_else(|| StepError::Fail("This database names no backup to restore.".to_owned()))?;
    let source = Source::read(&w.app, id).await?;
    Ok((c, source))
}

/// Looks whether all objects are there.
///
/// # Errors
/// With the name of the first that is missing.
pub(super) async fn present(source: &Source<'_>) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let key = source.key(&object.file);
        if source.store.head(&key).await?.is_none() {
            return Err(StepError::Fail(format!(
                "{} is missing from the store. This backup can't be restored.",
                source.store.url(&key)
            )));
        }
    }
    Ok(())
}

pub(super) async fn look(w: &Work) -> Result<(), StepError> {
    let (_, source) = source(w).await?;
    present(&source).await?;
    let found =
        format!("Of {}, {}", source.manifest.container.name, source.manifest.started_at.format("%Y-%m-%d %H:%M UTC"));
    w.say(&source.told(&found)).await;
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
        done = into(&w.app, &source, &server, &passed) => done,
        () = tell(w, &passed, expected) => Ok(()),
    }
}

async fn compare(w: &Work) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    let server = Server { id: &id, plan: blueprint.plan(), describes: describes(blueprint.image.engine)? };
    let counted = same(&w.app, &source.manifest, &server, true).await?;
    w.say(&format!("{counted} counts are those of the backup")).await;
    Ok(())
}
