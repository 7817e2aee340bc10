//! `/containers/{name}/clone`: the form that clones a database, one of its snapshots, or one of its backups.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::confirm::{cost, space_and_time};
use super::snapshots::taken;
use crate::admin_db::containers::Container;
use crate::backup::request::{Purpose, RestoreRequest, restore};
use crate::clones::request;
use crate::clones::request::CloneRequest;
use crate::domain::quantity::ByteSize;
use crate::domain::user::Action;
use crate::provision::request::Created;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::copies::{CloneOrder, Source};
use crate::web::forms::create::Faults;
use crate::web::forms::{Fields, copies as form, ttl};
use crate::web::pages::backups::theirs;
use crate::web::pages::restore::restore_facts;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::copies::snapshots::ClonePage;
use crate::web::views::{Fact, Field, Moment};

/// The query of the form's URL.
#[derive(Debug, Default, Deserialize)]
pub struct Chosen {
    #[serde(default)]
    snapshot: String,
    #[serde(default)]
    backup: String,
}

/// What the form is about: facts about it, and what making the clone costs and means.
struct About {
    facts: Vec<Fact>,
    will: Vec<String>,
    hidden: Option<(String, String)>,
}

async fn about(ctx: &Context, c: &Container, typed: &Fields) -> Result<About, AppError> {
    if !typed.text("backup").is_empty() {
        let b = theirs(ctx, c, typed.text("backup")).await?;
        let will = vec![
            "The backup is restored to a new database, whose user gets a new password that only you can view."
                .to_owned(),
            format!("The new database is backed up like {}. It cannot be reset or refreshed.", c.name),
        ];
        let hidden = Some(("backup".to_owned(), b.id.to_string()));
        return Ok(About { facts: restore_facts(ctx, &b), will, hidden });
    }
    let snapshot = match typed.text("snapshot") {
        "" => None,
        id => Some(taken(ctx, c, id).await?),
    };
    let mut facts = vec![Fact::text("Database", &c.name)];
    match &snapshot {
        Some(s) => {
            facts.push(Fact::when("Snapshot of", &Moment::new(s.as_of(), ctx.now())));
        }
        None => facts.push(Fact::text("Data", "the current data")),
    }
    let cost = cost(ctx, c).await;
    let mut will = match (&snapshot, cost.shared) {
        (Some(_), false) => vec![format!("The snapshot is copied, which takes {}.", space_and_time(c))],
        (None, false) => vec![
            cost.text,
            "No second copy of the data is kept, so the clone can be refreshed but not reset. To be able to reset it, take \
             a snapshot and clone that."
                .to_owned(),
        ],
        (_, true) => vec![cost.text],
    };
    will.push(
        "The clone gets a new password that only you can view. Passwords that were copied with the data do not work."
            .to_owned(),
    );
    will.push(
        "The clone cannot reach other servers: subscriptions, events and stored logins to other servers are \
         switched off or removed. The page of the clone lists them."
            .to_owned(),
    );
    will.push("The clone is not backed up automatically until you promote it.".to_owned());
    Ok(About { facts, will, hidden: snapshot.map(|s| ("snapshot".to_owned(), s.id.to_string())) })
}

async fn clone_page(ctx: &Context, c: &Container, typed: &Fields, faults: &Faults) -> Result<ClonePage, AppError> {
    let fault = |name: &str| faults.iter().find(|(field, _)| field == name).map(|(_, why)| why.clone());
    let About { facts, will, hidden } = about(ctx, c, typed).await?;
    Ok(ClonePage {
        frame: ctx.frame_of(c),
        title: format!("Clone {}", c.name),
        facts,
        will,
        action: urls::database_page(&c.name, DatabasePage::Clone),
        hidden: hidden.into_iter().collect(),
        fields: vec![
            Field::code("name", "Name of the clone")
                .help("Lower-case letters, digits, “-” and “_”.")
                .value(typed.text("name"))
                .error(fault("name"))
                .required()
                .max_length(40)
                .focus(true),
            Field::text("memory", "Memory")
                .help(format!("For example 512m or 2g. Leave this as it is to use what {} uses.", c.name))
                .value(match typed.text("memory") {
                    "" => ByteSize(c.memory_bytes).exact(),
                    text => text.to_owned(),
                })
                .error(fault("memory")),
            ttl::field(
                ctx,
                c.engine,
                if typed.has(ttl::TTL) { typed.text(ttl::TTL).to_owned() } else { ttl::suggestion(ctx, c.engine) },
                fault(ttl::TTL),
            ),
        ],
        back_href: urls::database_page(
            &c.name,
            if typed.text("backup").is_empty() { DatabasePage::Snapshots } else { DatabasePage::Backups },
        ),
    })
}

/// A free name for a clone, shortened before the ending is added.
fn suggested(c: &Container) -> String {
    format!("{}-clone", c.name.chars().take(34).collect::<String>().trim_end_matches(['-', '_']))
}

/// Makes what was ordered. The inner error says why that is not possible now.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such snapshot or backup of the database.
pub(crate) async fn make(
    ctx: &Context,
    c: &Container,
    order: CloneOrder,
) -> Result<Result<Created, RequestError>, AppError> {
    let CloneOrder { name, memory, source, expires_at } = order;
    let snapshot = match source {
        Source::Backup(id) => {
            let backup = theirs(ctx, c, &id.to_string()).await?;
            let purpose = Purpose::Clone(memory, expires_at);
            let wanted = RestoreRequest { name, owner: c.account_id, only: None, storage: None, purpose };
            return Ok(restore(ctx.app(), &backup, &wanted, &ctx.actor()).await);
        }
        Source::Snapshot(id) => Some(taken(ctx, c, &id.to_string()).await?.id),
        Source::Now => None,
    };
    let wanted = CloneRequest { name, memory, snapshot, expires_at };
    Ok(request::clone(ctx.app(), c, &wanted, &ctx.actor()).await)
}

/// `GET /containers/{name}/clone?snapshot=ID` or `?backup=ID`
pub async fn clone_form(
    ctx: Context,
    Path(name): Path<String>,
    Query(chosen): Query<Chosen>,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let typed = [("name", suggested(&c)), ("snapshot", chosen.snapshot), ("backup", chosen.backup)];
    let typed = typed.map(|(field, text)| (field.to_owned(), text)).into_iter().collect();
    page(&clone_page(&ctx, &c, &typed, &Faults::new()).await?)
}

/// `POST /containers/{name}/clone` with `name`, `memory`, `ttl`, and `snapshot` or `backup`
pub async fn clone(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let faults = match form::clone(&ctx, &c, &fields) {
        Err(faults) => faults,
        Ok(order) => {
            let href = urls::database(&order.name);
            match make(&ctx, &c, order).await? {
                Ok(_) => return Ok(to(&href, None)),
                Err(e @ RequestError::NameTaken) => vec![("name".to_owned(), format!("{e} Choose another name."))],
                Err(e) => match ctx.refused("container.clone", Some(&c), e).await {
                    AppError::Conflict(why) => vec![("name".to_owned(), why)],
                    e => return Err(e),
                },
            }
        }
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &clone_page(&ctx, &c, &fields, &faults).await?)
}
