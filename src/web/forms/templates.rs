//! Reads the fields of the forms and API calls about templates.

use crate::admin_db::templates::{Template, TemplateEdit};
use crate::domain::names::{ContainerName, InstanceName, TemplateName, Username};
use crate::domain::quantity::ByteSize;
use crate::domain::ttl::Lifetime;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::templates::copy_names::CopyNames;
use crate::templates::from_database::{create_from_backup, create_from_database, source};
use crate::templates::instance::{InstanceRequest, end};
use crate::templates::origin::TemplateSource;
use crate::templates::{object_request, request, upload};
use crate::web::access::backup_access::visible_backup;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::{Faults, line, memory};
use crate::web::forms::dump::{FILE, SentFile};

/// Why a template made from a database has no names of its own.
const KEPT: &str = "A template made from a database keeps its names. Leave this field empty.";
/// Longest description, in characters.
const DESCRIPTION: usize = 500;

/// Creates a template from a database of the caller, from one of its snapshots or backups, or, for administrators, from an
/// object in a backup target.
///
/// # Errors
/// [`AppError`] if the caller may not copy the database; the refusal if the template cannot be created.
pub async fn create(
    ctx: &Context,
    name: &TemplateName,
    from: &TemplateSource,
    names: CopyNames<'_>,
) -> Result<Result<Template, RequestError>, AppError> {
    let user = ctx.user()?;
    let typed = [("dbname", names.dbname), ("dbuser", names.dbuser)];
    let kept = typed.into_iter().filter(|(_, text)| !text.is_empty() && !matches!(from, TemplateSource::Object(_)));
    let kept: Faults = kept.map(|(field, _)| (field.to_owned(), KEPT.to_owned())).collect();
    if !kept.is_empty() {
        return Ok(Err(RequestError::Fields(kept)));
    }
    match from {
        TemplateSource::Backup(id) => {
            let (backup, _) = visible_backup(ctx, &id.to_string(), Action::Backup).await?;
            return Ok(create_from_backup(ctx.app(), name, &backup, Some(user), &ctx.actor()).await);
        }
        TemplateSource::Object(object) if user.is_admin() => {
            return Ok(object_request::create(ctx.app(), Some(name), object, (None, names), &ctx.actor()).await);
        }
        TemplateSource::Object(_) => {
            let why = "Only administrators can make templates from objects in backup targets.";
            return Err(AppError::Forbidden(why.to_owned()));
        }
        TemplateSource::Database(_) | TemplateSource::Snapshot(_) => {}
    }
    let Some((c, snapshot)) = source(ctx.app(), from).await? else { return Err(AppError::NotFound) };
    let c = ctx.container(&c.name, Action::Backup).await?;
    Ok(create_from_database(ctx.app(), name, (&c, snapshot.as_ref()), Some(user), &ctx.actor()).await)
}

/// The names of database and user that were typed.
pub fn copy_names(fields: &Fields) -> CopyNames<'_> {
    CopyNames { dbname: fields.text("dbname"), dbuser: fields.text("dbuser") }
}

/// Creates a template from an uploaded dump: reads `name`, `dbname`, `dbuser` and the file.
///
/// # Errors
/// [`AppError`] if mydb_admin is unavailable; the errors by field.
pub async fn upload(
    ctx: &Context,
    fields: &Fields,
    file: Option<SentFile>,
) -> Result<Result<Template, Faults>, AppError> {
    let mut faults = Faults::new();
    let name = TemplateName::parse(fields.text("name")).map_err(|e| faults.push(("name".to_owned(), e.to_string())));
    let sent = file.unwrap_or_else(|| Err("Choose a dump file.".to_owned()));
    let sent = sent.map_err(|why| faults.push((FILE.to_owned(), why)));
    let (Ok(name), Ok((staging, dump, sent_as))) = (name, sent) else { return Ok(Err(faults)) };
    let (app, actor) = (ctx.app(), ctx.actor());
    let refused = match upload::keep(app, &name, &staging, (&dump, &sent_as)).await {
        Ok(kept) => match request::create(app, &kept, (Some(dump.format.engine()), copy_names(fields)), &actor).await {
            Ok(t) => return Ok(Ok(t)),
            Err(e) => {
                upload::discard(app, &kept).await;
                e
            }
        },
        Err(e) => e,
    };
    let field = if matches!(refused, RequestError::TemplateNameTaken) { "name" } else { FILE };
    match ctx.refused("template.create", None, refused).await {
        AppError::Conflict(why) => Ok(Err(vec![(field.to_owned(), why)])),
        AppError::Invalid(faults) => Ok(Err(faults)),
        e => Err(e),
    }
}

/// Reads `name`, `memory` and `ttl` of a database to create from a template.
///
/// # Errors
/// The errors by field.
pub fn instance<'a>(ctx: &Context, t: &'a Template, fields: &Fields) -> Result<InstanceRequest<'a>, FormFault> {
    let mut faults = Faults::new();
    let mut take = |field: &str, why: String| faults.push((field.to_owned(), why));
    let name = ContainerName::parse(fields.text("name")).map_err(|e| take("name", e.to_string())).ok();
    let instance = InstanceName::parse(fields.text("name")).ok();
    let memory = fields_memory(ctx, t, fields).map_err(|e| take("memory", e)).ok().flatten();
    let owner = ctx.user()?.clone();
    let ttl = fields.has("ttl").then(|| fields.text("ttl"));
    let ends = end(ctx.app(), &owner, t, ttl).map_err(|e| take("ttl", e.to_string())).ok();
    match (name, instance, ends) {
        (Some(name), Some(instance), Some(expires_at)) if faults.is_empty() => {
            Ok(InstanceRequest { template: t, owner, instance, name: Some(name), memory, expires_at, password: None })
        }
        _ => Err(FormFault::Fields(faults)),
    }
}

