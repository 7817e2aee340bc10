//! `/templates/{name}`: one template with its versions, the form that creates a database from it, and its settings.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use sqlx::PgConnection;

use super::shared::{chip, content, error_of, refusal};
use crate::admin_db::templates::versions::{TemplateVersion, VersionStatus};
use crate::admin_db::templates::{Template, instances, versions};
use crate::admin_db::{containers, jobs};
use crate::domain::quantity::ByteSize;
use crate::domain::ttl::Ttl;
use crate::provision::lifetime::limits;
use crate::queue::refusal::RequestError;
use crate::templates::instance::{Instance, usual_ttl};
use crate::templates::{instance, request};
use crate::web::access::template_access::{managed, requested, visible};
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::Faults;
use crate::web::forms::templates::{FormFault, TemplateSettings};
use crate::web::forms::{Fields, templates as form};
use crate::web::pages::shared::{Durations, size_of, steps, took};
use crate::web::urls;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::copies::templates::{TemplatePage, VersionRow};
use crate::web::views::elements::format::count_text;
use crate::web::views::{ActionButton, Chip, Choice, Fact, Field, Flash, Moment};

/// Versions shown on the page of a template.
const VERSIONS: i64 = 20;

/// `GET /templates/{name}`
pub async fn show(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let t = visible(&ctx, &name).await?;
    page(&template_page(&ctx, &t, (&Fields::default(), &Faults::new()), (&Fields::default(), &Faults::new())).await?)
}

async fn template_page(
    ctx: &Context,
    t: &Template,
    (typed, faults): (&Fields, &Faults),
    settings: (&Fields, &Faults),
) -> Result<TemplatePage, AppError> {
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let latest = versions::latest(&mut db, t.id, VERSIONS).await?;
    let count = instances::count(&mut db, t.id).await?;
    let suggested = match typed.text("name") {
        "" => suggestion(&mut db, t).await?,
        name => name.to_owned(),
    };
    let user = ctx.user()?;
    let is_managed = t.is_managed_by(user.username.as_str(), user.is_admin());
    let first = latest.first();
    let import = first.filter(|v| v.status() == VersionStatus::Importing);
    let job = match import.and_then(|v| v.job_id).filter(|_| is_managed) {
        Some(id) => jobs::by_id(&mut db, id).await?,
        None => None,
    };
    let job = match job {
        Some(job) => {
            let durations = Durations::read(&mut db, &job, None).await?;
            Some(steps(&job, &jobs::steps(&mut db, job.id).await?, &t.name, durations, now))
        }
        None => None,
    };
    drop(db);
    let failed = first.filter(|v| v.failed_at.is_some()).map(|v| match is_managed {
        true => v.error.clone().unwrap_or_default(),
        // It quotes the dump, which may contain what a script removes before a version is complete.
        false => "Ask an administrator.".to_owned(),
    });
    let failure = failed.map(|why| match why.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), rest.to_owned()),
        None => (why, String::new()),
    });
    // Those of the version that databases are made from now.
    let current = latest.iter().find(|v| t.current_version == Some(v.id));
    let (dbname, dbuser) = current.map_or((&t.dbname, &t.dbuser), |v| (&v.dbname, &v.dbuser));
    let mut facts = vec![
        Fact::text("Engine", t.engine.label()),
        Fact::code("Image", &t.image),
        Fact::code("Database", dbname),
        Fact::code("User", dbuser),
        Fact::text("Source", &t.source),
        Fact::text("Storage", &t.storage),
        Fact::text("Databases created from it", count.to_string()),
        Fact::when("Created", &Moment::new(t.created_at, now)),
    ];
    if !t.users.is_empty() {
        facts.push(Fact::text("Available to", t.users.join(", ")));
    }
    let actions = vec![
        ActionButton::post("Import again", urls::template_refresh(&t.name))
            .unavailable(import.is_some().then(|| "An import is running.".to_owned())),
        ActionButton::link("Delete template", urls::template_delete(&t.name)).danger(),
    ];
    let mut fields =
        if t.current_version.is_some() { create_fields(ctx, t, (&suggested, typed, faults))? } else { Vec::new() };
    let mut edited = if is_managed { settings_fields(ctx, t, settings) } else { Vec::new() };
    for field in &mut edited {
        "settings-".clone_into(&mut field.prefix);
    }
    // The forms are far apart, and one of them is at the end of the page.
    if let Some(wrong) = fields.iter_mut().chain(&mut edited).find(|field| field.error.is_some()) {
        wrong.focus = true;
    }
    Ok(TemplatePage {
        frame: ctx.frame("templates"),
        name: t.name.clone(),
        description: t.description.clone(),
        chip: chip(first),
        is_live: import.is_some(),
        job,
        failure,
        still_serves: t.current_version.is_some(),
        facts,
        fields,
        action: urls::template_clone(&t.name),
        versions: latest.iter().map(|v| version_row(ctx, t, v)).collect(),
        actions: if is_managed { actions } else { Vec::new() },
        settings: edited,
        settings_action: urls::template(&t.name),
    })
}

