//! The flow that imports a version of a template from its dump, from a snapshot of a database, or from a backup.

use secrecy::SecretString;

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::templates;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::admin_db::templates::{Template, versions};
use crate::admin_db::{log, notices};
use crate::app::App;
use crate::clones::take_over::admin_of;
use crate::config::Tier;
use crate::domain::duration::seconds_text;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::quantity::ByteSize;
use crate::engine::part::DumpMode;
use crate::import::files::scratch;
use crate::import::format::fit;
use crate::import::scan::ReadLimits;
use crate::manifest::BackupSubject;
use crate::manifest::dump::LoadReport;
use crate::provision::create;
use crate::provision::quota::space;
use crate::provision::quota::space::Filling;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::seed::seal;
use crate::provision::template_copy::admin_password;
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;
use crate::storage::{DataDir, measured};
use crate::templates::fill::{ImportSource, fill};
use crate::templates::from_backup::BackupImport;
use crate::templates::script;
use crate::templates::source::{measure, most, recognised, settled, stamp};
use crate::templates::{directory, from_backup, from_object, from_snapshot};

/// Imports a version of a template.
pub static IMPORT: Flow = Flow {
    kind: JobKind::ImportTemplate,
    title: "Import template",
    rules: JobRules::of(Pool::Load).cancel(Cancel::Before(PUBLISH.name)).blame(Blame::Nobody),
    steps: &[
        Step::new("Read the source", |w| Box::pin(read(w))).undo(|w| Box::pin(give_up(w))),
        Step::new("Get the image", |w| Box::pin(get_image(w))),
        Step::new("Import the data", |w| Box::pin(import(w))).undo(|w| Box::pin(clear(w))),
        PUBLISH,
    ],
};

/// Makes a complete version the current one.
const PUBLISH: Step = Step::new("Make it the current version", |w| Box::pin(publish(w)));

/// What to do if there is no room for an import.
const ADVICE: &str = "Free up space there, or have an administrator choose another tier or a larger limit; then import \
                      again.";

/// The version that a job imports.
async fn version(w: &StepContext) -> Result<TemplateVersion, StepError> {
    let mut db = w.app.db.acquire().await?;
    let found = versions::of_job(&mut db, w.job.id).await?;
    found.ok_or_else(|| StepError::Fail("The record of this version no longer exists.".to_owned()))
}

/// The template of a version.
async fn template(w: &StepContext, version: &TemplateVersion) -> Result<Template, StepError> {
    let mut db = w.app.db.acquire().await?;
    let found = templates::by_id(&mut db, version.template_id).await?;
    found.ok_or_else(|| StepError::Fail("The template was deleted.".to_owned()))
}

/// The storage tier of a version.
fn tier<'a>(app: &'a App, v: &TemplateVersion) -> Result<&'a Tier, StepError> {
    Ok(app.available_tier(&v.storage)?)
}

/// The sealed server of a version. `admin` is the administrator's password in its data.
async fn sealed(app: &App, t: &Template, v: &TemplateVersion, admin: AdminPassword) -> Result<SealedServer, StepError> {
    let sealed = SealedServer::of(app, &subject(t, v), v.id, admin).await?;
    if sealed.blueprint.tier.name == v.storage {
        return Ok(sealed);
    }
    Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", v.storage)))
}

/// The version as the subject of a sealed server.
fn subject(t: &Template, v: &TemplateVersion) -> BackupSubject {
    BackupSubject {
        id: v.id,
        name: t.name.clone(),
        engine: t.engine,
        image: v.image.clone(),
        digest: v.digest.clone(),
        version: String::new(),
        dbname: v.dbname.clone(),
        dbuser: v.dbuser.clone(),
        owner: t.created_by.clone(),
        contact: String::new(),
        department: String::new(),
        description: String::new(),
        storage: v.storage.clone(),
        memory_bytes: t.memory_bytes,
        millicpus: t.millicpus,
        backup_freq: String::new(),
        extensions: Vec::new(),
        expires_at: None,
        cpuset: None,
    }
}

