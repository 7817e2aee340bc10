//! The flow of a backup: look, dump and store, read back, write the manifest.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::manifest::{self, Manifest, Object, Of};
use super::stream::{self, Into, Reports};
use super::{describes, hand, prove, request};
use crate::admin_db::backups::{self, Backup, BackupStatus};
use crate::admin_db::containers::Container;
use crate::admin_db::log::Actor;
use crate::admin_db::uploads;
use crate::app::App;
use crate::domain::quantity::Bytes as Amount;
use crate::engine::backup::{Inventory, Part};
use crate::engine::{Backup as Describes, ExecSpec, Plan};
use crate::objects::Store;
use crate::provision::blueprint::Blueprint;
use crate::provision::container::find;
use crate::provision::flow::{Flow, Step, StepError, Work};
use crate::provision::request::RequestError;
use crate::provision::server::ask;

/// How long a server may take to say what is in it.
const LOOK: Duration = Duration::from_secs(120);

/// Back up.
pub static BACKUP: Flow = Flow {
    kind: "backup",
    title: "Back up",
    steps: &[
        Step { name: "Dump and store", run: |w| Box::pin(dump(w)), undo: Some(|w| Box::pin(sweep(w))) },
        Step { name: "Read the beginning back", run: |w| Box::pin(prove::list(w)), undo: None },
        Step { name: "Write the manifest", run: |w| Box::pin(finish(w)), undo: None },
    ],
};

/// Beginning of the keys of a backup: by ids, because names come and go.
pub fn location(app: &App, container: Uuid, backup: Uuid) -> String {
    format!("{}/{container}/{backup}", app.config.instance)
}

/// What all steps of a backup need.
pub(super) struct Site<'a> {
    pub(super) row: Backup,
    pub(super) container: Container,
    pub(super) blueprint: Blueprint<'a>,
    pub(super) docker_id: String,
    pub(super) describes: &'static dyn Describes,
    pub(super) store: &'a std::sync::Arc<Store>,
    pub(super) location: String,
}

impl<'a> Site<'a> {
    pub(super) async fn of(w: &'a Work) -> Result<Self, StepError> {
        let row = row(w).await?;
        let store = store(&w.app, &row)?;
        let container = w.container().await?;
        let blueprint = Blueprint::read(&w.app, &container).await?;
        let found = find(&w.app, &container).await?.filter(|f| f.running);
        let found =
            found.ok_or_else(|| StepError::Fail("The server does not run, so it can't be dumped.".to_owned()))?;
        let describes = describes(container.engine)?;
        let missing = blueprint.plan().tools.missing(describes.tools());
        if !missing.is_empty() {
            return Err(StepError::Fail(format!(
                "The image {} has no {}, which a backup needs.",
                container.image,
                missing.join(" and no ")
            )));
        }
        let location = location(&w.app, container.id, row.id);
        Ok(Self { docker_id: found.id, row, container, blueprint, describes, store, location })
    }

    pub(super) fn key(&self, file: &str) -> String {
        format!("{}/{file}", self.location)
    }

    pub(super) fn plan(&self) -> Plan<'_> {
        self.blueprint.plan()
    }
}

/// The row of this job's backup.
pub(super) async fn row(w: &Work) -> Result<Backup, StepError> {
    let mut db = w.app.db.acquire().await?;
    let row = backups::of_job(&mut db, w.job.id).await?;
    row.ok_or_else(|| StepError::Fail("The row of this backup is gone.".to_owned()))
}

/// The store that a backup goes to or lies in.
pub(super) fn store<'a>(app: &'a App, row: &Backup) -> Result<&'a std::sync::Arc<Store>, StepError> {
    let name = row.target.as_deref().unwrap_or_default();
    app.stores.get(name).ok_or_else(|| StepError::Fail(format!("The target “{name}” is no longer configured.")))
}

/// Removes all that is left of an attempt: uploads, objects, and the program that may still dump.
async fn sweep(w: &Work) -> Result<(), StepError> {
    let row = row(w).await?;
    if row.status != BackupStatus::Running {
        // Good, or swept before: never to be touched here.
        return Ok(());
    }
    let store = store(&w.app, &row)?;
    let container = w.container().await?;
    if let Some(found) = find(&w.app, &container).await?.filter(|f| f.running) {
        end_dump(&w.app, &found.id, &container, row.id).await;
    }
    let mut db = w.app.db.acquire().await?;
    for (key, upload) in uploads::of_backup(&mut db, row.id).await? {
        store.abort(&key, &upload).await?;
        uploads::delete(&mut db, row.id, &upload).await?;
    }
    drop(db);
    for object in store.list(&format!("{}/", location(&w.app, row.container_id, row.id))).await? {
        store.delete(&object.key).await?;
    }
    Ok(())
}

