//! Converts the raw fields of the create form and of the API call to a validated request.

use crate::admin_db::people::accounts;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::configured::check_available;
use crate::domain::backup_schedule::{OWN, Policy};
use crate::domain::cron_line::CronLine;
use crate::domain::engine::EngineKind;
use crate::domain::names::own_name::own_name;
use crate::domain::names::{ContainerName, DbName, DbUser};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MIB, MilliCpus};
use crate::domain::user::User;
use crate::provision::request::CreateRequest;
use crate::runtime::image_states::ImageState;
use crate::storage::unavailable_reason;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::{Fields, cores, extensions, ttl};

/// Errors by field, in the order of the form.
pub type Faults = Vec<(String, String)>;

/// Why a form could not be converted to a request.
pub enum CreateFault {
    /// Invalid values.
    Fields(Faults),
    /// Any other error.
    App(AppError),
}

impl From<AppError> for CreateFault {
    fn from(e: AppError) -> Self {
        Self::App(e)
    }
}

impl From<sqlx::Error> for CreateFault {
    fn from(e: sqlx::Error) -> Self {
        Self::App(e.into())
    }
}

/// Collects errors while values are read.
#[derive(Default)]
struct FormReader(Faults);

impl FormReader {
    fn take<T, E: ToString>(&mut self, field: &str, read: Result<T, E>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(e) => {
                self.0.push((field.to_owned(), e.to_string()));
                None
            }
        }
    }
}

/// Reads the fields of the form or the call and returns all errors at once, each for its field.
///
/// # Errors
/// [`CreateFault::Fields`] with all errors.
pub async fn parse<'a>(ctx: &'a Context, fields: &Fields) -> Result<CreateRequest<'a>, CreateFault> {
    let app = ctx.app();
    let user = ctx.user()?;
    let mut r = FormReader::default();
    let image = r.take("image", image(ctx, fields));
    let engine = image.map_or(EngineKind::Postgres, |i| i.engine);
    let described = engine.engine();
    let name = r.take("name", ContainerName::parse(fields.text("name")));
    let (dbname, dbuser) = own_names(&mut r, engine, fields, name.as_ref());
    let extensions = match image {
        Some(image) => {
            let offered = extensions::offered(ctx, image).await?;
            r.take(extensions::FIELD, extensions::chosen(image, &offered, fields))
        }
        None => None,
    };
    let password = match fields.raw("dbuserpass") {
        "" => None,
        typed => r.take(
            "dbuserpass",
            Password::parse(typed).and_then(|p| match described.password_fault(typed) {
                Some(rule) => Err(rule.to_owned()),
                None => Ok(p),
            }),
        ),
    };
    let owner = owner(ctx, user, fields.text("owner")).await?;
    let owner = r.take("owner", owner);
    let contact = r.take("contact", line(fields.text("contact"), 200));
    let department = r.take("department", line(fields.text("department"), 200));
    let description = r.take("description", line(fields.text("description"), 500));
    // If the owner is invalid, the storage is checked for the signed-in user, so that at least their restrictions are
    // reported.
    let storage = r.take("storage", storage(ctx, owner.as_ref().unwrap_or(user), engine, fields.text("storage")));
    let (field, line) = policy_text(fields);
    let backup_freq = r.take(field, policy(field, line));
    let expires_at = r.take(ttl::TTL, ttl::end(ctx, engine, fields));
    let least = image.map_or(ByteSize(1), |i| i.min_memory);
    let memory = r.take(
        "memory",
        memory(fields.text("memory"), app.config.limits.memory_default, least, app.config.limits.memory_max),
    );
    let cpus = r.take("cpus", cpus(fields.text("cpus"), app.config.limits.cpus_default, app.config.limits.cpus_max));
    let cores = r.take(cores::FIELD, cores::read_new(app, fields).await);
    match (
        image,
        name,
        dbname,
        dbuser,
        owner,
        contact,
        department,
        description,
        storage,
        memory,
        cpus,
        cores,
        extensions,
        backup_freq,
        expires_at,
    ) {
        (
            Some(image),
            Some(name),
            Some(dbname),
            Some(dbuser),
            Some(owner),
            Some(contact),
            Some(department),
            Some(description),
            Some(storage),
            Some(memory),
            Some(cpus),
            Some(cores),
            Some(extensions),
            Some(backup_freq),
            Some(expires_at),
        ) if r.0.is_empty() => Ok(CreateRequest {
            image,
            name,
            dbname,
            dbuser,
            password,
            owner,
            contact,
            department,
            description,
            storage,
            memory,
            cpus,
            cores,
            extensions,
            backup_freq,
            expires_at,
        }),
        _ => Err(CreateFault::Fields(r.0)),
    }
}

