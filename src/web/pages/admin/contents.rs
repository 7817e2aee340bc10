//! `/admin/contents`: the contents of all servers as of their last scan; also as CSV and JSON. No server is queried.

use axum::body::Body;
use axum::extract::Query;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::stream;
use serde::{Deserialize, Serialize};

use crate::admin_db::containers::surveys;
use crate::admin_db::containers::surveys::Surveyed;
use crate::domain::quantity::thousands;
use crate::engine::{Survey, SurveyedDatabase};
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::admin::lists::{address, pager};
use crate::web::portal::Shared;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::contents::{ContentsPage, ContentsRow};
use crate::web::views::{Field, FilterForm, Link, Moment, Size};

/// Rows per page, and per chunk of an export.
const PAGE: usize = 50;
const FETCH: i64 = 51;

/// Query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContentsQuery {
    /// Part of a database name or an owner's name.
    pub q: String,
    /// Continue after this name.
    pub after: String,
    /// `csv` or `json`; otherwise the page.
    pub format: String,
}

/// `GET /admin/contents`
pub async fn contents(ctx: Context, Query(query): Query<ContentsQuery>) -> Result<Response, AppError> {
    let text = query.q.trim().to_lowercase();
    match query.format.as_str() {
        "csv" => return Ok(export(&ctx, text, "text/csv; charset=utf-8", "contents.csv", csv_piece)),
        "json" => return Ok(export(&ctx, text, "application/x-ndjson", "contents.ndjson", json_piece)),
        _ => {}
    }
    let mut db = ctx.app().db.acquire().await?;
    let mut found = surveys::list(&mut db, &text, &query.after, FETCH).await?;
    drop(db);
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let now = ctx.now();
    let link = |after: &str| address("/admin/contents", &[("q", &query.q), ("after", after)]);
    let next = found.last().filter(|_| more).map(|c| link(&c.name));
    let first = (!query.after.is_empty()).then(|| link(""));
    page(&ContentsPage {
        frame: ctx.frame("admin-contents"),
        filter: FilterForm {
            action: "/admin/contents".to_owned(),
            fields: vec![Field::search("q", "Database or owner").value(&query.q)],
            keep: Vec::new(),
            active: !text.is_empty(),
        },
        pager: pager((found.len(), found.len()), ("database", "databases"), first, next),
        rows: found.iter().map(|c| row(&ctx, c, now)).collect(),
        csv_href: address("/admin/contents", &[("q", &query.q), ("format", "csv")]),
        json_href: address("/admin/contents", &[("q", &query.q), ("format", "json")]),
    })
}

fn row(ctx: &Context, c: &Surveyed, now: DateTime<Utc>) -> ContentsRow {
    let version = ctx.app().catalog.find(&c.image).map_or("", |i| i.version.as_str());
    let seen = c.look.data.as_ref().map(|d| &d.0);
    let databases = || seen.into_iter().flat_map(|s| &s.databases);
    let entries = total(databases().map(SurveyedDatabase::entries));
    ContentsRow {
        database: Link::new(&c.name, urls::database_page(&c.name, DatabasePage::Metrics)),
        engine: format!("{} {version}", c.engine.label()),
        owner: c.owner.clone(),
        databases: seen.map(|s| s.databases.iter().map(|d| d.name.clone()).collect()).unwrap_or_default(),
        roles: seen.map(|s| s.roles.len()),
        objects: seen.map(|_| databases().map(|d| d.objects.len()).sum()),
        entries: entries.map(thousands),
        size: total(databases().map(|d| d.bytes)).map(Size::new),
        seen: c.look.at.map(|at| Moment::new(at, now)),
        error: c.look.error.clone(),
    }
}

/// The sum of the known values; `None` if none is known.
fn total(numbers: impl Iterator<Item = Option<i64>>) -> Option<u64> {
    numbers.flatten().reduce(i64::saturating_add).map(|sum| u64::try_from(sum).unwrap_or(0))
}

