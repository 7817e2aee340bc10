//! Middleware around every handler: request id, identity, access level, error pages, security headers, metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use serde_json::json;
use tracing::Instrument;

use super::context::{Context, FLASH_COOKIE, Meta, THEME_COOKIE, add_cookie, frame, removal};
use super::error::{AppError, ErrorInfo};
use super::views::Flash;
use super::views::error::ErrorPage;
use crate::admin_db::log::Outcome;
use crate::secrets::fingerprint;
use crate::web::access::Access;
use crate::web::access::identity::{DEVICE_COOKIE, Identity, client_address, identify, is_background};
use crate::web::portal::{Portal, Shared};
use crate::web::read_ahead::limited;

/// Header with the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No external and no inline resources. Each directive allows exactly what the pages need.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The outermost layer: identifies the client, calls the handler, renders errors, adds headers and records metrics.
pub async fn outer(State(portal): State<Shared>, request: Request, next: Next) -> Response {
    let meta = meta(&portal, &request);
    // At level `error`, so that even an error-only log shows which request it was.
    let span =
        tracing::error_span!("request", id = meta.request_id, method = %request.method(), path = request.uri().path());
    answer(portal, meta, request, next).instrument(span).await
}

async fn answer(portal: Shared, meta: Meta, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut identity = None;
    let handled = async {
        // Probes and static files need no identity, and must work while mydb_admin is unavailable.
        if !anonymous(&path) {
            identity = identify(&portal, meta.is_api, request.headers()).await?;
        }
        if let Some(identity) = &identity {
            request.extensions_mut().insert(identity.clone());
        }
        request.extensions_mut().insert(meta.clone());
        Ok::<_, AppError>(next.run(request).await)
    };
    let mut response = match handled.await {
        Ok(response) => response,
        Err(e) => e.into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = render_error(&portal, identity.as_ref(), &meta, response);
        // Errors must not be cached: they apply only to this moment, and the page shows who is signed in.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // A message is shown once: on the page that follows, not on a redirect to it.
    let shown = meta.flash.is_some() && !response.status().is_redirection() && !anonymous(&path);
    if shown {
        add_cookie(&mut response, &removal(FLASH_COOKIE));
    }
    secure(&portal, &meta, response.headers_mut());
    let took = begin.elapsed();
    let route = response.extensions().get::<MatchedPath>().map_or("other", |p| p.as_str()).to_owned();
    portal.metrics.request(&method, &route, response.status().as_u16(), took);
    tracing::debug!(
        status = response.status().as_u16(),
        address = meta.address,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(0),
        "{method} {path}"
    );
    response
}

/// Copies the matched route into the response, where [`outer`] records it.
pub async fn matched(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}

/// Checks the access level of a route before its handler runs. Attempts to use administrator routes are logged.
pub async fn guard(State((portal, access)): State<(Shared, Access)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(ctx) = Context::from_request_parts(&mut parts, &portal).await;
    match (access, &ctx.identity) {
        (Access::Public, _) => {}
        (_, None) => return AppError::LoginRequired.into_response(),
        (Access::Admin, Some(i)) if !i.user.is_admin() => {
            let detail = format!("{} {}: for administrators only", parts.method, parts.uri.path());
            let refusal = AppError::Forbidden("Only administrators can access this.".to_owned());
            return ctx.note("admin.open", Outcome::Refused, &detail).await.err().unwrap_or(refusal).into_response();
        }
        _ => {}
    }
    next.run(Request::from_parts(parts, body)).await
}

fn anonymous(path: &str) -> bool {
    path.starts_with("/static/")
        || path.starts_with("/branding/")
        || matches!(path, "/healthz" | "/readyz" | "/metrics" | "/branding.css" | "/ca.pem")
}

fn path_and_query(uri: &Uri) -> Option<String> {
    uri.path_and_query().map(|p| p.as_str().to_owned())
}

/// The page that sent the request. Only the path of the `Referer` is used, so that no header can lead to another site.
fn from(headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(header::REFERER).and_then(|v| v.to_str().ok())?;
    path_and_query(&referer.parse().ok()?)
}

/// A URL that can be opened again: the URL itself, or for a form that of the page that sent it.
fn here(request: &Request) -> String {
    let found = match request.method().is_safe() {
        true => path_and_query(request.uri()),
        false => from(request.headers()),
    };
    found.unwrap_or_else(|| "/".to_owned())
}

fn meta(portal: &Portal, request: &Request) -> Meta {
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let address = peer.map(|p| client_address(p, headers, &portal.app.config.server.trusted_proxies));
    let jar = CookieJar::from_headers(headers);
    // A page that is fetched in the background leaves the message for the one that follows.
    let flash = jar.get(FLASH_COOKIE).filter(|_| !is_background(headers)).and_then(|c| {
        let text = percent_encoding::percent_decode_str(c.value()).decode_utf8().ok()?.into_owned();
        let (kind, text) = text.split_once(':')?;
        Some(Flash { kind: kind.to_owned(), text: text.to_owned() })
    });
    let user_agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    Meta {
        request_id: hex::encode(portal.app.random.bytes::<8>()),
        address: address.map(|a| a.to_string()).unwrap_or_default(),
        here: here(request),
        is_form: !request.method().is_safe(),
        ahead: Arc::default(),
        from: from(headers).unwrap_or_default(),
        is_api: request.uri().path().starts_with("/api/"),
        theme: jar.get(THEME_COOKIE).map(|c| c.value().to_owned()).unwrap_or_default(),
        flash,
        user_agent: user_agent.to_owned(),
        device: jar.get(DEVICE_COOKIE).map(|c| fingerprint(c.value())),
    }
}

/// Limits how far the body of a form with a file is read ahead.
pub async fn read_ahead(request: Request, next: Next) -> Response {
    let ahead = request.extensions().get::<Meta>().map(|meta| meta.ahead.clone());
    let Some(ahead) = ahead else { return next.run(request).await };
    next.run(request.map(|body| limited(body, ahead))).await
}

/// Renders an error from a handler, a layer or the router as a page or as problem+json (RFC 9457).
fn render_error(portal: &Portal, identity: Option<&Identity>, meta: &Meta, response: Response) -> Response {
    // Health probes and similar endpoints provide their own body.
    if response.headers().contains_key(header::CONTENT_TYPE) && response.extensions().get::<ErrorInfo>().is_none() {
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/plain") || meta.here.split('?').next() == Some("/readyz") {
            return response;
        }
    }
    let status = response.status();
    let info = response.extensions().get::<ErrorInfo>().cloned();
    let keep: Vec<_> = [header::RETRY_AFTER, header::ALLOW]
        .into_iter()
        .filter_map(|name| response.headers().get(&name).cloned().map(|value| (name, value)))
        .collect();
    let info = info.unwrap_or(ErrorInfo { status, detail: None, fields: Vec::new(), login: false });
    let mut rendered = if meta.is_api {
        problem(meta, &info)
    } else if info.login && status == StatusCode::UNAUTHORIZED {
        let next = percent_encoding::utf8_percent_encode(&meta.here, percent_encoding::NON_ALPHANUMERIC);
        Redirect::to(&format!("/login?next={next}")).into_response()
    } else {
        error_page(portal, identity, meta, &info)
    };
    for (name, value) in keep {
        rendered.headers_mut().insert(name, value);
    }
    if let Some(path) = response.extensions().get::<MatchedPath>() {
        rendered.extensions_mut().insert(path.clone());
    }
    rendered
}

