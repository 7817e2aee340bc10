//! Writes new templates, whatever they are made from.

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts;
use crate::admin_db::templates::Template;
use crate::admin_db::templates::origin::TemplateOrigin;
use crate::admin_db::{constraint, log, new_id, templates};
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::domain::user::User;
use crate::provision::request::held;
use crate::provision::tier_access;
use crate::provision::tier_access::TierUse;
use crate::queue::refusal::RequestError;

/// A template to create.
pub(super) struct NewTemplate<'a> {
    /// Name.
    pub(super) name: &'a TemplateName,
    /// What it is made from.
    pub(super) origin: TemplateOrigin,
    /// The same for people: the name of the file, or a description.
    pub(super) source: String,
    /// What the databases made from it are like.
    pub(super) copies: CopySettings,
}

/// What the databases made from a template are like.
pub(super) struct CopySettings {
    pub(super) engine: EngineKind,
    pub(super) image: String,
    pub(super) storage: String,
    pub(super) dbname: String,
    pub(super) dbuser: String,
    pub(super) memory_bytes: i64,
    pub(super) millicpus: i32,
}

/// Writes a new template and its log entry. A template of `maker` is for that person only and counts towards the limit of
/// databases, unless `maker` is an administrator or nobody in particular.
///
/// # Errors
/// [`RequestError::TemplateNameTaken`] if another template has the name, [`RequestError::TooMany`], [`RequestError::TierRefused`];
/// nothing is written then.
pub(super) async fn insert(
    app: &App,
    new: NewTemplate<'_>,
    maker: Option<&User>,
    actor: &Actor,
) -> Result<Template, RequestError> {
    let (NewTemplate { name, origin, source, copies }, now) = (new, app.clock.now());
    let limited = maker.filter(|user| !user.is_admin());
    let t = Template {
        id: new_id(),
        name: name.to_string(),
        engine: copies.engine,
        image: copies.image,
        storage: copies.storage,
        source,
        origin,
        dbname: copies.dbname,
        dbuser: copies.dbuser,
        memory_bytes: copies.memory_bytes,
        millicpus: copies.millicpus,
        ttl_seconds: app.config.myaas.ttl.and_then(|ttl| i64::try_from(ttl.as_secs()).ok()),
        users: limited.map(|user| user.username.to_string()).into_iter().collect(),
        description: String::new(),
        current_version: None,
        created_by: actor.name.clone(),
        created_at: now,
    };
    let mut tx = app.db.begin().await?;
    if let Some(user) = limited {
        // Requests of one person wait for each other here, so that each counts those before it.
        accounts::lock(&mut tx, &[user.id]).await?;
        tier_access::check(app, &mut tx, (&t.storage, t.engine), (user, TierUse::Copy), actor).await?;
    }
    templates::insert(&mut tx, &t).await.map_err(|e| match constraint(&e) {
        Some("template_name_key") => RequestError::TemplateNameTaken,
        _ => e.into(),
    })?;
    if let Some(user) = limited {
        let (most, (databases, templates)) = (app.config.limits.containers_per_user, held(&mut tx, user.id).await?);
        if databases + templates > most {
            return Err(RequestError::too_many(user.username.as_str(), most, templates - 1));
        }
    }
    let detail = format!("{} from {}", t.name, t.source);
    let entry = LogEntry { action: "template.create", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, actor, &entry, now).await?;
    tx.commit().await?;
    Ok(t)
}