/// A name for a database that is not taken.
async fn suggestion(db: &mut PgConnection, t: &Template) -> Result<String, sqlx::Error> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let base: String = t.name.chars().map(plain).take(34).collect();
    let base = if base.starts_with(|c: char| c.is_ascii_lowercase()) { base } else { format!("db-{base}") };
    let names: Vec<String> = (1..=100).map(|n| format!("{base}-{n}")).collect();
    let taken = containers::living_names(db, &names).await?;
    Ok(names.into_iter().find(|name| !taken.contains(name)).unwrap_or(base))
}

fn create_fields(
    ctx: &Context,
    t: &Template,
    (suggested, typed, faults): (&str, &Fields, &Faults),
) -> Result<Vec<Field>, AppError> {
    let (app, user) = (ctx.app(), ctx.user()?);
    let ttl = match typed.has("ttl") {
        true => typed.text("ttl").to_owned(),
        false => ttl_text(&usual_ttl(app, user, t)),
    };
    let most = match limits(app, user.role, t.engine).longest {
        Some(longest) => format!("At most {longest} from now."),
        None => "Leave empty to keep it.".to_owned(),
    };
    let memory = match typed.text("memory") {
        "" => ByteSize(t.memory_bytes).exact(),
        text => text.to_owned(),
    };
    Ok(vec![
        Field::code("name", "Name")
            .help("Lower-case letters, digits, “-” and “_”.")
            .value(suggested)
            .error(error_of(faults, "name"))
            .required()
            .max_length(40),
        Field::text("ttl", "Expires")
            .help(format!("For example 8h, 7d or a date. The database is then deleted. {most}"))
            .value(ttl)
            .error(error_of(faults, "ttl")),
        Field::text("memory", "Memory").help("For example 512m or 2g.").value(memory).error(error_of(faults, "memory")),
    ])
}

/// A time to live as it is typed.
fn ttl_text(ttl: &Ttl) -> String {
    match ttl {
        Ttl::Lasting(lifetime) => lifetime.exact(),
        _ => String::new(),
    }
}

fn settings_fields(ctx: &Context, t: &Template, (typed, faults): (&Fields, &Faults)) -> Vec<Field> {
    let value = |name: &str, current: String| if typed.has(name) { typed.text(name).to_owned() } else { current };
    let image = value("image", t.image.clone());
    let images = ctx.app().catalog.of(t.engine);
    let has_fixed_names = t.is_personal() || t.engine.engine().fixed_names().is_some();
    let images = images.map(|i| Choice::new(&i.image, format!("{} {}", i.engine.label(), i.version), &image)).collect();
    vec![
        Field::code("name", "Name")
            .value(value("name", t.name.clone()))
            .error(error_of(faults, "name"))
            .required()
            .max_length(60),
        Field::text("description", "Description")
            .value(value("description", t.description.clone()))
            .error(error_of(faults, "description")),
        Field::select("image", "Server version", images)
            .help("Used from the next import on.")
            .error(error_of(faults, "image")),
        Field::code("dbname", "Database in the server")
            .help("Used from the next import on.")
            .value(value("dbname", t.dbname.clone()))
            .error(error_of(faults, "dbname"))
            .read_only(has_fixed_names),
        Field::code("dbuser", "Database user")
            .help("Used from the next import on.")
            .value(value("dbuser", t.dbuser.clone()))
            .error(error_of(faults, "dbuser"))
            .read_only(has_fixed_names),
        Field::text("memory", "Memory of its databases")
            .value(value("memory", ByteSize(t.memory_bytes).exact()))
            .error(error_of(faults, "memory")),
        Field::text("ttl", "Time to live of its databases")
            .help("For example 8h or 7d. Leave empty to keep them.")
            .value(value("ttl", ttl_text(&t.ttl())))
            .error(error_of(faults, "ttl")),
        Field::text("users", "Who may use it")
            .help("User names, separated by commas. Leave empty for everyone.")
            .value(value("users", t.users.join(", ")))
            .error(error_of(faults, "users")),
    ]
}

