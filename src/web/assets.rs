//! Static files, embedded in the binary, and the configured branding.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::AppError;
use super::views::branding::branding_css;
use crate::web::portal::Shared;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Static;

/// A hash of all static files, appended to their URLs so that browsers may cache them indefinitely.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        for name in Static::iter() {
            hash.update(name.as_bytes());
            if let Some(file) = Static::get(&name) {
                hash.update(file.metadata.sha256_hash());
            }
        }
        hash.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    });
    &VERSION
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

fn answer(kind: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (StatusCode::OK, headers, body.into()).into_response()
}

/// `GET /static/{*file}`
pub async fn file(Path(name): Path<String>) -> Result<Response, AppError> {
    let file = Static::get(&name).ok_or(AppError::NotFound)?;
    Ok(answer(content_type(&name), "public, max-age=31536000, immutable", file.data.into_owned()))
}

/// `GET /branding.css`: the configured accent colour.
pub async fn branding(State(portal): State<Shared>) -> Response {
    let css = portal.app.config.branding.accent.as_deref().and_then(branding_css).unwrap_or_default();
    answer("text/css; charset=utf-8", "public, max-age=300", css)
}

/// `GET /branding/logo`: the configured logo.
pub async fn logo(State(portal): State<Shared>) -> Result<Response, AppError> {
    configured("branding.logo", portal.app.config.branding.logo.as_deref()).await
}

/// `GET /branding/favicon`: the configured icon.
pub async fn favicon(State(portal): State<Shared>) -> Result<Response, AppError> {
    configured("branding.favicon", portal.app.config.branding.favicon.as_deref()).await
}

/// The image in the file of a setting.
async fn configured(setting: &str, file: Option<&std::path::Path>) -> Result<Response, AppError> {
    let path = file.ok_or(AppError::NotFound)?;
    let body = tokio::fs::read(path).await.map_err(|e| {
        tracing::warn!(file = %path.display(), "Cannot read {setting}: {e}");
        AppError::NotFound
    })?;
    Ok(answer(content_type(path.to_str().unwrap_or_default()), "public, max-age=300", body))
}

/// `GET /ca.pem`: the CA of the database certificates, for clients that verify them.
pub async fn authority(State(portal): State<Shared>) -> Response {
    answer("application/x-pem-file", "public, max-age=300", portal.app.authority.certificate().to_owned())
}