/// The field that holds the backup schedule, and its text: the selected schedule, or the cron line if “own times” is
/// selected.
pub fn policy_text(fields: &Fields) -> (&'static str, &str) {
    match fields.text("backup_freq") {
        OWN if fields.has("backup_cron") => ("backup_cron", fields.text("backup_cron")),
        choice => ("backup_freq", choice),
    }
}

/// Parses the schedule.
pub fn policy(field: &str, text: &str) -> Result<Policy, String> {
    if field == "backup_cron" {
        return CronLine::parse(text).map(|line| Policy::Own(Box::new(line)));
    }
    Policy::read(text, Policy::Daily)
}

/// The image: one from the catalog, by full reference or by version within the engine; the engine's default if none is
/// named.
fn image<'a>(ctx: &'a Context, fields: &Fields) -> Result<&'a CatalogImage, String> {
    let catalog = &ctx.app().catalog;
    let engine = match fields.text("engine") {
        "" => catalog.engines().first().copied(),
        word => EngineKind::parse(word).filter(|e| catalog.engines().contains(e)),
    };
    let engine = engine.ok_or_else(|| format!("“{}” is not available.", fields.text("engine")))?;
    let wanted = fields.text("image");
    let usable = |i: &&CatalogImage| ctx.app().images.get(&i.image).unavailable().is_none();
    let found = match wanted {
        // The engine's default; if it is unavailable, the next image that is available.
        "" => catalog.of(engine).find(usable).or_else(|| catalog.of(engine).next()),
        text => catalog.named(engine, text),
    };
    let image = found.ok_or_else(|| format!("“{wanted}” is not in the catalog."))?;
    match ctx.app().images.get(&image.image) {
        ImageState::Unavailable(_) => {
            Err("This version is currently unavailable. Choose another, or ask an administrator.".to_owned())
        }
        _ => Ok(image),
    }
}

/// The names of the database and of its user.
fn own_names(
    r: &mut FormReader,
    engine: EngineKind,
    fields: &Fields,
    name: Option<&ContainerName>,
) -> (Option<DbName>, Option<DbUser>) {
    let engine = engine.engine();
    let (fixed, rules, user_rules) = (engine.fixed_names(), engine.database_rules(), engine.user_rules());
    let own = |field, fixed, rules| {
        own_name(fields.text(field), fixed, engine.label(), name.map(|name| name.identifier(rules)))
    };
    let dbname = own("dbname", fixed.map(|f| f.dbname), &rules)
        .and_then(|text| r.take("dbname", text.and_then(|n| DbName::parse(&n, &rules).map_err(|e| e.to_string()))));
    let dbuser = own("dbuser", fixed.map(|f| f.dbuser), &user_rules).and_then(|text| {
        r.take("dbuser", text.and_then(|n| DbUser::parse(&n, &user_rules).map_err(|e| e.to_string())))
    });
    (dbname, dbuser)
}

