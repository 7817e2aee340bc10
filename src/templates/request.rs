//! Creates templates, updates those from the directory of dumps, and changes and deletes them.

use std::path::Path;

use chrono::{DateTime, Timelike, Utc};
use serde_json::{Value, json};

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::templates::origin::TemplateOrigin;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::admin_db::templates::{Template, TemplateEdit, versions};
use crate::admin_db::{constraint, log, notices, templates};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::engine::EngineKind;
use crate::domain::names::{DbName, DbUser, TemplateName};
use crate::import::format::fit;
use crate::manifest::dump::Dump;
use crate::queue::refusal::RequestError;
use crate::templates::directory;
use crate::templates::directory::DumpFile;
use crate::templates::new_template::{CopySettings, NewTemplate, insert};
use crate::templates::refresh::refresh;
use crate::templates::source::{beginning, measure, stamp};

/// What an update of all templates did.
#[derive(Debug, Default)]
pub struct Update {
    /// Templates whose dump is being imported.
    pub importing: Vec<String>,
    /// Templates whose dump has not changed.
    pub unchanged: Vec<String>,
    /// Files and templates for which nothing could be done, with the reason.
    pub problems: Vec<(String, String)>,
}

impl Update {
    /// Adds what was done for a template or a dump of this name.
    fn note(&mut self, name: String, told: Result<bool, RequestError>) {
        match told {
            Ok(true) => self.importing.push(name),
            Ok(false) => self.unchanged.push(name),
            Err(RequestError::Busy) => self.problems.push((name, "It is being imported.".to_owned())),
            Err(e) => self.problems.push((name, e.to_string())),
        }
    }
}

/// Creates a template from a dump in the directory. Without `engine`, the dump says which it is.
///
/// # Errors
/// [`RequestError::Template`] with a sentence; nothing is written then.
pub async fn create(
    app: &App,
    dump: &DumpFile,
    engine: Option<EngineKind>,
    actor: &Actor,
) -> Result<Template, RequestError> {
    let refused = |why: String| RequestError::Template(format!("{}: {why}", dump.file));
    let path = app.config.templates.dumps.join(&dump.file);
    let found = beginning(path).await;
    let (engine, version) = match (engine.or(dump.engine), found) {
        (Some(engine), Ok(found)) if found.format.engine() == engine => (engine, Some(found)),
        (Some(engine), _) => (engine, None),
        (None, Ok(found)) => (found.format.engine(), Some(found)),
        (None, Err(why)) => return Err(refused(why)),
    };
    let image = image_for(app, engine, version.as_ref())
        .await?
        .ok_or_else(|| refused(format!("The catalog has no image of {} that can load it.", engine.label())))?;
    let copies = copies(app, &dump.template, image)?;
    let new = NewTemplate { name: &dump.template, origin: TemplateOrigin::File, source: dump.file.clone(), copies };
    insert(app, new, None, actor).await
}

/// The first image of the engine in the catalog that can load a dump of this version, preferably one on this machine.
pub(super) async fn image_for<'a>(
    app: &'a App,
    engine: EngineKind,
    dump: Option<&Dump>,
) -> Result<Option<&'a CatalogImage>, RequestError> {
    let fitting: Vec<_> =
        app.catalog.of(engine).filter(|image| dump.is_none_or(|dump| fit(dump, image).is_ok())).collect();
    for image in &fitting {
        let there = app.runtime.image(&app.config.image_reference(&image.image)).await;
        if there.map_err(|e| RequestError::Template(e.to_string()))?.is_some() {
            return Ok(Some(image));
        }
    }
    Ok(fitting.first().copied())
}

/// What the databases made from a dump are like: the site's defaults.
pub(super) fn copies(app: &App, name: &TemplateName, image: &CatalogImage) -> Result<CopySettings, RequestError> {
    let (config, engine) = (&app.config, image.engine.engine());
    let wanted = &config.templates.storage;
    let usable = |tier: &&crate::config::Tier| {
        (wanted.is_empty() || tier.name == *wanted) && tier.allows("", true, image.engine.as_str())
    };
    let tier = config.storage.iter().find(usable).ok_or_else(|| {
        RequestError::Template(format!("No storage tier allows {}. See templates.storage.", image.engine.label()))
    })?;
    let given = |text: &str, rules| if text.is_empty() { name.identifier(&rules) } else { text.to_owned() };
    let (dbname, dbuser) = match engine.fixed_names() {
        Some(fixed) => (fixed.dbname.to_owned(), fixed.dbuser.to_owned()),
        None => {
            let (dbname, dbuser) = &config.templates.names;
            (given(dbname, engine.database_rules()), given(dbuser, engine.user_rules()))
        }
    };
    let wrong = |e: crate::domain::names::NameError| RequestError::Template(e.to_string());
    DbName::parse(&dbname, &engine.database_rules()).map_err(wrong)?;
    DbUser::parse(&dbuser, &engine.user_rules()).map_err(wrong)?;
    let memory = config.templates.memory.unwrap_or(config.limits.memory_default).max(image.min_memory);
    Ok(CopySettings {
        engine: image.engine,
        image: image.image.clone(),
        storage: tier.name.clone(),
        dbname,
        dbuser,
        memory_bytes: memory.0,
        millicpus: config.limits.cpus_default.0,
    })
}

