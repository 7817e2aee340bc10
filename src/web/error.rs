//! The error type shared by pages and API. A handler never chooses a format: the outermost layer renders [`ErrorInfo`]
//! as a page or as problem+json.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::admin_db;
use crate::auth::login::LoginError;
use crate::queue::refusal::RequestError;
use crate::runtime::RuntimeError;

/// An error as the client may see it.
#[derive(Debug)]
pub enum AppError {
    /// The object does not exist, or is hidden from the client.
    NotFound,
    /// The client must sign in.
    LoginRequired,
    /// The action is not allowed; the sentence gives the reason.
    Forbidden(String),
    /// The request is malformed.
    BadRequest(String),
    /// Invalid values: (field, sentence), for the API. Pages render their form instead.
    Invalid(Vec<(String, String)>),
    /// The current state does not allow the action.
    Conflict(String),
    /// The request body is too large.
    TooLarge,
    /// The body is neither a form nor JSON.
    UnsupportedMedia,
    /// Too many attempts; seconds to wait.
    TooMany(u64),
    /// The client has reached its limit of open requests; a sentence, and seconds to wait.
    Crowded(String, u64),
    /// The body arrived more slowly than this many bytes per second.
    Slow(u64),
    /// The container engine is not responding.
    Engine(String),
    /// mydb_admin is not responding.
    Unavailable,
    /// An internal error. Logged once, when rendered; the client sees the request id.
    Internal(anyhow::Error),
}

/// Input of the rendering layer.
#[derive(Debug, Clone)]
pub struct ErrorInfo {
    /// Status code.
    pub status: StatusCode,
    /// What happened, if the generic text for the status does not say enough.
    pub detail: Option<String>,
    /// Invalid fields.
    pub fields: Vec<(String, String)>,
    /// Whether a visitor of a page is redirected to sign in.
    pub login: bool,
}

impl AppError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::LoginRequired => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) | Self::Crowded(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Engine(_) => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = status.into_response();
        let login = matches!(self, Self::LoginRequired);
        let mut fields = Vec::new();
        let detail = match self {
            Self::Internal(e) => {
                tracing::error!(error = format!("{e:#}"), "A request failed because of an internal error");
                None
            }
            Self::Forbidden(text) | Self::BadRequest(text) | Self::Conflict(text) | Self::Engine(text) => Some(text),
            Self::Invalid(found) => {
                fields = found;
                None
            }
            Self::TooMany(seconds) => {
                response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
                Some(format!("Too many attempts. Wait {seconds} s."))
            }
            Self::Crowded(text, seconds) => {
                response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
                Some(text)
            }
            Self::Slow(least) => {
                Some(format!("The request was sent too slowly: at least {least} bytes per second are required."))
            }
            _ => None,
        };
        response.extensions_mut().insert(ErrorInfo { status, detail, fields, login });
        response
    }
}

impl From<sqlx::Error> for AppError {
    fn from(e: sqlx::Error) -> Self {
        // 22021: text that is invalid in any UTF-8 database, such as a NUL byte in a URL.
        let unfit = e.as_database_error().is_some_and(|d| d.code().as_deref() == Some("22021"));
        if unfit {
            return Self::BadRequest("The request contains a character that is not allowed.".to_owned());
        }
        if admin_db::is_unreachable(&e) { Self::Unavailable } else { Self::Internal(e.into()) }
    }
}

impl From<anyhow::Error> for AppError {
    fn from(e: anyhow::Error) -> Self {
        match e.downcast::<sqlx::Error>() {
            Ok(e) => e.into(),
            Err(e) => Self::Internal(e),
        }
    }
}

impl From<askama::Error> for AppError {
    fn from(e: askama::Error) -> Self {
        Self::Internal(e.into())
    }
}

impl From<RuntimeError> for AppError {
    fn from(e: RuntimeError) -> Self {
        Self::Engine(e.to_string())
    }
}

impl From<LoginError> for AppError {
    fn from(e: LoginError) -> Self {
        match e {
            LoginError::Wrong => Self::LoginRequired,
            LoginError::TooMany(seconds) => Self::TooMany(seconds),
            LoginError::Db(e) => e.into(),
            LoginError::Hash(e) => e.into(),
        }
    }
}

impl From<RequestError> for AppError {
    fn from(e: RequestError) -> Self {
        match e {
            RequestError::Db(e) => e.into(),
            RequestError::Seal(e) => e.into(),
            RequestError::Gone => Self::NotFound,
            RequestError::Fields(faults) => Self::Invalid(faults),
            e => Self::Conflict(e.to_string()),
        }
    }
}