/// The owner: the signed-in user, or for administrators any enabled account.
pub async fn owner(ctx: &Context, user: &User, wanted: &str) -> Result<Result<User, String>, AppError> {
    if wanted.is_empty() || wanted == user.username.as_str() {
        return Ok(Ok(user.clone()));
    }
    if !user.is_admin() {
        return Ok(Err("Only administrators can create a database for another account.".to_owned()));
    }
    let mut db = ctx.app().db.acquire().await?;
    let account = accounts::by_name(&mut db, wanted).await?;
    let found = account.filter(|a| a.disabled_at.is_none()).and_then(|a| a.user());
    Ok(found.ok_or_else(|| format!("There is no account “{wanted}”.")))
}

/// A tier that this owner may use and that is available.
fn storage(ctx: &Context, owner: &User, engine: EngineKind, wanted: &str) -> Result<String, String> {
    let config = &ctx.app().config;
    let mut allowed =
        config.storage.iter().filter(|t| t.allows(owner.username.as_str(), owner.is_admin(), engine.as_str()));
    let tier = match wanted {
        "" => allowed.find(|t| unavailable_reason(t).is_none()),
        name => allowed.find(|t| t.name == name),
    };
    let tier = tier.ok_or_else(|| match wanted {
        "" if ctx.user().is_ok_and(User::is_admin) => no_tier(&config.storage),
        "" => "No storage tier is available to you. Ask an administrator.".to_owned(),
        name => format!("The storage tier “{name}” is not available to you."),
    })?;
    check_available(tier).map_err(|e| e.to_string())?;
    Ok(tier.name.clone())
}

/// Why no tier can be used, for those who can change that.
fn no_tier(tiers: &[Tier]) -> String {
    let reasons = tiers.iter().filter_map(|t| Some(format!("“{}”: {}", t.name, unavailable_reason(t)?)));
    let reasons: Vec<_> = reasons.collect();
    if reasons.is_empty() {
        return "No configured storage tier allows this owner and engine.".to_owned();
    }
    format!("No storage tier is available. {}.", reasons.join("; "))
}

/// A memory limit: the default if empty, and never below what the image needs.
pub fn memory(text: &str, default: ByteSize, least: ByteSize, most: ByteSize) -> Result<ByteSize, String> {
    let memory = if text.is_empty() { default.max(least) } else { ByteSize::parse(text)? };
    // A plain number means bytes, as in the API; a person who types a small one means another unit.
    if memory.0 < MIB && text.chars().all(|c| c.is_ascii_digit() || c == '.') && !text.is_empty() {
        return Err(format!("“{text}” needs a unit, for example 768m or 2g."));
    }
    if memory < least {
        return Err(format!("This server needs at least {least}."));
    }
    if memory > most {
        return Err(format!("The maximum is {most}."));
    }
    Ok(memory)
}

/// A CPU limit: the default if empty.
pub fn cpus(text: &str, default: MilliCpus, most: MilliCpus) -> Result<MilliCpus, String> {
    let cpus = if text.is_empty() { default } else { MilliCpus::parse(text)? };
    if cpus > most {
        return Err(format!("The maximum is {most} CPUs."));
    }
    Ok(cpus)
}

/// Free text of one or a few lines, without control characters other than line breaks.
pub fn line(text: &str, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        return Err(format!("Use at most {most} characters."));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\r') {
        return Err("The text must not contain control characters.".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::web::forms::create::*;

    #[test]
    fn a_small_number_without_a_unit_is_rejected() {
        let read = |text: &str| memory(text, ByteSize(512 * MIB), ByteSize(128 * MIB), ByteSize(4096 * MIB));
        assert!(read("768").unwrap_err().contains("needs a unit"));
        assert!(read("2").unwrap_err().contains("needs a unit"));
        assert_eq!(read("536870912"), Ok(ByteSize(512 * MIB)));
        assert_eq!(read("768m"), Ok(ByteSize(768 * MIB)));
        assert!(read("64m").unwrap_err().contains("at least 128 MiB"));
        assert_eq!(read(""), Ok(ByteSize(512 * MIB)));
    }
}
