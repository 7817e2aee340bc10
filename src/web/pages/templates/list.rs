//! `/templates`: the list, new templates from databases and uploads, and the import of changed dumps.

use axum::extract::{Multipart, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;

use super::shared::{chip, content, error_of, imported, refusal};
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::listing::ContainerQuery;
use crate::admin_db::containers::snapshots;
use crate::admin_db::templates::listing;
use crate::admin_db::templates::listing::ListedTemplate;
use crate::admin_db::{backups, containers};
use crate::domain::names::TemplateName;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::templates::copy_names::CopyNames;
use crate::templates::origin::TemplateSource;
use crate::templates::{directory, update};
use crate::web::access::backup_access::visible_backup;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::Faults;
use crate::web::forms::dump::{FILE, SentForm, read};
use crate::web::forms::{Fields, templates as form};
use crate::web::pages::shared::size_of;
use crate::web::urls;
use crate::web::views::copies::templates::{TemplateRow, TemplatesPage, UploadPage};
use crate::web::views::{Choice, Field, Flash, Moment};

/// Databases offered as the source of a new template.
const SOURCES: i64 = 200;
/// The beginning of the value of a database in that field.
const DATABASE: &str = "database:";
/// The same of a backup.
const BACKUP: &str = "backup:";
/// Name of the field with the name of a template from an object: the page has two forms.
const OBJECT_NAME: &str = "object_name";
/// Backups of a database that are offered.
const BACKUPS: usize = 10;

/// What the form for a new template starts with.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// Name of the database to make a template from.
    #[serde(default)]
    pub database: String,
    /// Id of the backup to make a template from.
    #[serde(default)]
    pub backup: String,
}

/// `GET /templates`; with `database` or `backup`, the form for a new template starts with it.
pub async fn list(ctx: Context, Query(query): Query<ListQuery>) -> Result<Response, AppError> {
    let source = match (query.database, query.backup) {
        (name, _) if !name.is_empty() => Some(format!("{DATABASE}{name}")),
        (_, id) if !id.is_empty() => Some(format!("{BACKUP}{id}")),
        _ => None,
    };
    let typed = source.map(|source| ("source".to_owned(), source)).into_iter().collect();
    page(&list_page(&ctx, &typed, &Faults::new()).await?)
}

async fn list_page(ctx: &Context, typed: &Fields, faults: &Faults) -> Result<TemplatesPage, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let mut listed = listing::list(&mut db, 1).await?;
    let sources = sources(&mut db, ctx, typed.text("source")).await?;
    drop(db);
    let (has_sources, is_object) = (!sources.is_empty(), typed.has("object"));
    listed.retain(|l| l.template.allows(user.username.as_str(), user.is_admin()));
    let dir = &ctx.app().config.templates.dumps;
    let problems = if user.is_admin() { problems(dir).await } else { Vec::new() };
    let fields = vec![
        Field::select("source", "Database", sources)
            .help(
                "Each import copies the data of the database at that moment. A snapshot or a backup always has the same \
                 data.",
            )
            .error(error_of(faults, "source"))
            .required(),
        Field::code("name", "Name of the template")
            .value(typed.text("name"))
            .error(error_of(faults, "name"))
            .required()
            .max_length(60),
    ];
    Ok(TemplatesPage {
        frame: ctx.frame("templates"),
        rows: listed.iter().map(|l| row(ctx, l)).collect(),
        fields: if has_sources { fields } else { Vec::new() },
        is_open: !is_object && (!faults.is_empty() || typed.has("source")),
        object_fields: if user.is_admin() { object_fields(ctx, typed, faults) } else { Vec::new() },
        object_is_open: is_object,
        directory: user.is_admin().then(|| dir.display().to_string()),
        problems,
    })
}