/// Waits until the dump or the snapshot is complete, and records what is imported.
async fn read(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    let t = template(w, &v).await?;
    space::check(app, tier(app, &v)?, 0, ADVICE).await?;
    if let Some(snapshot) = v.snapshot_id {
        return from_snapshot::read(w, &t, &v, snapshot).await;
    }
    if let Some(backup) = t.origin.backup() {
        return from_backup::read(w, &t, &v, backup).await;
    }
    if let Some(object) = t.origin.object() {
        return from_object::read(w, &t, &v, object).await;
    }
    let path = app.config.templates.dumps.join(&v.source);
    w.progress("Waiting until the file no longer changes").await;
    let seen = settled(&path, app.config.templates.settle).await?;
    w.progress("Computing its checksum").await;
    let hook = directory::hook(&app.config.templates.dumps, &v.source).await;
    let facts = measure(path, hook, &seen).await?;
    let mut db = app.db.acquire().await?;
    versions::set_source(&mut db, v.id, &facts, app.clock.now()).await?;
    drop(db);
    w.progress(&format!("{}, {}", v.source, ByteSize(facts.bytes))).await;
    Ok(())
}

async fn get_image(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    let reference = app.config.image_reference(&v.image);
    if app.runtime.image(&reference).await?.is_none() {
        create::pull(w, &reference).await?;
    }
    let found = app.runtime.image(&reference).await?;
    let found = found.ok_or_else(|| StepError::Retry(format!("{reference} was pulled but cannot be found.")))?;
    let mut db = app.db.acquire().await?;
    Ok(versions::set_digest(&mut db, v.id, &found.digest).await?)
}

/// Imports the data into an empty directory; what an interrupted attempt left is removed.
async fn import(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    let (longest, tier) = (app.config.templates.longest, tier(app, &v)?);
    // A copy that shares its blocks takes no space at first.
    let counts = v.snapshot_id.is_none() || !measured(tier.path.clone()).await?.copies.shares_blocks();
    space::check(app, tier, if counts { v.source_bytes } else { 0 }, ADVICE).await?;
    let filling = Filling {
        tier,
        dir: &DataDir::new(tier, &app.config.instance, v.id),
        reference: &app.config.image_reference(&v.image),
        counts,
        what: "The import",
        advice: ADVICE,
    };
    let filling = Box::pin(filling.within(app, filled(w, &v)));
    let (sealed, report) = tokio::time::timeout(longest, filling).await.map_err(|_| {
        let most = seconds_text(longest.as_secs_f64());
        StepError::Fail(format!("The import took longer than {most} (templates.import_minutes)."))
    })??;
    app.files.sync(&sealed.blueprint.dir).await?;
    let admin = seal(app, &sealed.blueprint.admin_password(), &TemplateVersion::context(v.id))?;
    let mut db = app.db.acquire().await?;
    versions::set_report(&mut db, v.id, &report, &admin).await?;
    drop(db);
    from_object::discard(app, &v).await?;
    w.progress(&report.sentence()).await;
    Ok(())
}

/// The stopped server with the data of a version.
async fn filled(w: &StepContext, v: &TemplateVersion) -> Result<(SealedServer, LoadReport), StepError> {
    let app = &w.app;
    let t = template(w, v).await?;
    if let Some(snapshot) = v.snapshot_id {
        let snapshot = from_snapshot::snapshot(w, snapshot).await?;
        let mut sealed = sealed(app, &t, v, AdminPassword::There(admin_of(app, &snapshot)?)).await?;
        let report = from_snapshot::fill(w, (&t, v), &snapshot, &mut sealed).await?;
        return Ok((sealed, report));
    }
    if let Some(backup) = t.origin.backup() {
        let from = BackupImport::of(w, backup, admin_password(app, v)?).await?;
        let mut sealed = sealed(app, &t, v, from.admin()?).await?;
        let report = from.fill(w, (&t, &v.digest), &mut sealed).await?;
        return Ok((sealed, report));
    }
    import_dump(w, &t, v).await
}