/// Ends a dump that nobody reads any more: it is found by the file that it leaves while it runs.
async fn end_dump(app: &App, id: &str, c: &Container, run: Uuid) {
    let script = r#"f="/tmp/db4sci-dump-$1.pid"; if [ -e "$f" ]; then kill -s TERM -- "-$(cat "$f")"; rm -f "$f"; fi"#;
    let argv = ["sh", "-c", script, "sh", &run.to_string()].map(str::to_owned).to_vec();
    // As the user it runs as: root may end nobody else's programs in there.
    let user = app.catalog.find(&c.image).map(|i| format!("{}:{}", i.uid, i.gid));
    // What can't be ended now ends with the server at the latest.
    let _ = ask(app, id, &ExecSpec { argv, env: Vec::new(), stdin: None, user }, Duration::from_secs(10)).await;
}

async fn dump(w: &Work) -> Result<(), StepError> {
    // An earlier attempt at this may have been cut short.
    sweep(w).await?;
    let site = Site::of(w).await?;
    let said = ask(&w.app, &site.docker_id, &site.describes.inventory(&site.plan()), LOOK).await?;
    if said.code != 0 {
        return Err(StepError::Fail(format!("The server did not say what is in it: {}", said.stderr.trim())));
    }
    let inventory: Inventory = serde_json::from_str(said.stdout.trim())
        .map_err(|e| StepError::Fail(format!("What the server said is in it is not understood: {e}.")))?;
    let mut manifest = draft(w, &site, &inventory)?;
    let mut db = w.app.db.acquire().await?;
    let before = backups::last_raw_bytes(&mut db, site.container.id).await?;
    drop(db);
    let passed = AtomicU64::new(0);
    let storing = async {
        for part in site.describes.parts(&inventory) {
            let (object, reports) = store_part(w, &site, &part, manifest.fingerprints, &passed).await?;
            manifest.objects.push(object);
            manifest.counts.extend(reports.counts);
            manifest.notes.extend(reports.notes);
            manifest.exact_counts &= !reports.inexact;
        }
        Ok::<_, StepError>(())
    };
    tokio::select! {
        stored = storing => stored?,
        () = tell(w, &passed, before) => {}
    }
    manifest.finished_at = w.app.clock.now();
    w.say(&format!("{} stored", Amount(i64::try_from(manifest.bytes()).unwrap_or(i64::MAX)))).await;
    let mut db = w.app.db.acquire().await?;
    Ok(backups::set_draft(&mut db, site.row.id, &manifest, 1).await?)
}

/// Shows every second how far it is. Never ends.
pub(super) async fn tell(w: &Work, passed: &AtomicU64, expected: Option<i64>) {
    let begin = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bytes = i64::try_from(passed.load(std::sync::atomic::Ordering::Relaxed)).unwrap_or(i64::MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (bytes as f64 / begin.elapsed().as_secs_f64()) as i64;
        let whole = match expected {
            Some(all) if all > bytes => format!(" of about {}", Amount(all)),
            _ => String::new(),
        };
        w.say(&format!("{}{whole}, {} a second", Amount(bytes), Amount(rate))).await;
    }
}

async fn store_part(
    w: &Work,
    site: &Site<'_>,
    part: &Part,
    fingerprints: bool,
    passed: &AtomicU64,
) -> Result<(Object, Reports), StepError> {
    let file = format!("{}.zst", part.file);
    let key = site.key(&file);
    let upload = site.store.begin(&key).await?;
    let mut db = w.app.db.acquire().await?;
    uploads::insert(&mut db, site.row.id, site.store.name(), &key, &upload, w.app.clock.now()).await?;
    drop(db);
    let mut exec = site.describes.dump(&site.plan(), part, fingerprints);
    exec.env.push(("DB4SCI_RUN".to_owned(), site.row.id.to_string().into()));
    let to = Into {
        runtime: w.app.runtime.as_ref(),
        store: site.store,
        key: &key,
        upload: &upload,
        level: w.app.config.backups.level,
        passed,
    };
    let dumped = stream::dump(&to, &site.docker_id, &exec).await?;
    site.store.complete(&key, &upload, &dumped.parts).await?;
    let mut db = w.app.db.acquire().await?;
    uploads::delete(&mut db, site.row.id, &upload).await?;
    drop(db);
    let there = site.store.head(&key).await?.map(|o| o.bytes);
    if there != Some(dumped.stored.bytes) {
        return Err(StepError::Fail(format!(
            "{} bytes were sent to {}, but the store has {}.",
            dumped.stored.bytes,
            site.store.url(&key),
            there.map_or("nothing".to_owned(), |n| n.to_string())
        )));
    }
    let object = Object {
        file,
        plain: part.file.clone(),
        database: part.database.clone(),
        what: part.what.to_owned(),
        dumped: dumped.plain,
        stored: dumped.stored,
        compression: "zstd".to_owned(),
    };
    Ok((object, dumped.reports))
}

