//! Creates templates from dumps, and changes and deletes templates.

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::templates::origin::TemplateOrigin;
use crate::admin_db::templates::{Template, TemplateEdit};
use crate::admin_db::{constraint, log, notices, templates};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::import::format::fit;
use crate::manifest::dump::Dump;
use crate::queue::refusal::RequestError;
use crate::templates::copy_names::CopyNames;
use crate::templates::directory::DumpFile;
use crate::templates::new_template::{CopySettings, NewTemplate, insert};
use crate::templates::source::beginning;

/// Creates a template from a dump in the directory. Without `engine`, the dump says which it is.
///
/// # Errors
/// [`RequestError::Template`] with a sentence, [`RequestError::Fields`]; nothing is written then.
pub async fn create(
    app: &App,
    dump: &DumpFile,
    (engine, names): (Option<EngineKind>, CopyNames<'_>),
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
    let copies = copies(app, &dump.template, image, names)?;
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

/// What the databases made from a dump are like: the site's defaults, and `names`.
pub(super) fn copies(
    app: &App,
    name: &TemplateName,
    image: &CatalogImage,
    names: CopyNames<'_>,
) -> Result<CopySettings, RequestError> {
    let config = &app.config;
    let wanted = &config.templates.storage;
    let usable = |tier: &&crate::config::Tier| {
        (wanted.is_empty() || tier.name == *wanted) && tier.allows("", true, image.engine.as_str())
    };
    let tier = config.storage.iter().find(usable).ok_or_else(|| {
        RequestError::Template(format!("No storage tier allows {}. See templates.storage.", image.engine.label()))
    })?;
    let (dbname, dbuser) = names.parse(app, image.engine, name).map_err(RequestError::Fields)?;
    let memory = config.templates.memory.unwrap_or(config.limits.memory_default).max(image.min_memory);
    Ok(CopySettings {
        engine: image.engine,
        image: image.image.clone(),
        storage: tier.name.clone(),
        dbname: dbname.to_string(),
        dbuser: dbuser.to_string(),
        memory_bytes: memory.0,
        millicpus: config.limits.cpus_default.0,
    })
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
    for kind in [NoticeKind::ImportFailed, NoticeKind::DumpUnusable] {
        notices::end(&mut tx, t.id, kind, now).await?;
    }
    let entry = LogEntry { action: "template.delete", container: None, outcome: Outcome::Ok, detail: &t.name };
    log::append(&mut tx, actor, &entry, now).await?;
    Ok(tx.commit().await?)
}
