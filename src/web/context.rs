//! The context of a request for handlers: identity, client address, and the frame of the resulting page.

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};

use super::assets;
use super::error::AppError;
use super::views::{Flash, Frame, Link};
use crate::admin_db::containers::Container;
use crate::admin_db::log;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::app::App;
use crate::config::Mode;
use crate::domain::user::User;
use crate::queue::refusal::RequestError;
use crate::web::access::identity::Identity;
use crate::web::portal::Shared;
use crate::web::read_ahead::ReadAhead;

/// Name of the cookie that carries one message to the next page.
pub const FLASH_COOKIE: &str = "__Host-db4sci-flash";
/// Name of the cookie that stores the selected theme.
pub const THEME_COOKIE: &str = "db4sci-theme";

/// Request data collected by the outermost layer.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Request id.
    pub request_id: String,
    /// Client address.
    pub address: String,
    /// Path and query.
    pub here: String,
    /// Whether the request sends a form.
    pub is_form: bool,
    /// What was read of the form and not consumed.
    pub ahead: Arc<ReadAhead>,
    /// Path and query of the portal's page that sent the request; empty if it is unknown.
    pub from: String,
    /// Whether the request goes to the JSON API.
    pub is_api: bool,
    /// Selected theme.
    pub theme: String,
    /// Message from the previous page.
    pub flash: Option<Flash>,
    /// `User-Agent` header.
    pub user_agent: String,
    /// Hash of the secret in the device cookie.
    pub device: Option<[u8; 32]>,
}

/// A request as handlers see it.
#[derive(Clone)]
pub struct Context {
    /// The portal.
    pub portal: Shared,
    /// The signed-in user, if any.
    pub identity: Option<Identity>,
    /// Everything else about the request.
    pub meta: Meta,
}

impl FromRequestParts<Shared> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Shared) -> Result<Self, Infallible> {
        let identity = parts.extensions.get::<Identity>().cloned();
        let meta = parts.extensions.get::<Meta>().cloned().unwrap_or_else(|| Meta {
            request_id: String::new(),
            address: String::new(),
            here: parts.uri.to_string(),
            is_form: !parts.method.is_safe(),
            ahead: Arc::default(),
            from: String::new(),
            is_api: false,
            theme: String::new(),
            flash: None,
            user_agent: String::new(),
            device: None,
        });
        Ok(Self { portal: portal.clone(), identity, meta })
    }
}

impl Context {
    /// The parts of the portal.
    pub fn app(&self) -> &std::sync::Arc<App> {
        &self.portal.app
    }

    /// The portal itself, for streams that continue after the handler has returned.
    pub fn portal(&self) -> &Shared {
        &self.portal
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.app().clock.now()
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// [`AppError::LoginRequired`] if nobody is signed in.
    pub fn user(&self) -> Result<&User, AppError> {
        self.identity.as_ref().map(|i| &i.user).ok_or(AppError::LoginRequired)
    }

    /// The actor recorded in the log.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.identity.as_ref().map_or_else(|| "nobody".to_owned(), |i| i.user.username.to_string()),
            address: self.meta.address.clone(),
            request_id: self.meta.request_id.clone(),
        }
    }

    /// The page frame; `nav` is the page's item in the navigation.
    pub fn frame(&self, nav: &str) -> Frame {
        frame(&self.portal, self.identity.as_ref(), &self.meta, nav)
    }

    /// Rejects changes while the portal is read-only, except by administrators.
    ///
    /// # Errors
    /// [`AppError::Forbidden`] with the banner's text.
    pub fn writable(&self) -> Result<(), AppError> {
        match self.app().read_only() {
            Some(note) if !self.user()?.is_admin() => {
                Err(AppError::Forbidden(format!("The portal is in read-only mode: {note}")))
            }
            _ => Ok(()),
        }
    }

    /// Logs a rejected request and converts the rejection to a response.
    pub async fn refused(&self, action: &str, c: Option<&Container>, e: RequestError) -> AppError {
        if matches!(e, RequestError::Db(_) | RequestError::Seal(_)) {
            return e.into();
        }
        let why = e.to_string();
        let container = c.map(|c| (c.id, c.name.as_str()));
        let logged = async {
            let mut db = self.app().db.acquire().await?;
            let entry = LogEntry { action, container, outcome: Outcome::Refused, detail: &why };
            log::append(&mut db, &self.actor(), &entry, self.now()).await
        };
        match logged.await {
            Ok(()) => e.into(),
            Err(lost) => lost.into(),
        }
    }

    /// Writes a log row that does not concern a container.
    pub async fn note(&self, action: &str, outcome: Outcome, detail: &str) -> Result<(), AppError> {
        let mut db = self.app().db.acquire().await?;
        let entry = LogEntry { action, container: None, outcome, detail };
        Ok(log::append(&mut db, &self.actor(), &entry, self.now()).await?)
    }
}

/// The frame of a page.
pub fn frame(portal: &crate::web::portal::Portal, identity: Option<&Identity>, meta: &Meta, nav: &str) -> Frame {
    let config = &portal.app.config;
    let branding = &config.branding;
    Frame {
        brand: branding.name.clone(),
        logo: branding.logo.as_ref().map(|_| "/branding/logo".to_owned()),
        favicon: branding.favicon.as_ref().map(|_| "/branding/favicon".to_owned()),
        has_accent: branding.accent.is_some(),
        contact: branding.contact.clone(),
        links: branding.links.iter().map(|l| Link::new(&l.label, &l.url)).collect(),
        notice: branding.notice.clone(),
        instance: config.instance.to_string(),
        mode: (config.mode == Mode::Dev).then(|| "development".to_owned()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        assets: assets::version().to_owned(),
        user: identity.map(|i| i.user.username.to_string()),
        is_admin: identity.is_some_and(|i| i.user.is_admin()),
        nav: nav.to_owned(),
        theme: meta.theme.clone(),
        parent: None,
        here: meta.here.clone(),
        is_answer: meta.is_form,
        read_only: portal.app.read_only(),
        flash: meta.flash.clone(),
        request_id: Some(meta.request_id.clone()),
    }
}

/// Renders a page.
pub fn page(template: &impl Template) -> Result<Response, AppError> {
    page_with(StatusCode::OK, template)
}

/// Renders a page with a status code, such as 422 for a form with errors.
pub fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, AppError> {
    let mut response = (status, Html(template.render()?)).into_response();
    // Pages contain private data: the browser must not cache them for the next person at the keyboard.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Redirects the browser to a page of the portal and shows a message there.
pub fn to(path: &str, flash: Option<Flash>) -> Response {
    let mut response = Redirect::to(path).into_response();
    if let Some(flash) = flash {
        let value = format!("{}:{}", flash.kind, flash.text);
        let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
        add_cookie(&mut response, &cookie(FLASH_COOKIE, value, false));
    }
    response
}

/// A cookie of the portal; if `permanent`, it outlives the browser session.
pub fn cookie(name: &'static str, value: String, permanent: bool) -> Cookie<'static> {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_secure(true);
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    if permanent {
        cookie.make_permanent();
    }
    cookie
}

/// A cookie that removes one of the portal's cookies.
pub fn removal(name: &'static str) -> Cookie<'static> {
    let mut gone = cookie(name, String::new(), false);
    gone.make_removal();
    gone
}

/// Adds a cookie to a response.
pub fn add_cookie(response: &mut Response, cookie: &Cookie<'_>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
