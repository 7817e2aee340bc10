//! Live pages: a stream that says when what a page shows has changed. The page then fetches itself again and replaces the
//! parts that differ (`static/live.js`), so that there is one set of templates. The steps of a job that the page shows
//! come in the same stream, because a browser opens only a few connections to a host.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use crate::admin_db::{pulse, templates};
use crate::domain::user::Action;
use crate::web::access::job_access::visible_job;
use crate::web::access::still_allowed::{StreamSubject, until_refused};
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::pages::job;

/// How often the database is asked while somebody watches.
const LOOK: Duration = Duration::from_secs(1);
/// When a page is rendered again for the first time even if nothing changed: it was rendered before the stream began.
const FIRST: Duration = Duration::from_secs(5);
/// How often after that, because the pages say how long ago something was.
const AGAIN: Duration = Duration::from_secs(60);
/// Maximum duration of a stream, after which the browser reconnects.
const LONGEST: Duration = Duration::from_secs(600);

/// Query parameters of each stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LiveQuery {
    /// The job whose steps the page shows.
    pub job: String,
}

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watched {
    /// A database.
    Database(Uuid),
    /// The databases of an account.
    Account(Uuid),
    /// The templates that the user may use.
    Templates,
    /// The whole portal.
    Portal,
}

/// `GET /containers/{name}/events`
pub async fn database(
    ctx: Context,
    Path(name): Path<String>,
    Query(query): Query<LiveQuery>,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    watch(ctx, Watched::Database(c.id), StreamSubject::Container(c.id, Action::View), query).await
}

/// `GET /events`
pub async fn account(ctx: Context, Query(query): Query<LiveQuery>) -> Result<Response, AppError> {
    let id = ctx.user()?.id;
    watch(ctx, Watched::Account(id), StreamSubject::List, query).await
}

/// `GET /events/templates`
pub async fn templates(ctx: Context, Query(query): Query<LiveQuery>) -> Result<Response, AppError> {
    watch(ctx, Watched::Templates, StreamSubject::List, query).await
}

/// `GET /admin/events`
pub async fn portal(ctx: Context, Query(query): Query<LiveQuery>) -> Result<Response, AppError> {
    watch(ctx, Watched::Portal, StreamSubject::List, query).await
}

async fn watch(ctx: Context, what: Watched, subject: StreamSubject, query: LiveQuery) -> Result<Response, AppError> {
    let held = ctx.portal.streams.hold(&ctx, "live pages")?;
    let stream = events(ctx.clone(), what, query.job).await.take_until(Box::pin(until_refused(ctx, subject)));
    let stream = stream.inspect(move |_| _ = &held);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// The events of a page: `changed`, and `steps` of the job with this id if the page shows one.
pub(super) async fn events(ctx: Context, what: Watched, job: String) -> impl Stream<Item = Result<Event, Infallible>> {
    // A job that no longer exists ends none of the other events.
    let shown = if job.is_empty() { None } else { visible_job(&ctx, &job).await.ok().map(|(job, _)| job.id) };
    let steps = futures::stream::iter(shown.map(|id| job::followed(ctx.clone(), id))).flatten();
    let steps = steps.map(|text| Ok(Event::default().event("steps").data(text)));
    futures::stream::select(changes(ctx, what), steps)
}

/// An event each time the page has to be rendered again.
fn changes(ctx: Context, what: Watched) -> impl Stream<Item = Result<Event, Infallible>> {
    let begin = Instant::now();
    let state = (ctx, None::<String>, begin + FIRST);
    futures::stream::unfold(state, move |(ctx, mut last, due)| async move {
        while begin.elapsed() < LONGEST {
            // While mydb_admin is unavailable, the stream waits.
            let seen = fingerprint(&ctx, what).await.ok();
            let changed = last.is_some() && seen.is_some() && seen != last;
            last = seen.or(last);
            if changed || Instant::now() >= due {
                // A browser ignores an event without data.
                return Some((Ok(Event::default().event("changed").data("page")), (ctx, last, Instant::now() + AGAIN)));
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    })
}

async fn fingerprint(ctx: &Context, what: Watched) -> Result<String, sqlx::Error> {
    let mut db = ctx.app().db.acquire().await?;
    match what {
        Watched::Database(id) => pulse::of_container(&mut db, id).await,
        Watched::Account(id) => pulse::of_account(&mut db, id).await,
        Watched::Templates => of_templates(ctx, &mut db).await,
        Watched::Portal => pulse::of_portal(&mut db).await,
    }
}

/// Only of templates that the user may use: others must not even be noticed.
async fn of_templates(ctx: &Context, db: &mut PgConnection) -> Result<String, sqlx::Error> {
    let Ok(user) = ctx.user() else { return Ok(String::new()) };
    let mut visible = templates::all(&mut *db).await?;
    visible.retain(|t| t.allows(user.username.as_str(), user.is_admin()));
    let ids: Vec<Uuid> = visible.iter().map(|t| t.id).collect();
    let versions = pulse::of_templates(db, &ids).await?;
    let settings = visible.iter().map(|t| {
        let (limits, current) = ((t.memory_bytes, t.ttl_seconds), t.current_version);
        format!("{:?}", (t.id, &t.name, &t.description, &t.image, limits, &t.users, current))
    });
    Ok(settings.chain([versions]).collect::<Vec<_>>().join("|"))
}