fn problem(meta: &Meta, info: &ErrorInfo) -> Response {
    let words = ErrorPage::of(super::views::Frame::default(), info.status.as_u16());
    let errors: serde_json::Map<String, serde_json::Value> =
        info.fields.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let mut body = json!({
        "type": "about:blank",
        "title": words.title,
        "status": info.status.as_u16(),
        "detail": info.detail.clone().unwrap_or(words.happened),
        "request_id": meta.request_id,
    });
    if let (false, Some(object)) = (errors.is_empty(), body.as_object_mut()) {
        object.insert("errors".to_owned(), errors.into());
    }
    let mut response = (info.status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if info.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn error_page(portal: &Portal, identity: Option<&Identity>, meta: &Meta, info: &ErrorInfo) -> Response {
    let mut page = ErrorPage::of(frame(portal, identity, meta, ""), info.status.as_u16());
    if let Some(detail) = &info.detail {
        page.happened.clone_from(detail);
    }
    match page.render() {
        Ok(html) => (info.status, Html(html)).into_response(),
        Err(e) => {
            tracing::error!("Could not render the error page: {e}");
            (info.status, format!("{}. {} Request {}.", page.title, page.happened, meta.request_id)).into_response()
        }
    }
}

fn secure(portal: &Portal, meta: &Meta, headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if portal.app.config.mode == crate::config::Mode::Prod {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(id) = HeaderValue::from_str(&meta.request_id) {
        headers.insert(REQUEST_ID, id);
    }
}