/// Imports the dump of a version. Returns the stopped server with its data.
async fn import_dump(
    w: &StepContext,
    t: &Template,
    v: &TemplateVersion,
) -> Result<(SealedServer, LoadReport), StepError> {
    let app = &w.app;
    let (path, hook) = match t.origin.object() {
        Some(object) => from_object::fetched(w, t, v, object).await?,
        None => {
            let dumps = &app.config.templates.dumps;
            (dumps.join(&v.source), directory::hook(dumps, &v.source).await)
        }
    };
    w.progress("Examining the dump").await;
    let tier = tier(app, v)?;
    let most = most(tier);
    let dump = match script::engine_of(&path) {
        Some(engine) if engine == t.engine => None,
        Some(engine) => return Err(StepError::Fail(format!("{} is a script for {}.", v.source, engine.label()))),
        None => Some(recognised(path.clone(), ReadLimits { most, wanted: Some(t.engine) }).await?),
    };
    let image = app.image(&v.image)?;
    if let Some(dump) = &dump {
        fit(dump, image).map_err(StepError::Fail)?;
    }
    let stopped = dump.is_some() && t.engine.engine().backup().is_some_and(|b| b.load_mode() == DumpMode::Stopped);
    let admin = if stopped { AdminPassword::Made(admin_password(app, v)?) } else { AdminPassword::New };
    let mut sealed = sealed(app, t, v, admin).await?;
    sealed.remove(app).await?;
    w.progress("Starting a server without network access").await;
    let scratch = scratch::dir(&app.config, &sealed.blueprint.tier, v.id);
    let source = ImportSource { path: path.clone(), dump: dump.as_ref(), hook, scratch, most };
    let report = fill(w, &mut sealed, &source, &v.digest).await?;
    if t.origin.object().is_some() {
        return Ok((sealed, report));
    }
    let now = stamp(&path).await.map_err(StepError::Fail)?;
    if Some(now.mtime) != v.source_mtime || i64::try_from(now.bytes).ok() != Some(v.source_bytes) {
        return Err(StepError::Fail(format!("{} changed while it was being imported. Import it again.", v.source)));
    }
    Ok((sealed, report))
}

/// Makes the version current in one transaction. Databases requested before it are copied from the previous one.
async fn publish(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    if v.made_at.is_some() {
        return Ok(());
    }
    let t = template(w, &v).await?;
    let sealed = sealed(app, &t, &v, AdminPassword::There(SecretString::default())).await?;
    let bytes = app.files.usage(&sealed.blueprint.dir, &sealed.blueprint.reference).await?;
    let mut tx = app.db.begin().await?;
    versions::set_made(&mut tx, v.id, bytes, app.clock.now()).await?;
    if !templates::set_current(&mut tx, t.id, v.id).await? {
        return Err(StepError::Fail("The template was deleted.".to_owned()));
    }
    notices::end(&mut tx, t.id, NoticeKind::ImportFailed, app.clock.now()).await?;
    let detail = format!("{}: version {} from {}", t.name, v.number, v.source);
    let entry = LogEntry { action: "template.imported", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &Actor::portal(&w.job.created_by), &entry, app.clock.now()).await?;
    tx.commit().await?;
    w.progress(&format!("Version {}", v.number)).await;
    Ok(())
}

/// Removes what an unsuccessful import left. The record is enough, because the template may have been deleted.
async fn clear(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    super::retire::remove_data(app, &v).await
}

/// Records that the version will never be complete. The current version of the template stays in use.
async fn give_up(w: &StepContext) -> Result<(), StepError> {
    let (app, v) = (&w.app, version(w).await?);
    from_object::discard(app, &v).await?;
    let mut db = app.db.acquire().await?;
    Ok(versions::set_failed(&mut db, v.id, app.clock.now()).await?)
}
