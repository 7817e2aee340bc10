//! The form for a new database.

pub(crate) mod dump;

use axum::extract::{Multipart, Query};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::admin_db::containers::usage;
use crate::admin_db::jobs::listing;
use crate::admin_db::people::quotas;
use crate::catalog::CatalogImage;
use crate::domain::duration::seconds_text;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::quantity::ByteSize;
use crate::engine::Extension;
use crate::import::request::from_dump;
use crate::provision::{pinning, request};
use crate::queue::refusal::RequestError;
use crate::storage::unavailable_reason;
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::{CreateFault, Faults, parse};
use crate::web::forms::dump::{DumpFault, FILE, KeptDump, RefusedForm, SOURCE, SentForm, check, read};
use crate::web::forms::{Fields, cores, extensions, ttl};
use crate::web::pages::backups;
use crate::web::pages::new::dump::{source_field, what};
use crate::web::pages::settings::cores_field;
use crate::web::pages::shared::{NOT_AVAILABLE, engine_cards};
use crate::web::urls;
use crate::web::views::new::NewPage;
use crate::web::views::{Choice, Field, Link};

/// The engine whose form to show, and the image.
#[derive(Debug, Default, Deserialize)]
pub struct NewQuery {
    /// Name of the engine.
    #[serde(default)]
    pub engine: String,
    /// The image, on which the extensions depend; the usual one if empty.
    #[serde(default)]
    pub image: String,
}

/// `GET /containers/new`
pub async fn form(ctx: Context, Query(query): Query<NewQuery>) -> Result<Response, AppError> {
    let fields = suggested(&ctx, query)?;
    render(&ctx, StatusCode::OK, &fields, (&Faults::new(), None), Form::Empty).await
}

/// `GET /containers/new/from-dump`: the same form, with a file.
pub async fn dump_form(ctx: Context, Query(query): Query<NewQuery>) -> Result<Response, AppError> {
    let fields = suggested(&ctx, query)?;
    render(&ctx, StatusCode::OK, &fields, (&Faults::new(), None), Form::Dump(None)).await
}

