//! The bodies of answers. Their field names are a contract with clients of the predecessor.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::domain::state::ContainerState;
use crate::web::error::ErrorInfo;

/// A database.
#[derive(Debug, Serialize)]
pub(super) struct InstanceJson<'a> {
    /// The database in the server.
    database: &'a str,
    host: String,
    name: &'a str,
    port: Option<u16>,
    user: &'a str,
    password: Option<&'a str>,
    running: bool,
    status: &'static str,
    /// RFC 3339.
    created: String,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> InstanceJson<'a> {
    pub(super) fn new(app: &App, c: &'a Container, password: Option<&'a SecretString>) -> Self {
        Self {
            database: &c.dbname,
            host: app.config.databases.host_of(&c.name),
            name: &c.instance_name,
            port: c.ports.0.first().map(|(_, port)| *port),
            user: &c.dbuser,
            password: password.map(ExposeSecret::expose_secret),
            running: c.state == ContainerState::Running,
            status: status(c.state),
            created: c.created_at.to_rfc3339(),
            expires_at: c.expires_at.map(|at| at.timestamp()),
        }
    }
}

/// A database in a list.
#[derive(Debug, Serialize)]
pub(super) struct RowJson<'a> {
    template: &'a str,
    name: &'a str,
    state: &'static str,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> RowJson<'a> {
    pub(super) fn new(template: &'a str, c: &'a Container) -> Self {
        Self {
            template,
            name: &c.instance_name,
            state: status(c.state),
            created: c.created_at.to_rfc3339(),
            expires_at: c.expires_at.map(|at| at.timestamp()),
        }
    }
}

/// The state in the words of the container engine, which clients compare with.
pub(super) fn status(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Requested | ContainerState::Provisioning => "created",
        ContainerState::Running => "running",
        ContainerState::Stopped => "exited",
        ContainerState::Failed => "dead",
        ContainerState::Deleting | ContainerState::Trashed | ContainerState::Purged => "removing",
    }
}

/// A response whose body only has a status.
pub(super) fn said(code: StatusCode, status: &str) -> Response {
    (code, Json(json!({ "status": status }))).into_response()
}

/// The response for a database or path that does not exist.
pub(super) fn not_found() -> Response {
    said(StatusCode::NOT_FOUND, "Not found")
}

/// Converts an error to the format of this interface.
pub(super) fn of_error(response: Response) -> Response {
    let code = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json || !(code.is_client_error() || code.is_server_error()) {
        return response;
    }
    let info = response.extensions().get::<ErrorInfo>();
    let detail = info.and_then(|info| info.detail.clone());
    let words = detail.unwrap_or_else(|| match code {
        StatusCode::UNAUTHORIZED => "Send the header Authorization: Bearer with a token of the portal that is valid: not expired, and not revoked.".to_owned(),
        _ => code.canonical_reason().unwrap_or("Error").to_owned(),
    });
    let mut converted = said(code, &words);
    if code == StatusCode::UNAUTHORIZED {
        converted.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after) = response.headers().get(header::RETRY_AFTER) {
        converted.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    converted
}