/// The form for a template from an object in a backup target; empty if there is no target.
fn object_fields(ctx: &Context, typed: &Fields, faults: &Faults) -> Vec<Field> {
    let targets: Vec<_> = ctx.app().stores.all().iter().map(|store| store.name().to_owned()).collect();
    if targets.is_empty() {
        return Vec::new();
    }
    let known = targets.join(", ");
    vec![
        Field::code("object", "Object")
            .help(format!(
                "The name of the target, a slash and the key, for example {}/dumps/shop.sql.gz. Targets: {known}.",
                targets.first().map_or("", String::as_str)
            ))
            .value(typed.text("object"))
            .error(error_of(faults, "object"))
            .required(),
        Field::code(OBJECT_NAME, "Name of the template")
            .value(typed.text(OBJECT_NAME))
            .error(error_of(faults, OBJECT_NAME))
            .required()
            .max_length(60),
    ]
}

/// The databases of the user that templates can be made from, with their snapshots.
async fn sources(db: &mut PgConnection, ctx: &Context, chosen: &str) -> Result<Vec<Choice>, AppError> {
    let account = Some(ctx.user()?.id);
    let query = ContainerQuery { account, by_name: true, limit: SOURCES, ..ContainerQuery::default() };
    let mut choices = Vec::new();
    let mut found = containers::listing::list(&mut *db, &query).await?;
    // An administrator can choose any database with the link on its page.
    if let Some(name) = chosen.strip_prefix(DATABASE)
        && found.iter().all(|c| c.name != name)
        && let Ok(other) = ctx.container(name, Action::Backup).await
    {
        found.push(other);
    }
    // The pages of a database link to older ones, and to those of databases that were deleted.
    if let Some(id) = chosen.strip_prefix(BACKUP)
        && let Ok((backup, _)) = visible_backup(ctx, id, Action::Backup).await
        && backup.is_good()
    {
        choices.push(of_backup(&backup, chosen));
    }
    for c in found.iter().filter(|c| matches!(c.state, ContainerState::Running | ContainerState::Stopped)) {
        choices.push(Choice::new(format!("{DATABASE}{}", c.name), format!("{}, current data", c.name), chosen));
        for s in snapshots::copies_of(&mut *db, c.id, ctx.now()).await?.iter().filter(|s| s.made_at.is_some()) {
            let at = s.as_of().format("%Y-%m-%d %H:%M UTC");
            let label = format!("{}, snapshot from {at} {}", c.name, s.note);
            choices.push(Choice::new(format!("snapshot:{}", s.id), label.trim_end(), chosen));
        }
        let listed = backups::of_container(&mut *db, c.id, 50).await?;
        let good = listed.iter().filter(|b| b.is_good() && format!("{BACKUP}{}", b.id) != chosen).take(BACKUPS);
        choices.extend(good.map(|b| of_backup(b, chosen)));
    }
    Ok(choices)
}

fn of_backup(b: &Backup, chosen: &str) -> Choice {
    let at = b.started_at.format("%Y-%m-%d %H:%M UTC");
    Choice::new(format!("{BACKUP}{}", b.id), format!("{}, backup from {at}", b.container), chosen)
}

/// `POST /templates` with `source` and `name`: creates a template from a database or from one of its snapshots or backups.
/// For administrators, `object` and `object_name` create one from an object in a backup target.
pub async fn create(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    ctx.writable()?;
    let mut faults = Faults::new();
    let (field, why, source) = match fields.text("object") {
        "" if !fields.has("object") => {
            ("source", "Choose a database, a snapshot or a backup.", TemplateSource::parse(fields.text("source")))
        }
        object => (
            "object",
            "Enter the name of a backup target, a slash and the key of the object.",
            TemplateSource::parse(&format!("object:{object}")),
        ),
    };
    let named = if field == "object" { OBJECT_NAME } else { "name" };
    let name = TemplateName::parse(fields.text(named)).map_err(|e| faults.push((named.to_owned(), e.to_string())));
    if source.is_none() {
        faults.push((field.to_owned(), why.to_owned()));
    }
    if let (Ok(name), Some(source)) = (name, source) {
        let at = |e: &RequestError| if matches!(e, RequestError::TemplateNameTaken) { named } else { field };
        match form::create(&ctx, &name, &source, CopyNames::default()).await? {
            Ok(t) => return imported(&ctx, &t).await,
            Err(e) => faults.push((at(&e).to_owned(), refusal(&ctx, "template.create", e).await?)),
        }
    }
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &list_page(&ctx, &fields, &faults).await?)
}

