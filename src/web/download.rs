//! Streams a backup to a client, from pages and the API alike, and compares it with its manifest on the way.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;

use super::context::Context;
use super::error::AppError;
use super::pages::backups::theirs;
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::backup::download;
use crate::backup::download::{DownloadForm, Package};
use crate::backup::restore::source::BackupSource;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::web::access::backup_access::visible_backup;
use crate::web::access::still_allowed::{StreamSubject, until_refused};

/// Content type of an archive.
pub const TAR: &str = "application/x-tar";
/// Content type of a single object.
pub const BINARY: &str = "application/octet-stream";

/// Which part of a backup to download, and in which form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadQuery {
    /// `plain` or `stored`; by default plain if the portal can decrypt the backup.
    #[serde(default, rename = "as")]
    form: String,
    /// A single object instead of an archive of all objects.
    #[serde(default)]
    file: String,
}

type Asked = Result<Query<DownloadQuery>, axum::extract::rejection::QueryRejection>;

/// `GET /containers/{name}/backups/{id}/download`
pub async fn of_container(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Download).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    answer(ctx, &c, &backup, asked).await
}

/// `GET /backups/{id}/download` and `GET /api/v1/backups/{id}/download`: includes backups of permanently deleted
/// databases.
pub async fn by_id(ctx: Context, Path(id): Path<String>, asked: Asked) -> Result<Response, AppError> {
    let (backup, c) = visible_backup(&ctx, &id, Action::Download).await?;
    answer(ctx, &c, &backup, asked).await
}

async fn answer(ctx: Context, c: &Container, backup: &Backup, asked: Asked) -> Result<Response, AppError> {
    let Query(wanted) =
        asked.map_err(|e| AppError::BadRequest(format!("The query string cannot be parsed: {}.", e.body_text())))?;
    if !backup.is_good() {
        return Err(ctx.refused(ACTION, Some(c), RequestError::NoSuchBackup).await);
    }
    let source = BackupSource::open(ctx.app(), backup.clone()).await.map_err(|e| not_to_be_had(&e))?;
    let opens = source.manifest.opens(&source.keys);
    let form = match wanted.form.as_str() {
        "" if opens => DownloadForm::Plain,
        "" => DownloadForm::Stored,
        word => DownloadForm::parse(word)
            .ok_or_else(|| AppError::BadRequest(format!("“{word}” is not a valid form. Use as=plain or as=stored.")))?,
    };
    if form == DownloadForm::Plain && !opens {
        return Err(ctx.refused(ACTION, Some(c), RequestError::NeedsKey).await);
    }
    let package = match wanted.file.as_str() {
        "" => download::whole(&source, form),
        name => {
            let object = download::find(&source.manifest, name).ok_or(AppError::NotFound)?;
            download::object(&source, form, object).await
        }
    };
    let detail = format!("backup {} as {}, {}", backup.id, form.as_str(), package.name);
    note(&ctx, c, Outcome::Ok, &detail).await?;
    Ok(stream(ctx, c.clone(), detail, package))
}

/// Name of this action in the log.
const ACTION: &str = "container.download";

fn not_to_be_had(e: &StepError) -> AppError {
    if e.may_pass() { AppError::Engine(e.to_string()) } else { AppError::Conflict(e.to_string()) }
}

async fn note(ctx: &Context, c: &Container, outcome: Outcome, detail: &str) -> Result<(), sqlx::Error> {
    let mut db = ctx.app().db.acquire().await?;
    let entry = LogEntry { action: ACTION, container: Some((c.id, &c.name)), outcome, detail };
    log::append(&mut db, &ctx.actor(), &entry, ctx.now()).await
}

/// Streams the package. If its data turns out to be damaged, the response ends before the announced length, which every
/// client reports as a failure.
fn stream(ctx: Context, c: Container, detail: String, package: Package) -> Response {
    let refused = until_refused(ctx.clone(), StreamSubject::Container(c.id, Action::Download));
    let about = Arc::new((ctx, c, detail));
    let content = package.content.then(move |piece| {
        let about = piece.is_err().then(|| about.clone());
        async move {
            if let (Some(about), Err(why)) = (about, &piece) {
                let (ctx, c, detail) = &*about;
                tracing::warn!(container.name = c.name, "A backup download was aborted: {why}");
                if let Err(e) = note(ctx, c, Outcome::Failed, &format!("{detail}: {why}")).await {
                    tracing::warn!(container.name = c.name, "Could not log it: {e}");
                }
            }
            piece.map_err(std::io::Error::other)
        }
    });
    let content = content.take_until(Box::pin(refused));
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    let kind = if package.is_tar { TAR } else { BINARY };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(package.bytes));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Names follow the naming rules, so they contain no quotes.
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", package.name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