fn fields_memory(ctx: &Context, t: &Template, fields: &Fields) -> Result<Option<ByteSize>, String> {
    let (limits, has) = (&ctx.app().config.limits, ByteSize(t.memory_bytes));
    let least = ctx.app().catalog.find(&t.image).map_or(has, |image| image.min_memory);
    match fields.text("memory") {
        "" => Ok(None),
        text => memory(text, has, least, limits.memory_max.max(has)).map(Some),
    }
}

/// Why a form was rejected.
#[derive(Debug)]
pub enum FormFault {
    /// Invalid values by field.
    Fields(Faults),
    /// Anything else.
    App(AppError),
}

impl From<AppError> for FormFault {
    fn from(e: AppError) -> Self {
        Self::App(e)
    }
}

/// The settings of a template as sent.
#[derive(Debug)]
pub struct TemplateSettings {
    name: String,
    image: String,
    dbname: String,
    dbuser: String,
    memory: i64,
    ttl: Option<i64>,
    users: Vec<String>,
    description: String,
}

impl TemplateSettings {
    /// Reads `name`, `image`, `dbname`, `dbuser`, `memory`, `ttl`, `users` and `description`; fields that were not sent stay as they are.
    ///
    /// # Errors
    /// The errors by field.
    pub fn read(ctx: &Context, t: &Template, fields: &Fields) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut take = |field: &str, why: String| faults.push((field.to_owned(), why));
        let sent = |field: &str| fields.has(field).then(|| fields.text(field).to_owned());
        let mut settings = Self {
            name: t.name.clone(),
            image: t.image.clone(),
            dbname: t.dbname.clone(),
            dbuser: t.dbuser.clone(),
            memory: t.memory_bytes,
            ttl: t.ttl_seconds,
            users: t.users.clone(),
            description: t.description.clone(),
        };
        if let Some(name) = sent("name") {
            match TemplateName::parse(&name) {
                Ok(name) => settings.name = name.to_string(),
                Err(e) => take("name", e.to_string()),
            }
        }
        if let Some(image) = sent("image") {
            match ctx.app().catalog.find(&image).filter(|found| found.engine == t.engine) {
                Some(_) => settings.image = image,
                None => take("image", format!("Choose an image of {} from the catalog.", t.engine.label())),
            }
        }
        for (field, why) in settings.read_names(ctx, t, fields) {
            take(&field, why);
        }
        match fields_memory(ctx, t, fields) {
            Ok(Some(memory)) => settings.memory = memory.0,
            Ok(None) => {}
            Err(why) => take("memory", why),
        }
        if let Some(ttl) = sent("ttl") {
            match Some(ttl).filter(|ttl| !ttl.is_empty()).map(|ttl| Lifetime::parse(&ttl)).transpose() {
                Ok(ttl) => settings.ttl = ttl.map(|ttl| ttl.duration().num_seconds()),
                Err(e) => take("ttl", e.to_string()),
            }
        }
        if fields.has("users") {
            let names =
                fields.all("users").flat_map(|text| text.split([',', ' ', '\n'])).filter(|name| !name.is_empty());
            let names: Result<Vec<_>, _> = names.map(Username::parse).collect();
            match names {
                Ok(names) => settings.users = names.iter().map(ToString::to_string).collect(),
                Err(e) => take("users", e.to_string()),
            }
        }
        if let Some(text) = sent("description") {
            match line(&text, DESCRIPTION) {
                Ok(text) => settings.description = text,
                Err(why) => take("description", why),
            }
        }
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    /// Reads the names of database and user, which copies have from the next import on. Returns the errors by field.
    fn read_names(&mut self, ctx: &Context, t: &Template, fields: &Fields) -> Faults {
        let typed =
            |field: &str, has: &str| if fields.has(field) { fields.text(field).to_owned() } else { has.to_owned() };
        let (dbname, dbuser) = (typed("dbname", &t.dbname), typed("dbuser", &t.dbuser));
        if (&dbname, &dbuser) == (&t.dbname, &t.dbuser) {
            return Faults::new();
        }
        if t.is_personal() {
            let changed = [("dbname", dbname != t.dbname), ("dbuser", dbuser != t.dbuser)];
            return changed
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(field, _)| (field.to_owned(), KEPT.to_owned()))
                .collect();
        }
        // A wrong name of the template is reported for its own field.
        let Ok(name) = TemplateName::parse(&self.name) else { return Faults::new() };
        match (CopyNames { dbname: &dbname, dbuser: &dbuser }).parse(ctx.app(), t.engine, &name) {
            Ok((dbname, dbuser)) => {
                (self.dbname, self.dbuser) = (dbname.to_string(), dbuser.to_string());
                Faults::new()
            }
            Err(faults) => faults,
        }
    }

    /// As a change of the row.
    pub fn edit(&self) -> TemplateEdit<'_> {
        TemplateEdit {
            name: &self.name,
            image: &self.image,
            dbname: &self.dbname,
            dbuser: &self.dbuser,
            memory_bytes: self.memory,
            ttl_seconds: self.ttl,
            users: &self.users,
            description: &self.description,
        }
    }
}
