//! Creates databases from templates: the request and its flow.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::{Container, expiry, states};
use crate::admin_db::log::Actor;
use crate::admin_db::templates::{Template, instances, versions};
use crate::admin_db::{constraint, templates};
use crate::app::App;
use crate::clones::request::{keep_password, keep_secret};
use crate::domain::backup_schedule::Policy;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::names::{ContainerName, DbName, DbUser, InstanceName};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::ttl::{Ttl, TtlFault};
use crate::domain::user::User;
use crate::provision::request::{CreateRequest, Created, act_in, make_in};
use crate::provision::{create, lifetime, pinning};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// Creates a database from a template: the steps of any new database, whose data is a copy of the template's.
pub static FROM_TEMPLATE: Flow = Flow {
    kind: JobKind::FromTemplate,
    title: "Create database from template",
    rules: JobRules::of(Pool::Short).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: create::STEPS,
};

/// A database to make from a template.
#[derive(Debug)]
pub struct InstanceRequest<'a> {
    /// The template.
    pub template: &'a Template,
    /// The owner.
    pub owner: User,
    /// Its name among the owner's databases from this template.
    pub instance: InstanceName,
    /// Its name on the pages; derived from the other names if `None`.
    pub name: Option<ContainerName>,
    /// Its memory limit, if not that of the template.
    pub memory: Option<ByteSize>,
    /// When it is deleted; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The password; generated if `None`.
    pub password: Option<Password>,
}

/// The result of a request.
#[derive(Debug)]
pub enum Instance {
    /// It is being made.
    New(Created),
    /// The owner has a database of this name from this template.
    There(Box<Container>),
}

/// How many names are tried on the pages if others have taken them.
const ATTEMPTS: usize = 5;

/// Requests a database from the current version of a template. Two requests for the same name make one database.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn request(app: &App, wanted: &InstanceRequest<'_>, actor: &Actor) -> Result<Instance, RequestError> {
    let mut name = match &wanted.name {
        Some(name) => name.clone(),
        None => derived(&app.config.myaas.prefix, &wanted.template.name, wanted.instance.as_str(), None)?,
    };
    for _ in 0..ATTEMPTS {
        let mut db = app.db.acquire().await?;
        let there = instances::by_name(&mut db, wanted.owner.id, wanted.template.id, wanted.instance.as_str()).await?;
        drop(db);
        if let Some(there) = there {
            return Ok(Instance::There(Box::new(there)));
        }
        match make(app, wanted, &name, actor).await {
            Ok(made) => return Ok(Instance::New(made)),
            // The same request at the same time, or another database with this name.
            Err(RequestError::NameTaken) if wanted.name.is_none() => {
                let other = hex::encode(app.random.bytes::<2>());
                name =
                    derived(&app.config.myaas.prefix, &wanted.template.name, wanted.instance.as_str(), Some(&other))?;
            }
            Err(e) => return Err(e),
        }
    }
    Err(RequestError::NameTaken)
}

async fn make(
    app: &App,
    wanted: &InstanceRequest<'_>,
    name: &ContainerName,
    actor: &Actor,
) -> Result<Created, RequestError> {
    let mut tx = app.db.begin().await?;
    // Read again, so that a version that becomes current meanwhile is used, and none that is being removed.
    let t = templates::by_id(&mut tx, wanted.template.id).await?.ok_or(RequestError::NoSuchTemplate)?;
    let version = t.current_version.ok_or(RequestError::TemplateEmpty)?;
    if !versions::hold(&mut tx, version).await? {
        return Err(RequestError::TemplateEmpty);
    }
    let v = versions::by_id(&mut tx, version).await?.ok_or(RequestError::NoSuchTemplate)?;
    let image = app.catalog.find(&v.image).ok_or_else(|| RequestError::NoImage(v.image.clone()))?;
    let engine = image.engine.engine();
    let names = (DbName::parse(&v.dbname, &engine.database_rules()), DbUser::parse(&v.dbuser, &engine.user_rules()));
    let (Ok(dbname), Ok(dbuser)) = names else { return Err(RequestError::NoSuchTemplate) };
    let request = CreateRequest {
        image,
        name: name.clone(),
        dbname,
        dbuser,
        password: Some(wanted.password.clone().unwrap_or_else(|| Password::generate(&app.random))),
        owner: wanted.owner.clone(),
        contact: String::new(),
        department: String::new(),
        description: format!("From the template {}", t.name),
        storage: v.storage.clone(),
        memory: wanted.memory.unwrap_or(ByteSize(t.memory_bytes)),
        cpus: MilliCpus(t.millicpus),
        extensions: Vec::new(),
        // Its content can be made again at any time.
        backup_freq: Policy::Never,
        expires_at: wanted.expires_at,
        cores: pinning::usual(app).await,
    };
    let mut made = make_in(app, &mut tx, &request, actor, &FROM_TEMPLATE, None).await?;
    let origin = instances::Origin { template: t.id, version, name: wanted.instance.as_str() };
    instances::set_origin(&mut tx, made.id, &origin).await.map_err(|e| match constraint(&e) {
        Some("container_instance_key") => RequestError::NameTaken,
        _ => e.into(),
    })?;
    made.generated = Some(keep_password(app, &mut tx, made.id, &request).await?);
    tx.commit().await?;
    app.wake.notify_one();
    Ok(made)
}