/// The suggested values of a new form.
fn suggested(ctx: &Context, query: NewQuery) -> Result<Fields, AppError> {
    let user = ctx.user()?;
    let suggested = [
        ("engine", query.engine),
        ("image", query.image),
        ("contact", user.email.clone()),
        ("department", user.department.clone()),
    ];
    Ok(suggested.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

/// `POST /containers/new/from-dump`, a multipart form with the file in `dump`.
///
/// # Errors
/// If mydb_admin is unavailable, the portal is read-only, or the form ends early.
pub async fn submit_dump(ctx: Context, form: Multipart) -> Result<Response, AppError> {
    ctx.writable()?;
    let SentForm { fields, file } = read(&ctx, form).await?;
    let (request, received) = match check(&ctx, &fields, file, true).await {
        Ok(checked) => checked,
        Err(DumpFault::Refused(RefusedForm { mut faults, kept })) => {
            again(&mut faults, &fields);
            let form = Form::Dump(kept.as_deref());
            return render(&ctx, StatusCode::UNPROCESSABLE_ENTITY, &fields, (&faults, None), form).await;
        }
        Err(DumpFault::App(e)) => return Err(e),
    };
    match from_dump(ctx.app(), &request, received, &ctx.actor()).await {
        Ok(made) => Ok(to(&urls::job(made.job), None)),
        Err(e) => turned_down(&ctx, &fields, e, Form::Dump(None)).await,
    }
}

/// The form again, with the reason why the request was rejected.
async fn turned_down(ctx: &Context, fields: &Fields, e: RequestError, form: Form<'_>) -> Result<Response, AppError> {
    let (mut faults, problem) = match &e {
        RequestError::NameTaken => (vec![("name".to_owned(), format!("{e} Choose another name."))], None),
        e => (Faults::new(), Some(e.to_string())),
    };
    again(&mut faults, fields);
    match ctx.refused("container.create", None, e).await {
        AppError::Conflict(_) => render(ctx, StatusCode::CONFLICT, fields, (&faults, problem), form).await,
        e => Err(e),
    }
}

/// `POST /containers`
pub async fn submit(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    ctx.writable()?;
    let request = match parse(&ctx, &fields).await {
        Ok(request) => request,
        Err(CreateFault::Fields(mut faults)) => {
            again(&mut faults, &fields);
            return render(&ctx, StatusCode::UNPROCESSABLE_ENTITY, &fields, (&faults, None), Form::Empty).await;
        }
        Err(CreateFault::App(e)) => return Err(e),
    };
    match request::create(ctx.app(), &request, &ctx.actor()).await {
        Ok(_) => Ok(to(&urls::database(&request.name), None)),
        Err(e) => turned_down(&ctx, &fields, e, Form::Empty).await,
    }
}

/// Asks for the password again when a form that contained one is shown again: no page contains passwords.
fn again(faults: &mut Faults, fields: &Fields) {
    const PASSWORD: &str = "dbuserpass";
    if !fields.raw(PASSWORD).is_empty() && faults.iter().all(|(name, _)| name != PASSWORD) {
        faults.push((PASSWORD.to_owned(), "Enter the password again. The page does not keep it.".to_owned()));
    }
}

/// Describes an image in sentences: how long it is supported, and the catalog's remarks.
fn about_image(image: &CatalogImage, today: NaiveDate) -> String {
    let support = image.end_of_life.map(|day| match day < today {
        true => format!("Unsupported since {day}."),
        false => format!("Supported until {day}."),
    });
    let notes = Some(image.notes.clone()).filter(|notes| !notes.is_empty());
    [support, notes].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn render(
    ctx: &Context,
    status: StatusCode,
    fields: &Fields,
    (faults, problem): (&Faults, Option<String>),
    form: Form<'_>,
) -> Result<Response, AppError> {
    let app = ctx.app();
    let (dump, kept) = match form {
        Form::Empty => (false, None),
        Form::Dump(kept) => (true, kept),
    };
    let on_offer = app.catalog.engines();
    let engine = EngineKind::parse(fields.text("engine")).filter(|e| on_offer.contains(e));
    let engine = engine.or(on_offer.first().copied()).unwrap_or(EngineKind::Postgres);
    let images: Vec<&CatalogImage> = app.catalog.of(engine).collect();
    let usable = images.iter().find(|i| app.images.get(&i.image).unavailable().is_none());
    let asked = images.iter().find(|i| i.image == fields.text("image"));
    let chosen = asked.or(usable).or(images.first()).copied();
    let fault = |name: &str| faults.iter().find(|(f, _)| f == name).map(|(_, text)| text.clone());
    let image_choices = images.iter().map(|i| {
        let available = app.images.get(&i.image).unavailable().is_none();
        Choice::new(&i.image, &i.label, chosen.map_or("", |c| &c.image))
            .detail(if available { about_image(i, ctx.now().date_naive()) } else { String::new() })
            .unavailable((!available).then(|| NOT_AVAILABLE.to_owned()))
    });
    let label = chosen.map_or_else(|| engine.label().to_owned(), |i| i.label.clone());
    let offered = match chosen {
        Some(image) => extensions::offered(ctx, image).await?,
        None => Vec::new(),
    };
    let mut db = app.db.acquire().await?;
    let usual = match chosen {
        Some(image) => listing::usual_seconds(&mut db, JobKind::Create.as_str(), &image.image).await?,
        None => None,
    };
    let tiers = usage::list(&mut db).await?;
    let quota = quotas::of(&mut db, ctx.user()?.id).await?;
    let in_use = quota.map(|q| q.sentence(&app.config.limits)).unwrap_or_default();
    drop(db);
    let first_time = faults.is_empty() && problem.is_none();
    let main = main_fields(engine, fields, &fault, first_time);
    let mut more = more_fields(ctx, fields, engine, &tiers, (chosen, &offered, &in_use), &fault)?;
    let usual_cores = if fields.has(cores::FIELD) { None } else { pinning::usual(app).await.to_text() };
    let after_cpus = more.iter().position(|field| field.name == "cpus").map_or(more.len(), |at| at + 1);
    let typed = usual_cores.unwrap_or_else(|| fields.text(cores::FIELD).to_owned());
    more.insert(after_cpus, cores_field(typed, fault(cores::FIELD)));
    // Errors in fields that this engine's form does not have must be shown too.
    let shown = |name: &str| {
        matches!(name, "image" | "engine" | FILE | SOURCE) || main.iter().chain(&more).any(|field| field.name == name)
    };
    let unseen = faults.iter().filter(|(name, _)| !shown(name)).map(|(name, text)| format!("{name}: {text}"));
    let problem = problem.or_else(|| Some(unseen.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()));
    let mut engines = engine_cards(app, Some(engine));
    if dump {
        for card in &mut engines {
            card.href = card.href.replace("/containers/new?", "/containers/new/from-dump?");
        }
    }
    let own = if dump { "/containers/new/from-dump" } else { "/containers/new" };
    let has_extensions = images.len() > 1 && !engine.engine().extensions().is_empty();
    let versions = images.iter().filter(|_| has_extensions).map(|i| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("engine", engine.as_str())
            .append_pair("image", &i.image)
            .finish();
        Link::new(&i.label, format!("{own}?{query}")).current(chosen.is_some_and(|c| c.image == i.image))
    });
    let view = NewPage {
        frame: ctx.frame("new"),
        versions: versions.collect(),
        engines,
        engine: engine.to_string(),
        upload: (dump && kept.is_none()).then(|| {
            Field::file(FILE, "Dump")
                .help(format!("{} Maximum size {}.", what(engine), app.config.backups.upload_max))
                .error(fault(FILE))
                .required()
        }),
        kept: kept.map(|kept| (kept.upload.clone(), kept.name.clone())),
        source: kept.and_then(|kept| source_field(kept, fields.text(SOURCE), fault(SOURCE))),
        other_href: format!("/containers/new{}?engine={engine}", if dump { "" } else { "/from-dump" }),
        from_dump: dump,
        image: Field::select("image", "Version", image_choices.collect())
            .error(fault("image").or_else(|| fault("engine"))),
        main,
        more,
        button: format!("Create {label} database"),
        // How long a dump takes depends on its size.
        usually: usual.filter(|_| !dump).map(|s| format!("usually ready in {}", seconds_text(s))),
        problem,
    };
    page_with(status, &view)
}

/// The variant of the form.
#[derive(Clone, Copy)]
enum Form<'a> {
    /// For an empty database.
    Empty,
    /// For a database created from a dump, which may have been received already.
    Dump(Option<&'a KeptDump>),
}

/// The fields everyone fills in. The first one has the focus, unless the page shows errors.
fn main_fields(
    engine: EngineKind,
    fields: &Fields,
    fault: &dyn Fn(&str) -> Option<String>,
    first_time: bool,
) -> Vec<Field> {
    let engine = engine.engine();
    let mut main = vec![
        Field::code("name", "Name")
            .help("Identifies the database here and in its address. Lower-case letters, digits, “-” and “_”.")
            .value(fields.text("name"))
            .error(fault("name"))
            .required()
            .max_length(40)
            .focus(first_time),
    ];
    let password = Field::password("dbuserpass", "Password").error(fault("dbuserpass")).autocomplete("new-password");
    let password_help = "At least 8 characters. Leave empty to have one generated and shown once.";
    match engine.fixed_names() {
        // Names prescribed by the engine are not asked for.
        Some(names) => main.push(password.help(format!(
            "For the built-in {1} user “{0}”. The database is always called “{2}”. {password_help}",
            names.dbuser,
            engine.label(),
            names.dbname
        ))),
        None => main.extend([
            Field::code("dbname", "Database")
                .help("The name of the database you connect to. Leave empty to derive it from the name above.")
                .value(fields.text("dbname"))
                .error(fault("dbname"))
                .derived(&engine.database_rules()),
            Field::code("dbuser", "User")
                .help("The database user you sign in as. This user owns the database. Leave empty to derive it from the name.")
                .value(fields.text("dbuser"))
                .error(fault("dbuser"))
                .derived(&engine.user_rules()),
            password.help(password_help),
        ]),
    }
    main
}

/// The extensions that can be added to the new database, if its image has any.
fn extensions_field(offered: &[Extension], fields: &Fields, fault: Option<String>) -> Option<Field> {
    let choice = |e: &Extension| {
        let chosen = fields.all(extensions::FIELD).find(|v| *v == e.name).unwrap_or_default();
        Choice::new(e.name, e.name, chosen).note(e.what)
    };
    (!offered.is_empty()).then(|| {
        Field::checkboxes(extensions::FIELD, "Extensions", offered.iter().map(choice).collect())
            .help("Installed when the database is created. You can add most of them yourself later.")
            .error(fault)
    })
}

fn more_fields(
    ctx: &Context,
    fields: &Fields,
    engine: EngineKind,
    tiers: &[usage::TierUsage],
    (image, offered, in_use): (Option<&CatalogImage>, &[Extension], &str),
    fault: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Field>, AppError> {
    let (user, limits) = (ctx.user()?, &ctx.app().config.limits);
    let allowed =
        ctx.app().config.storage.iter().filter(|t| t.allows(user.username.as_str(), user.is_admin(), engine.as_str()));
    let storage: Vec<Choice> = allowed
        .map(|t| {
            let free = tiers.iter().find(|u| u.tier == t.name).map(|u| format!("{} free", ByteSize(u.free_bytes)));
            Choice::new(&t.name, &t.label, fields.text("storage"))
                .note(free.unwrap_or_default())
                .unavailable(unavailable_reason(t))
        })
        .collect();
    let owner = if fields.text("owner").is_empty() { user.username.as_str() } else { fields.text("owner") };
    let least = image.map_or(ByteSize(0), |i| i.min_memory);
    let mut more: Vec<Field> = extensions_field(offered, fields, fault(extensions::FIELD)).into_iter().collect();
    more.extend([
        Field::textarea("description", "Description")
            .help("What the database is for. Helps others who maintain it.")
            .value(fields.text("description"))
            .error(fault("description"))
            .max_length(500),
        Field::text("contact", "Contact")
            .help("Who to ask about the database, for example an e-mail address.")
            .value(fields.text("contact"))
            .error(fault("contact"))
            .max_length(200),
        Field::text("department", "Department")
            .value(fields.text("department"))
            .error(fault("department"))
            .max_length(200),
        Field::code("owner", "Owner")
            .help(if user.is_admin() { "The account that owns the database." } else { "Your account." })
            .value(owner)
            .error(fault("owner"))
            .read_only(!user.is_admin()),
        Field::select("storage", "Storage", storage).help("Where the data is stored.").error(fault("storage")),
        Field::text("memory", "Memory")
            .help(format!(
                "For example 512m or 2g. Minimum {least}, maximum {}, default {}. Your databases currently use \
                 {in_use}.",
                limits.memory_max,
                limits.memory_default.max(least)
            ))
            .value(fields.text("memory"))
            .error(fault("memory")),
        Field::text("cpus", "CPUs")
            .help(format!("For example 0.5 or 2. Maximum {}, default {}.", limits.cpus_max, limits.cpus_default))
            .value(fields.text("cpus"))
            .error(fault("cpus")),
    ]);
    let lives = if fields.has(ttl::TTL) { fields.text(ttl::TTL).to_owned() } else { ttl::suggestion(ctx, engine) };
    more.push(ttl::field(ctx, engine, lives, fault(ttl::TTL)));
    if engine.engine().backup().is_some() {
        more.extend(backups::policy_fields(ctx, fields.text("backup_freq"), fields.text("backup_cron"), fault));
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn only_a_valid_typed_password_is_asked_for_again() {
        let form = |password: &str| Fields::from_iter([("dbuserpass".to_owned(), password.to_owned())]);
        let name = ("name".to_owned(), "Enter a name.".to_owned());
        let mut faults = vec![name.clone()];
        again(&mut faults, &form(""));
        assert_eq!(faults, [name]);
        again(&mut faults, &form("correct-horse"));
        assert!(faults.iter().any(|(field, text)| field == "dbuserpass" && text.contains("again")), "{faults:?}");
        let mut short = vec![("dbuserpass".to_owned(), "Too short.".to_owned())];
        again(&mut short, &form("x"));
        assert_eq!(short.len(), 1);
    }

    #[test]
    fn an_image_states_how_long_it_is_supported() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dbconfig/catalog.toml")).unwrap();
        let catalog = Catalog::parse(&text).unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap();
        let said = |image: &str| about_image(catalog.find(image).unwrap(), today);
        let old = said("docker.io/library/mongo:6.0");
        assert!(old.starts_with("Unsupported since 2025-07-31. For existing projects"), "{old}");
        assert_eq!(said("docker.io/library/postgres:16"), "Supported until 2028-11-09.");
    }
}