fn version_row(ctx: &Context, t: &Template, v: &TemplateVersion) -> VersionRow {
    let current = t.current_version == Some(v.id);
    let manages = ctx.user().is_ok_and(|user| t.is_managed_by(user.username.as_str(), user.is_admin()));
    let source = match v.source_bytes {
        0 => v.source.clone(),
        bytes => format!("{}, {}", v.source, ByteSize(bytes)),
    };
    VersionRow {
        number: v.number,
        chip: if current { Chip::new("run", "current") } else { chip(Some(v)) },
        at: Moment::new(v.requested_at, ctx.now()),
        source,
        sha256: v.source_sha256.chars().take(12).collect(),
        took: took(v.begun_at, v.made_at),
        content: if v.failed_at.is_none() || manages { content(v) } else { String::new() },
        size: size_of(v.bytes).filter(|_| v.removed_at.is_none()),
        job: v.job_id.filter(|_| manages).map(urls::job),
    }
}

/// `POST /templates/{name}/clone` with `name`, `ttl` and `memory`
pub async fn clone(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    ctx.writable()?;
    let t = visible(&ctx, &name).await?;
    let faults = match form::instance(&ctx, &t, &fields) {
        Err(FormFault::Fields(faults)) => faults,
        Err(FormFault::App(e)) => return Err(e),
        Ok(wanted) => match instance::request(ctx.app(), &wanted, &ctx.actor()).await {
            Ok(Instance::New(_)) => return Ok(to(&urls::database(fields.text("name")), None)),
            Ok(Instance::There(c)) => {
                vec![("name".to_owned(), format!("You already have {} from this template.", c.name))]
            }
            Err(e @ RequestError::NameTaken) => vec![("name".to_owned(), format!("{e} Choose another name."))],
            Err(e) => vec![("name".to_owned(), refusal(&ctx, "container.create", e).await?)],
        },
    };
    let view = template_page(&ctx, &t, (&fields, &faults), (&Fields::default(), &Faults::new())).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}

/// `POST /templates/{name}/refresh`: imports its source again.
pub async fn refresh(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let t = managed(&ctx, &name).await?;
    let flash = match requested(&ctx, &t).await? {
        Ok(_) => None,
        Err(RequestError::Busy) => Some(Flash::warn("An import of this template is already running.")),
        Err(e) => Some(Flash::warn(refusal(&ctx, "template.refresh", e).await?)),
    };
    Ok(to(&urls::template(&t.name), flash))
}

/// `POST /templates/{name}` with the settings
pub async fn edit(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let t = managed(&ctx, &name).await?;
    let faults = match TemplateSettings::read(&ctx, &t, &fields) {
        Err(faults) => faults,
        Ok(settings) => match request::edit(ctx.app(), &t, &settings.edit(), &ctx.actor()).await {
            Ok(()) => return Ok(to(&urls::template(settings.edit().name), Some(Flash::ok("Saved.")))),
            Err(e @ RequestError::TemplateNameTaken) => vec![("name".to_owned(), e.to_string())],
            Err(e) => return Err(ctx.refused("template.edit", None, e).await),
        },
    };
    let view = template_page(&ctx, &t, (&Fields::default(), &Faults::new()), (&fields, &faults)).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}

fn delete_page(ctx: &Context, t: &Template, databases: i64, typed: &str, error: Option<String>) -> ConfirmPage {
    let made = count_text(u64::try_from(databases).unwrap_or(0), "database", "databases");
    ConfirmPage {
        frame: ctx.frame("templates"),
        title: format!("Delete the template {}", t.name),
        will: vec![
            "All versions of the template are removed from disk. This cannot be undone.".to_owned(),
            "No further databases can be created from it.".to_owned(),
        ],
        kept: vec![format!("{made} created from it, and the source it was imported from.")],
        action: urls::template_delete(&t.name),
        name: Some(t.name.clone()),
        value: typed.to_owned(),
        error,
        button: "Delete template".to_owned(),
        back_href: urls::template(&t.name),
        back_label: "Keep template".to_owned(),
        ..ConfirmPage::default()
    }
}

async fn databases(ctx: &Context, t: &Template) -> Result<i64, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    Ok(instances::count(&mut db, t.id).await?)
}

/// `GET /templates/{name}/delete`
pub async fn confirm_delete(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let t = managed(&ctx, &name).await?;
    page(&delete_page(&ctx, &t, databases(&ctx, &t).await?, "", None))
}

/// `POST /templates/{name}/delete` with `confirm` = the name. Databases made from it stay.
pub async fn delete(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let t = managed(&ctx, &name).await?;
    let typed = fields.text("confirm");
    if typed != t.name {
        let error = Some(format!("Type the name exactly: {}", t.name));
        let view = delete_page(&ctx, &t, databases(&ctx, &t).await?, typed, error);
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view);
    }
    request::delete(ctx.app(), &t, &ctx.actor()).await?;
    let text = format!("The template {} was deleted. Databases created from it are kept.", t.name);
    Ok(to(urls::TEMPLATES, Some(Flash::ok(text))))
}