/// Requests a database again that could not be made. `anew` is the new request for it, with its expiry and
/// its password. It is copied from its version, or from the current one if that was removed meanwhile.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn again(
    app: &App,
    c: &Container,
    anew: Option<&InstanceRequest<'_>>,
    actor: &Actor,
) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    match states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)? {
        ContainerState::Failed | ContainerState::Requested => {}
        state @ (ContainerState::Deleting | ContainerState::Trashed | ContainerState::Purged) => {
            return Err(RequestError::State(state));
        }
        // Another request was faster.
        _ => return Err(RequestError::Busy),
    }
    let is_kept = match c.template_version {
        Some(id) => versions::hold(&mut tx, id).await?,
        None => false,
    };
    let dbuser = if is_kept { c.dbuser.clone() } else { move_to_current(&mut tx, c).await? };
    if let Some(anew) = anew {
        expiry::set(&mut tx, c.id, anew.expires_at, app.clock.now()).await?;
    }
    if anew.is_some() || !is_kept {
        let password = anew.and_then(|anew| anew.password.clone());
        let password = password.unwrap_or_else(|| Password::generate(&app.random));
        keep_secret(app, &mut tx, c.id, (&dbuser, password.secret())).await?;
    }
    let job = act_in(app, &mut tx, c, &FROM_TEMPLATE, actor).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Makes the current version of its template the one that a database is copied from. Returns the user in it.
async fn move_to_current(tx: &mut PgConnection, c: &Container) -> Result<String, RequestError> {
    let id = c.template_id.ok_or(RequestError::NoSuchTemplate)?;
    let t = templates::by_id(&mut *tx, id).await?.ok_or(RequestError::NoSuchTemplate)?;
    let version = t.current_version.ok_or(RequestError::TemplateEmpty)?;
    if !versions::hold(&mut *tx, version).await? {
        return Err(RequestError::TemplateEmpty);
    }
    let v = versions::by_id(&mut *tx, version).await?.ok_or(RequestError::NoSuchTemplate)?;
    instances::set_version(&mut *tx, c.id, &v).await?;
    Ok(v.dbuser)
}

/// When a database made now from a template expires: according to `ttl`, or else to the template, within the limits of the
/// site for its owner.
///
/// # Errors
/// Why `ttl` is not a usable time to live.
pub fn end(app: &App, owner: &User, t: &Template, ttl: Option<&str>) -> Result<Option<DateTime<Utc>>, TtlFault> {
    let ttl = match ttl {
        Some(text) => Ttl::parse(text, app.config.backups.window.zone)?,
        None => usual_ttl(app, owner, t),
    };
    ttl.end_within(lifetime::limits(app, owner.role, t.engine), app.clock.now())
}

/// The time to live of a template's databases, within the limits of the site for their owner.
pub fn usual_ttl(app: &App, owner: &User, t: &Template) -> Ttl {
    let limits = lifetime::limits(app, owner.role, t.engine);
    match t.ttl() {
        Ttl::Lasting(lifetime) => Ttl::Lasting(limits.longest.map_or(lifetime, |most| lifetime.min(most))),
        ttl if limits.longest.is_none() => ttl,
        _ => limits.usual(),
    }
}

/// The name on the pages of a database made from a template. `other` distinguishes it from one that has the name already.
fn derived(prefix: &str, template: &str, instance: &str, other: Option<&str>) -> Result<ContainerName, RequestError> {
    let whole = format!("{prefix}{template}-{instance}");
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => c,
        _ => '-',
    };
    let mut text: String = whole.chars().map(plain).collect();
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        text.insert_str(0, "db-");
    }
    let sum = hex::encode(Sha256::digest(&whole));
    let short = sum.get(..6).unwrap_or_default();
    let ending = match other {
        Some(other) => format!("-{other}"),
        None if text.len() > LONGEST => format!("-{short}"),
        None => String::new(),
    };
    text.truncate(LONGEST - ending.len());
    text.push_str(&ending);
    ContainerName::parse(&text).map_err(|e| RequestError::Template(e.to_string()))
}

/// The longest name of a database on the pages.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_pages_are_derived_and_shortened() {
        let name = |prefix: &str, template: &str, instance: &str, other| {
            derived(prefix, template, instance, other).map(|n| n.to_string()).unwrap()
        };
        assert_eq!(name("", "shop", "ci-1", None), "shop-ci-1");
        assert_eq!(name("myaas-", "Shop.2", "A_b", None), "myaas-shop-2-a_b");
        assert_eq!(name("", "2024", "x", None), "db-2024-x");
        assert_eq!(name("", "shop", "ci", Some("ab12")), "shop-ci-ab12");
        let (one, other) = (name("", "shop", &"a".repeat(99), None), name("", "shop", &"a".repeat(100), None));
        assert!(one.len() == 40 && other.len() == 40 && one != other, "{one} {other}");
    }
}