fn draft(w: &Work, site: &Site<'_>, inventory: &Inventory) -> Result<Manifest, StepError> {
    let c = &site.container;
    let config = crate::provision::config_files(&w.app.config.catalog, c.engine)
        .map_err(|e| StepError::Fail(format!("The configuration files can't be read: {e:#}.")))?;
    Ok(Manifest {
        schema: manifest::SCHEMA,
        backup: site.row.id,
        instance: w.app.config.instance.to_string(),
        started_at: site.row.started_at,
        finished_at: site.row.started_at,
        source: "running server".to_owned(),
        container: Of {
            id: c.id,
            name: c.name.clone(),
            engine: c.engine,
            image: c.image.clone(),
            digest: c.image_digest.clone().unwrap_or_default(),
            version: inventory.version.clone(),
            dbname: c.dbname.clone(),
            dbuser: c.dbuser.clone(),
            owner: c.owner.clone(),
            contact: c.contact.clone(),
            department: c.department.clone(),
            description: c.description.clone(),
            storage: c.storage.clone(),
            memory_bytes: c.memory_bytes,
            millicpus: c.millicpus,
            backup_freq: c.backup_freq.clone(),
            extensions: c.extensions.clone(),
        },
        objects: Vec::new(),
        counts: Vec::new(),
        exact_counts: site.describes.exact_counts(),
        fingerprints: true,
        facts: inventory.facts.clone(),
        config: config.into_iter().collect::<BTreeMap<_, _>>(),
        notes: Vec::new(),
    })
}

/// The manifest goes last: a set of objects without one is no backup.
async fn finish(w: &Work) -> Result<(), StepError> {
    let row = row(w).await?;
    if row.status == BackupStatus::Succeeded {
        // An earlier run got this far.
        let mut db = w.app.db.acquire().await?;
        return first_drill(w, &mut db, row.id).await;
    }
    let store = store(&w.app, &row)?;
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, row.id).await?;
    drop(db);
    let manifest = manifest.ok_or_else(|| StepError::Fail("The draft of the manifest is gone.".to_owned()))?;
    let location = location(&w.app, row.container_id, row.id);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|e| StepError::Fail(format!("The manifest can't be written: {e}.")))?;
    let sha256: [u8; 32] = Sha256::digest(&text).into();
    let lines = hand::lines(&manifest, store, &location, row.engine.engine().backup());
    store.put(&format!("{location}/{}", manifest::BY_HAND), Bytes::from(lines), "text/plain; charset=utf-8").await?;
    store.put(&format!("{location}/{}", manifest::FILE), Bytes::from(text), "application/json").await?;
    let done = backups::Done { manifest: &manifest, sha256, location: &location, level: 2 };
    let mut db = w.app.db.acquire().await?;
    if !backups::succeed(&mut db, row.id, &done, w.app.clock.now()).await? {
        return Err(StepError::Fail("The row of this backup has ended.".to_owned()));
    }
    first_drill(w, &mut db, row.id).await
}

/// The first backup of a database is proven at once.
async fn first_drill(w: &Work, db: &mut PgConnection, id: Uuid) -> Result<(), StepError> {
    let Some(backup) = backups::by_id(db, id).await? else { return Ok(()) };
    if backups::ever_drilled(db, backup.container_id).await? {
        return Ok(());
    }
    match request::drill(&w.app, &backup, "first", &Actor::portal("backups")).await {
        Ok(_) | Err(RequestError::Busy) => Ok(()),
        // The backup is good all the same; the audit says that it was not proven.
        Err(e) => {
            tracing::warn!(backup = %id, "The drill of a backup could not be enqueued: {e}");
            Ok(())
        }
    }
}