/// One line of an export.
#[derive(Serialize)]
struct ExportLine<'a> {
    container: &'a str,
    engine: &'a str,
    image: &'a str,
    owner: &'a str,
    seen_at: Option<DateTime<Utc>>,
    kind: &'a str,
    database: &'a str,
    name: &'a str,
    administrator: Option<bool>,
    rows: Option<i64>,
    rows_exact: Option<bool>,
    bytes: Option<i64>,
}

/// The lines of a container: the container itself, its roles, its databases and their objects.
fn lines(c: &Surveyed) -> Vec<ExportLine<'_>> {
    let line = |kind, database, name| ExportLine {
        container: &c.name,
        engine: c.engine.as_str(),
        image: &c.image,
        owner: &c.owner,
        seen_at: c.look.at,
        kind,
        database,
        name,
        administrator: None,
        rows: None,
        rows_exact: None,
        bytes: None,
    };
    let mut all = vec![line("container", "", c.name.as_str())];
    let Some(Survey { roles, databases, .. }) = c.look.data.as_ref().map(|d| &d.0) else { return all };
    all.extend(roles.iter().map(|r| ExportLine { administrator: Some(r.admin), ..line("role", "", &r.name) }));
    for d in databases {
        all.push(ExportLine { bytes: d.bytes, ..line("database", &d.name, &d.name) });
        all.extend(d.objects.iter().map(|o| ExportLine {
            rows: o.rows,
            rows_exact: o.rows.map(|_| o.exact),
            bytes: o.bytes,
            ..line(&o.kind, &d.name, &o.name)
        }));
    }
    all
}

/// Converts one chunk of the list to bytes; the first chunk may start with a header.
type Piece = fn(&[Surveyed], bool) -> anyhow::Result<Vec<u8>>;

fn csv_piece(rows: &[Surveyed], first: bool) -> anyhow::Result<Vec<u8>> {
    let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    if first {
        out.write_record([
            "container",
            "engine",
            "image",
            "owner",
            "seen_at",
            "kind",
            "database",
            "name",
            "administrator",
            "rows",
            "rows_exact",
            "bytes",
        ])?;
    }
    for c in rows {
        for line in lines(c) {
            let (database, name) = (harmless(line.database), harmless(line.name));
            out.serialize(ExportLine { database: &database, name: &name, ..line })?;
        }
    }
    Ok(out.into_inner()?)
}

/// Spreadsheets treat names that start like a formula as one; a leading quote turns them into text.
fn harmless(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{name}") } else { name.to_owned() }
}

fn json_piece(rows: &[Surveyed], _first: bool) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for line in rows.iter().flat_map(lines) {
        serde_json::to_writer(&mut out, &line)?;
        out.push(b'\n');
    }
    Ok(out)
}

/// Streams the whole list in chunks, so that memory use does not depend on its length.
fn export(ctx: &Context, text: String, kind: &'static str, file: &str, piece: Piece) -> Response {
    let begin = (ctx.portal().clone(), text, Some(String::new()), true);
    let pieces = stream::try_unfold(begin, move |(portal, text, after, first): (Shared, String, _, bool)| async move {
        let Some(after) = after else { return Ok::<_, anyhow::Error>(None) };
        let mut db = portal.app.db.acquire().await?;
        let mut rows = surveys::list(&mut db, &text, &after, FETCH).await?;
        drop(db);
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let next = rows.last().filter(|_| more).map(|c| c.name.clone());
        let bytes = piece(&rows, first)?;
        Ok(Some((bytes, (portal, text, next, false))))
    });
    let named = format!("attachment; filename=\"{file}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, named)], Body::from_stream(pieces))
        .into_response()
}

#[cfg(test)]
mod tests {
    use crate::web::pages::admin::contents::*;

    #[test]
    fn unknown_counts_are_not_zero() {
        assert_eq!(total([None, None].into_iter()), None);
        assert_eq!(total([Some(2), None, Some(3)].into_iter()), Some(5));
    }

    #[test]
    fn names_are_not_exported_as_formulas() {
        assert_eq!(harmless("=1+1"), "'=1+1");
        assert_eq!(harmless("public.t"), "public.t");
    }
}
