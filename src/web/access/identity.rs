//! Identifies the sender of a request: by session cookie on pages, by bearer token in the API.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::CookieJar;

use crate::admin_db::people::accounts::{AccessKind, holder};
use crate::admin_db::people::{sessions, tokens};
use crate::app::App;
use crate::auth::login::idle;
use crate::domain::user::User;
use crate::secrets::fingerprint;
use crate::web::error::AppError;
use crate::web::portal::Portal;

/// Name of the session cookie. `__Host-` binds it to this host, to HTTPS and to the path `/`.
pub const SESSION_COOKIE: &str = "__Host-db4sci-session";
/// Name of the cookie that distinguishes browsers somebody has signed in with from unknown ones.
pub const DEVICE_COOKIE: &str = "__Host-db4sci-device";

/// Header of requests that a page sends by itself to show what has changed.
const LIVE: &str = "x-db4sci-live";

/// Whether a page sent the request by itself. Such requests do not keep a session from expiring, because nobody may be at
/// the keyboard.
pub fn is_background(headers: &HeaderMap) -> bool {
    let is_stream = |accept: &HeaderValue| accept.as_bytes() == b"text/event-stream";
    headers.contains_key(LIVE) || headers.get(header::ACCEPT).is_some_and(is_stream)
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user.
    pub user: User,
    /// Hash of the session secret; `None` for a token.
    pub session: Option<[u8; 32]>,
    /// Hash of the token secret; `None` for a session.
    pub token: Option<[u8; 32]>,
}

/// Identifies the sender of a request. The API accepts only tokens: cookies would let other sites use it.
///
/// # Errors
/// If mydb_admin is unavailable, or the token sent is invalid.
pub async fn identify(portal: &Portal, is_api: bool, headers: &HeaderMap) -> Result<Option<Identity>, AppError> {
    let app = &portal.app;
    let now = app.clock.now();
    if is_api {
        let Some(token) = bearer(headers) else { return Ok(None) };
        let print = fingerprint(token);
        let mut db = app.db.acquire().await?;
        let account = tokens::account(&mut db, &print, now).await?;
        let user = account.and_then(|a| a.user()).ok_or(AppError::LoginRequired)?;
        return Ok(Some(Identity { user, session: None, token: Some(print) }));
    }
    let jar = CookieJar::from_headers(headers);
    let Some(cookie) = jar.get(SESSION_COOKIE) else { return Ok(None) };
    let print = fingerprint(cookie.value());
    let mut db = app.db.acquire().await?;
    let account = match is_background(headers) {
        true => holder(&mut db, AccessKind::Session, &print, now).await?,
        false => sessions::account(&mut db, &print, now, idle(app)).await?,
    };
    Ok(account.and_then(|a| a.user()).map(|user| Identity { user, session: Some(print), token: None }))
}

/// The current user of a session or token, if it is still valid: for long-lived responses.
pub async fn still(app: &App, identity: &Identity) -> Result<Option<User>, sqlx::Error> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let account = match (&identity.session, &identity.token) {
        (Some(print), _) => holder(&mut db, AccessKind::Session, print, now).await?,
        (None, Some(print)) => holder(&mut db, AccessKind::Token, print, now).await?,
        (None, None) => None,
    };
    Ok(account.and_then(|a| a.user()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The client address of a request. `X-Forwarded-For` is used only if a trusted proxy sent it: then the client is its
/// last entry that is not a trusted proxy.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok());
    let hops: Vec<IpAddr> = forwarded.flat_map(|v| v.split(',')).filter_map(|a| a.trim().parse().ok()).collect();
    hops.into_iter().rev().find(|a| !trusted.contains(a)).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use crate::web::access::identity::*;

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 10.1.1.1, 10.0.0.2".parse().unwrap());
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(client_address(ip("10.0.0.1"), &headers, &trusted), ip("10.1.1.1"));
        assert_eq!(client_address(ip("9.9.9.9"), &headers, &trusted), ip("9.9.9.9"));
        assert_eq!(client_address(ip("10.0.0.1"), &HeaderMap::new(), &trusted), ip("10.0.0.1"));
    }
}