/// `GET /templates/from-dump`
pub async fn upload_form(ctx: Context) -> Result<Response, AppError> {
    page(&upload_page(&ctx, &Fields::default(), &Faults::new()))
}

fn upload_page(ctx: &Context, typed: &Fields, faults: &Faults) -> UploadPage {
    UploadPage {
        frame: ctx.frame("templates"),
        fields: vec![
            Field::code("name", "Name of the template")
                .value(typed.text("name"))
                .error(error_of(faults, "name"))
                .required()
                .max_length(60),
            Field::code("dbname", "Database in the server")
                .help("Leave empty to use the name of the template.")
                .value(typed.text("dbname"))
                .error(error_of(faults, "dbname")),
            Field::code("dbuser", "Database user")
                .help("Leave empty to use the name of the template.")
                .value(typed.text("dbuser"))
                .error(error_of(faults, "dbuser")),
            Field::file(FILE, "Dump")
                .help("It is kept in the directory of dumps under the name of the template.")
                .error(error_of(faults, FILE))
                .required(),
        ],
        action: urls::TEMPLATE_UPLOAD,
        back_href: urls::TEMPLATES,
    }
}

/// `POST /templates/from-dump`, a multipart form with `name`, `dbname`, `dbuser` and the file in `dump`.
pub async fn upload(ctx: Context, sent: Multipart) -> Result<Response, AppError> {
    ctx.writable()?;
    let SentForm { fields, file } = read(&ctx, sent).await?;
    match form::upload(&ctx, &fields, file).await? {
        Ok(t) => imported(&ctx, &t).await,
        Err(faults) => page_with(StatusCode::UNPROCESSABLE_ENTITY, &upload_page(&ctx, &fields, &faults)),
    }
}

/// Files in the directory of dumps that cannot become templates, with the reason.
async fn problems(dir: &std::path::Path) -> Vec<(String, String)> {
    match directory::list(dir).await {
        Ok(listing) => listing.unusable.into_iter().map(|u| (u.file, u.why)).collect(),
        Err(why) => vec![(dir.display().to_string(), why)],
    }
}

fn row(ctx: &Context, listed: &ListedTemplate) -> TemplateRow {
    let (t, current, newest) = (&listed.template, listed.current(), listed.versions.first());
    TemplateRow {
        name: t.name.clone(),
        href: urls::template(&t.name),
        description: t.description.clone(),
        engine: t.engine.to_string(),
        engine_label: t.engine.label().to_owned(),
        chip: chip(newest),
        serves: current.filter(|v| newest.is_some_and(|n| n.id != v.id)).map(|v| v.number),
        content: current.map(content).unwrap_or_default(),
        size: current.and_then(|v| size_of(v.bytes)),
        made: current.and_then(|v| v.made_at).map(|at| Moment::new(at, ctx.now())),
        databases: listed.databases,
    }
}

/// `POST /templates/update`: imports every dump that is new or has changed.
pub async fn update(ctx: Context) -> Result<Response, AppError> {
    let flash = match update::update(ctx.app(), &ctx.actor()).await {
        Ok(done) if !done.importing.is_empty() => Flash::ok(format!("Importing {}.", done.importing.join(", "))),
        Ok(_) => Flash::ok("No dump is new or has changed."),
        Err(e) => Flash::bad(refusal(&ctx, "template.update", e).await?),
    };
    Ok(to(urls::TEMPLATES, Some(flash)))
}