/// Imports every dump in the directory that is new or has changed.
///
/// # Errors
/// [`RequestError::Template`] if the directory cannot be read. A problem with one dump does not keep the others.
pub async fn update(app: &App, actor: &Actor) -> Result<Update, RequestError> {
    let dir = &app.config.templates.dumps;
    let listing = directory::list(dir).await.map_err(RequestError::Template)?;
    let mut done = Update::default();
    done.problems.extend(listing.unusable.into_iter().map(|u| (u.file, u.why)));
    for dump in &listing.dumps {
        match of_dump(app, dir, dump, actor).await {
            Ok(made_from_it) => {
                for t in made_from_it {
                    let told = update_one(app, dir, &t, actor).await;
                    done.note(t.name, told);
                }
            }
            Err(e) => done.note(dump.template.to_string(), Err(e)),
        }
    }
    let mut db = app.db.acquire().await?;
    for t in templates::all(&mut db).await? {
        if t.is_from_file() && !listing.dumps.iter().any(|dump| dump.file == t.source) {
            done.problems.push((t.name, format!("{} is not in the directory of dumps.", t.source)));
        }
    }
    Ok(done)
}

/// The templates that are made from a dump, usually one: a template keeps its dump when it gets another name. For a new
/// dump, one is created.
async fn of_dump(app: &App, dir: &Path, dump: &DumpFile, actor: &Actor) -> Result<Vec<Template>, RequestError> {
    let mut db = app.db.acquire().await?;
    let known = templates::of_file(&mut db, &dump.file).await?;
    if !known.is_empty() {
        return Ok(known);
    }
    let Some(t) = templates::by_name(&mut db, dump.template.as_str()).await? else {
        drop(db);
        return create(app, dump, None, actor).await.map(|t| vec![t]);
    };
    let what = match (t.is_from_file(), t.origin.object()) {
        (true, _) if !tokio::fs::try_exists(dir.join(&t.source)).await.unwrap_or(true) => {
            // The dump was replaced by one with another ending.
            templates::set_file(&mut db, t.id, &dump.file).await?;
            return Ok(vec![Template { source: dump.file.clone(), ..t }]);
        }
        (true, _) => "",
        (false, Some(_)) => "object ",
        (false, None) => "the ",
    };
    let why = format!("The template “{}” is made from {what}{}. Give {} another name.", t.name, t.source, dump.file);
    Err(RequestError::Template(why))
}

/// Imports the dump of a template if it is new or has changed since the last import. Returns whether it is imported.
async fn update_one(app: &App, dir: &Path, t: &Template, actor: &Actor) -> Result<bool, RequestError> {
    let mut db = app.db.acquire().await?;
    let last = versions::latest(&mut db, t.id, 1).await?;
    drop(db);
    if let Some(last) = last.first()
        && !has_changed(dir, t, last).await.map_err(RequestError::Template)?
    {
        return Ok(false);
    }
    refresh(app, t, actor).await.map(|_| true)
}

/// Whether the dump or the script of a version has changed since its import, which may have failed.
async fn has_changed(dir: &Path, t: &Template, last: &TemplateVersion) -> Result<bool, String> {
    if last.made_at.is_none() && last.failed_at.is_none() {
        return Ok(false);
    }
    if last.source != t.source {
        return Ok(true);
    }
    let seen = stamp(&dir.join(&last.source)).await?;
    if i64::try_from(seen.bytes).ok() != Some(last.source_bytes) || Some(seen.mtime) != last.source_mtime {
        return Ok(true);
    }
    let Some(hook) = directory::hook(dir, &last.source).await else { return Ok(!last.hook_sha256.is_empty()) };
    // Only the script is read: the checksum of a dump of many gigabytes takes minutes.
    let facts = measure(hook, None, &seen).await.map_err(|e| e.to_string())?;
    Ok(facts.sha256 != last.hook_sha256)
}

/// Imports what has changed, at the configured hour.
///
/// # Errors
/// If mydb_admin is unavailable.
pub async fn nightly(app: &App) -> anyhow::Result<Value> {
    if app.config.templates.hour != Some(hour(app, app.clock.now())) {
        return Ok(json!({ "skipped": "it is not the hour" }));
    }
    if !tokio::fs::try_exists(&app.config.templates.dumps).await.unwrap_or(false) {
        return Ok(json!({ "skipped": "there is no directory of dumps" }));
    }
    let done = update(app, &Actor::portal("templates")).await?;
    for (what, why) in &done.problems {
        tracing::warn!(dump = what, "Could not update a template: {why}");
    }
    let problems: Vec<_> = done.problems.iter().map(|(what, why)| format!("{what}: {why}")).collect();
    Ok(json!({ "importing": done.importing, "unchanged": done.unchanged.len(), "problems": problems }))
}

/// The hour of the day in the time zone of backups.
fn hour(app: &App, now: DateTime<Utc>) -> u32 {
    now.with_timezone(&app.config.backups.window.zone).hour()
}

/// Changes a template.
///
/// # Errors
/// [`RequestError::TemplateNameTaken`] if another template has the name; nothing is written then.
pub async fn edit(app: &App, t: &Template, edit: &TemplateEdit<'_>, actor: &Actor) -> Result<(), RequestError> {
    let mut tx = app.db.begin().await?;
    templates::edit(&mut tx, t.id, edit).await.map_err(|e| match constraint(&e) {
        Some("template_name_key") => RequestError::TemplateNameTaken,
        _ => e.into(),
    })?;
    let entry = LogEntry { action: "template.edit", container: None, outcome: Outcome::Ok, detail: &t.name };
    log::append(&mut tx, actor, &entry, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Deletes a template. Databases made from it stay; its versions are removed.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn delete(app: &App, t: &Template, actor: &Actor) -> Result<(), RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    templates::delete(&mut tx, t.id, now).await?;
    notices::end(&mut tx, t.id, NoticeKind::ImportFailed, now).await?;
    let entry = LogEntry { action: "template.delete", container: None, outcome: Outcome::Ok, detail: &t.name };
    log::append(&mut tx, actor, &entry, now).await?;
    Ok(tx.commit().await?)
}
