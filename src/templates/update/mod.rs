//! Imports the dumps in the directory that are new or have changed, on demand and every night.

mod problems;

use std::path::Path;

use chrono::{DateTime, Timelike, Utc};
use serde_json::{Value, json};

use crate::admin_db::log::Actor;
use crate::admin_db::templates;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::admin_db::templates::{Template, versions};
use crate::app::App;
use crate::queue::refusal::RequestError;
use crate::templates::copy_names::CopyNames;
use crate::templates::directory;
use crate::templates::directory::{DumpFile, Listing};
use crate::templates::refresh::refresh;
use crate::templates::request::create;
use crate::templates::source::{measure, stamp};
use crate::templates::update::problems::Problems;

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

/// Imports every dump in the directory that is new or has changed. Administrators get notices about what cannot be
/// imported, until it can.
///
/// # Errors
/// [`RequestError::Template`] if the directory cannot be read. A problem with one dump does not keep the others.
pub async fn update(app: &App, actor: &Actor) -> Result<Update, RequestError> {
    let mut problems = Problems::default();
    let listing = match directory::list(&app.config.templates.dumps).await {
        Ok(listing) => listing,
        Err(why) => {
            problems.other(&why);
            problems.tell(app).await?;
            return Err(RequestError::Template(why));
        }
    };
    let done = update_listed(app, &listing, actor, &mut problems).await?;
    problems.is_complete = true;
    problems.tell(app).await?;
    Ok(done)
}

async fn update_listed(
    app: &App,
    listing: &Listing,
    actor: &Actor,
    problems: &mut Problems,
) -> Result<Update, RequestError> {
    let dir = &app.config.templates.dumps;
    let mut done = Update::default();
    done.problems.extend(listing.unusable.iter().map(|u| (u.file.clone(), u.why.clone())));
    for dump in &listing.dumps {
        match of_dump(app, dir, dump, actor).await {
            Ok(made_from_it) => {
                for t in made_from_it {
                    let told = update_one(app, dir, &t, actor).await;
                    if let Some(why) = reason(&told) {
                        problems.of_template(&t, &why);
                    }
                    done.note(t.name, told);
                }
            }
            Err(e) => {
                problems.other(&e.to_string());
                done.note(dump.template.to_string(), Err(e));
            }
        }
    }
    let mut db = app.db.acquire().await?;
    let mut all = templates::all(&mut db).await?;
    drop(db);
    all.retain(Template::is_from_file);
    let is_empty = listing.dumps.is_empty() && listing.unusable.is_empty() && all.len() > 1;
    if is_empty {
        let (dir, count) = (dir.display(), all.len());
        problems.other(&format!(
            "The directory of dumps {dir} is empty, but {count} templates are made from dumps in it. Is its disk mounted?"
        ));
    }
    for t in all.into_iter().filter(|t| !listing.dumps.iter().any(|dump| dump.file == t.source)) {
        let why = match listing.unusable.iter().find(|u| u.file == t.source) {
            Some(unusable) => format!("{}: {}", t.source, unusable.why),
            None => format!("{} is not in the directory of dumps.", t.source),
        };
        if !is_empty {
            problems.of_template(&t, &why);
        }
        done.problems.push((t.name, why));
    }
    Ok(done)
}

/// Why a dump cannot be imported. One that is being imported can.
fn reason(told: &Result<bool, RequestError>) -> Option<String> {
    match told {
        Ok(_) | Err(RequestError::Busy) => None,
        Err(e) => Some(e.to_string()),
    }
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
        return create(app, dump, (None, CopyNames::default()), actor).await.map(|t| vec![t]);
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
    let mut db = app.db.acquire().await?;
    let is_used = templates::all(&mut db).await?.iter().any(Template::is_from_file);
    drop(db);
    if !is_used && !tokio::fs::try_exists(&app.config.templates.dumps).await.unwrap_or(false) {
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
