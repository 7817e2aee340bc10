//! The log of a server: its last lines, and a stream of new ones.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::domain::quantity::thousands;
use crate::domain::user::Action;
use crate::runtime::LogRequest;
use crate::runtime::output::read_log;
use crate::web::access::still_allowed::{StreamSubject, until_refused};
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::live;
use crate::web::live::Watched;
use crate::web::pages::admin::lists::address;
use crate::web::pages::container_head::head;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::elements::format::count_text;
use crate::web::views::logs::LogsPage;
use crate::web::views::{Choice, Field};

/// Selectable numbers of lines.
const CHOICES: [u32; 4] = [100, 500, 2000, 10_000];
/// Timeout for reading them.
const WAIT: Duration = Duration::from_secs(5);

/// Which lines to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServerLogQuery {
    /// Number of lines.
    lines: Option<u32>,
    /// Only lines that contain this text, in upper or lower case.
    text: String,
    /// Whether long lines are wrapped: `on`.
    wrap: String,
    /// For the stream: the job whose steps the page shows.
    job: String,
}

/// Whether a line contains the text, which is in lower case.
fn contains(line: &str, text: &str) -> bool {
    text.is_empty() || line.to_lowercase().contains(text)
}

/// `GET /containers/{name}/logs`
pub async fn show(
    ctx: Context,
    Path(name): Path<String>,
    Query(query): Query<ServerLogQuery>,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::ReadLogs).await?;
    let asked = CHOICES.into_iter().find(|n| Some(*n) == query.lines).unwrap_or(CHOICES[0]);
    let href = urls::database_page(&c.name, DatabasePage::Logs);
    let (lines, problem) = match &c.docker_id {
        None => (
            Vec::new(),
            Some("No log is available, because the server’s container does not exist at the moment.".to_owned()),
        ),
        Some(id) => match tokio::time::timeout(WAIT, read(&ctx, id, asked)).await {
            Ok(Ok(lines)) => (lines, None),
            Ok(Err(e)) => (Vec::new(), Some(e.to_string())),
            Err(_) => (Vec::new(), Some("The container engine did not return the log in time. Try again.".to_owned())),
        },
    };
    let chosen = asked.to_string();
    let wanted = query.text.trim().to_lowercase();
    let read = lines.len();
    let lines: Vec<String> = lines.into_iter().filter(|line| contains(line, &wanted)).collect();
    page(&LogsPage {
        frame: ctx.frame_of(&c),
        head: head(&ctx, &c, Some(Tab::Logs)),
        events: c.docker_id.as_ref().map(|_| address(&format!("{href}/events"), &[("text", query.text.trim())])),
        found: (!wanted.is_empty()).then(|| {
            let number = |n: usize| thousands(n as u64);
            format!(
                "{} of the last {} contain this text.",
                number(lines.len()),
                count_text(read as u64, "line", "lines")
            )
        }),
        text: Field::search("text", "Contains").value(query.text.trim()),
        wrap: query.wrap == "on",
        href,
        choices: CHOICES.iter().map(|n| Choice::new(n.to_string(), format!("{n} lines"), &chosen)).collect(),
        lines,
        problem,
    })
}

async fn read(ctx: &Context, id: &str, tail: u32) -> Result<Vec<String>, crate::runtime::RuntimeError> {
    let lines = ctx.app().runtime.logs(id, LogRequest { tail, follow: false }).await?;
    Ok(read_log(lines).await?.lines().map(str::to_owned).collect())
}

/// `GET /containers/{name}/logs/events`: sends each new line as an event, and `end` when the server has stopped. The events
/// of the page itself come in between, so that it needs no second stream.
///
/// With `text`, only the lines that contain it.
pub async fn events(
    ctx: Context,
    Path(name): Path<String>,
    Query(query): Query<ServerLogQuery>,
) -> Result<Response, AppError> {
    let wanted = query.text.trim().to_lowercase();
    let c = ctx.container(&name, Action::ReadLogs).await?;
    let id = c
        .docker_id
        .clone()
        .ok_or_else(|| AppError::Conflict("The server’s container does not exist at the moment.".to_owned()))?;
    let held = ctx.portal.streams.hold(&ctx, "live pages")?;
    let pieces = ctx.app().runtime.logs(&id, LogRequest { tail: 0, follow: true }).await?;
    let lines = pieces.flat_map(move |piece| {
        let text = piece.map(|p| String::from_utf8_lossy(&p).into_owned()).unwrap_or_default();
        let lines = text.lines().filter(|line| contains(line, &wanted));
        let lines: Vec<_> = lines.map(|line| Ok(Event::default().data(line.replace('\r', "")))).collect();
        futures::stream::iter(lines)
    });
    // The end of the log ends the other events too.
    let over = CancellationToken::new();
    // Those streams end after a while, so that browsers reconnect. This one goes on, because lines would be missed.
    let again = move |(ctx, job): (Context, String)| async move {
        let events = live::events(ctx.clone(), Watched::Database(c.id), job.clone()).await;
        Some((events, (ctx, job)))
    };
    let others = futures::stream::unfold((ctx.clone(), query.job), again).flatten();
    let others = others.take_until(Box::pin(over.clone().cancelled_owned()));
    let end = futures::stream::once(async move {
        over.cancel();
        Ok::<_, Infallible>(Event::default().event("end").data("end"))
    });
    let refused = until_refused(ctx, StreamSubject::Container(c.id, Action::ReadLogs));
    Ok(sse(futures::stream::select(lines.chain(end), others).take_until(Box::pin(refused)).inspect(move |_| _ = &held)))
}

fn sse(stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_ignores_case_and_an_empty_one_keeps_everything() {
        assert!(contains("ERROR: no such table", "error") && contains("x", ""));
        assert!(!contains("LOG: ready", "error"));
    }
}
