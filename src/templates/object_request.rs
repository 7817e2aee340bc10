//! Creates templates from objects in backup targets: an object is read as a dump. Targets contain the backups of everybody, so
//! this is for administrators.

use futures::StreamExt;

use crate::admin_db::log::Actor;
use crate::admin_db::templates::Template;
use crate::admin_db::templates::origin::{SourceObject, TemplateOrigin};
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::objects::Store;
use crate::queue::refusal::RequestError;
use crate::templates::copy_names::CopyNames;
use crate::templates::directory;
use crate::templates::new_template::{NewTemplate, insert};
use crate::templates::origin::TargetObject;
use crate::templates::request::{copies, image_for};
use crate::templates::source::head_of;

/// Bytes read of an object to recognise it.
const HEAD: usize = 512 * 1024;

/// Creates a template from an object. Without `name`, the name of the object is that of the template; without `engine`,
/// the dump says which it is.
///
/// # Errors
/// [`RequestError::Template`] with a sentence, if there is no such object or it is not a dump; nothing is written then.
pub async fn create(
    app: &App,
    name: Option<&TemplateName>,
    object: &TargetObject,
    (engine, names): (Option<EngineKind>, CopyNames<'_>),
    actor: &Actor,
) -> Result<Template, RequestError> {
    let refused = |why: String| RequestError::Template(why);
    let store = app.stores.get(&object.target).ok_or_else(|| {
        refused(format!("There is no backup target “{}”. See Administration → Targets.", object.target))
    })?;
    let info = store.head(&object.key).await.map_err(|e| refused(e.to_string()))?;
    let info = info.ok_or_else(|| refused(format!("{} does not exist.", store.url(&object.key))))?;
    let dump =
        directory::named(object.file(), info.bytes).map_err(|why| refused(format!("{}: {why}", object.file())))?;
    let found = head_of(beginning(store, &object.key).await.map_err(refused)?).await;
    let (engine, version) = match (engine.or(dump.engine), found) {
        (Some(engine), Ok(found)) if found.format.engine() == engine => (engine, Some(found)),
        (Some(engine), _) => (engine, None),
        (None, Ok(found)) => (found.format.engine(), Some(found)),
        (None, Err(why)) => return Err(refused(format!("{}: {why}", object.file()))),
    };
    let image = image_for(app, engine, version.as_ref())
        .await?
        .ok_or_else(|| refused(format!("The catalog has no image of {} that can load it.", engine.label())))?;
    let name = name.unwrap_or(&dump.template);
    let new = NewTemplate {
        name,
        origin: TemplateOrigin::Object(SourceObject { target: object.target.clone(), key: object.key.clone() }),
        source: format!("{}/{}", object.target, object.key),
        copies: copies(app, name, image, names)?,
    };
    insert(app, new, None, actor).await
}

/// The first bytes of an object.
async fn beginning(store: &Store, key: &str) -> Result<Vec<u8>, String> {
    let mut download = store.get(key).await.map_err(|e| e.to_string())?;
    let mut head = Vec::new();
    while head.len() < HEAD
        && let Some(piece) = download.stream.next().await
    {
        head.extend_from_slice(&piece.map_err(|e| e.to_string())?);
    }
    Ok(head)
}
