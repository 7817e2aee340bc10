//! The list of databases: the user's own, and for administrators everyone's.

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::container_head::safety;
use super::notices;
use super::shared::{cursor, database_row, engine_cards, parse_cursor, summary};
use crate::admin_db::backups::{assurance, listing};
use crate::admin_db::containers::listing as container_list;
use crate::admin_db::containers::listing::{ContainerQuery, NO_BACKUP};
use crate::admin_db::containers::{Container, samples};
use crate::admin_db::notices::of_owner;
use crate::domain::state::ContainerState;
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::views::elements::chart::sparkline;
use crate::web::views::home::HomePage;
use crate::web::views::{Chip, Choice, Column, Field, FilterForm, Pager};

/// Maximum number of notices, because the page is mainly for the list.
const NOTICES: usize = 5;
/// Rows per page.
const PAGE: i64 = 50;

/// Query parameters of the list.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// Only databases whose name, description or database name contains this text.
    #[serde(default)]
    pub q: String,
    /// Only databases in this state.
    #[serde(default)]
    pub state: String,
    /// `name`, or `loss` for those that would lose the most; otherwise newest first.
    #[serde(default)]
    pub sort: String,
    /// Cursor of the page.
    #[serde(default)]
    pub after: String,
}

/// `GET /`
pub async fn show(ctx: Context, Query(query): Query<ListQuery>) -> Result<Response, AppError> {
    list(&ctx, &query, false).await
}

/// `GET /admin/containers`
pub async fn admin_list(ctx: Context, Query(query): Query<ListQuery>) -> Result<Response, AppError> {
    list(&ctx, &query, true).await
}

async fn list(ctx: &Context, query: &ListQuery, everyone: bool) -> Result<Response, AppError> {
    let user = ctx.user()?;
    let (by_name, by_loss) = (query.sort == "name", query.sort == "loss");
    let state = ContainerState::ALL.into_iter().find(|s| s.as_str() == query.state);
    let wanted = ContainerQuery {
        account: (!everyone).then_some(user.id),
        text: Some(query.q.trim().to_owned()).filter(|q| !q.is_empty()),
        state,
        purged: everyone && state == Some(ContainerState::Purged),
        after: if by_name { None } else { parse_cursor(&query.after) },
        after_name: Some(query.after.clone()).filter(|a| by_name && !a.is_empty()),
        by_name,
        by_loss,
        limit: PAGE + 1,
    };
    let mut db = ctx.app().db.acquire().await?;
    let mut found = container_list::list(&mut db, &wanted).await?;
    let left_behind = if everyone { 0 } else { listing::databases_left_behind(&mut db, user.id).await? };
    let told = if everyone { Vec::new() } else { of_owner(&mut db, user.id).await? };
    let told = notices::grouped(&told);
    let more = i64::try_from(found.len()).is_ok_and(|n| n > PAGE);
    found.truncate(usize::try_from(PAGE).unwrap_or(50));
    let now = ctx.now();
    let ids: Vec<Uuid> = found.iter().map(|c| c.id).collect();
    let assured = assurance::of(&mut db, &ids).await?;
    let sizes = samples::size_outlines(&mut db, &ids, now).await?;
    drop(db);
    let window = ctx.app().config.backups.window;
    let path = if everyone { "/admin/containers" } else { "/" };
    let link = |sort: &str, after: &str| address(path, query, sort, after);
    let position = |c: &Container| match (by_name, by_loss) {
        (true, _) => c.name.clone(),
        (_, true) => cursor(assured.get(&c.id).and_then(|a| a.newest_at).unwrap_or(NO_BACKUP), c.id),
        _ => cursor(c.created_at, c.id),
    };
    let next = found.last().filter(|_| more).map(|c| link(&query.sort, &position(c)));
    let databases = &ctx.app().config.databases;
    let rows = found.iter().map(|c| {
        let mut row = database_row(c, now);
        row.address = row.address.map(|port| format!("{}{port}", databases.host_of(&c.name)));
        row.safety = safety(c, assured.get(&c.id), window, now);
        row.sparkline = sizes.get(&c.id).map(|sizes| sparkline(sizes)).unwrap_or_default();
        row
    });
    let sort = |this: bool, direction: &'static str| if this { direction } else { "none" };
    let owner = everyone.then(|| Column::plain("Owner"));
    page(&HomePage {
        frame: ctx.frame(if everyone { "admin-containers" } else { "home" }),
        more_notices: told.iter().skip(NOTICES).map(Vec::len).sum(),
        notices: told.iter().take(NOTICES).filter_map(|same| notices::card(user, same, "home", now)).collect(),
        everyone,
        columns: [
            Column::sorted("Database", link("name", ""), sort(by_name, "ascending")),
            Column::plain("Engine"),
            Column::plain("State"),
            Column::sorted("Backup", link("loss", ""), sort(by_loss, "descending")),
            Column::plain("Address").minor(),
            Column::plain("Size").number(),
            Column::sorted("Created", link("", ""), sort(!by_name && !by_loss, "descending")).minor(),
        ]
        .into_iter()
        .chain(owner)
        .collect(),
        show_owner: everyone,
        rows: rows.collect(),
        filter: filter(path, query, everyone),
        pager: Pager {
            summary: summary(found.len(), more || !query.after.is_empty()),
            first: (!query.after.is_empty()).then(|| link(&query.sort, "")),
            next,
        },
        engines: engine_cards(ctx.app(), None),
        left_behind: u64::try_from(left_behind).unwrap_or(0),
    })
}

fn filter(path: &str, query: &ListQuery, everyone: bool) -> FilterForm {
    let mut states = vec![Choice::new("", "Any state", &query.state)];
    for state in ContainerState::ALL {
        if everyone || state != ContainerState::Purged {
            // The same words as in the rows.
            states.push(Choice::new(state.as_str(), Chip::of(state.as_str()).word, &query.state));
        }
    }
    FilterForm {
        action: path.to_owned(),
        fields: vec![
            Field::search("q", "Name or description").value(&query.q),
            Field::select("state", "State", states),
        ],
        keep: if query.sort.is_empty() { Vec::new() } else { vec![("sort".to_owned(), query.sort.clone())] },
        active: !query.q.is_empty() || !query.state.is_empty(),
    }
}

/// The URL of the list with these parameters; empty ones are omitted.
fn address(path: &str, query: &ListQuery, sort: &str, after: &str) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let pairs = [("q", query.q.as_str()), ("state", &query.state), ("sort", sort), ("after", after)];
    let set: Vec<String> =
        pairs.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}={}", encode(v))).collect();
    if set.is_empty() { path.to_owned() } else { format!("{path}?{}", set.join("&")) }
}
