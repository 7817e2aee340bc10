//! Who sends a request: the holder of a token, or on this machine in dev mode the first administrator.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::answers;
use crate::admin_db::people::accounts;
use crate::auth::first_admin;
use crate::config::Mode;
use crate::web::access::identity::{Identity, client_address, identify};
use crate::web::context::Meta;
use crate::web::error::AppError;
use crate::web::portal::{Portal, Shared};

/// Identifies the sender, calls the handler and converts errors.
pub async fn outer(State(portal): State<Shared>, mut request: Request, next: Next) -> Response {
    let meta = meta(&portal, &request);
    let (method, begin) = (request.method().clone(), Instant::now());
    let span = tracing::error_span!("request", id = meta.request_id, %method, path = request.uri().path());
    let handled = async {
        let identity = sender(&portal, request.headers()).await?;
        request.extensions_mut().insert(identity);
        request.extensions_mut().insert(meta);
        Ok::<_, AppError>(next.run(request).await)
    };
    let response = handled.instrument(span).await.unwrap_or_else(IntoResponse::into_response);
    let mut response = answers::of_error(response);
    let route = response.extensions().get::<MatchedPath>().map_or("other", |p| p.as_str()).to_owned();
    portal.metrics.request(&method, &format!("myaas {route}"), response.status().as_u16(), begin.elapsed());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn meta(portal: &Portal, request: &Request) -> Meta {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let address = peer.map(|p| client_address(p, request.headers(), &portal.app.config.server.trusted_proxies));
    Meta {
        request_id: hex::encode(portal.app.random.bytes::<8>()),
        address: address.map(|a| a.to_string()).unwrap_or_default(),
        here: request.uri().path().to_owned(),
        is_form: !request.method().is_safe(),
        ahead: std::sync::Arc::default(),
        from: String::new(),
        is_api: true,
        theme: String::new(),
        flash: None,
        user_agent: String::new(),
        device: None,
    }
}

/// The sender of a request.
///
/// # Errors
/// [`AppError::LoginRequired`] without a valid token where one is needed.
async fn sender(portal: &Portal, headers: &HeaderMap) -> Result<Identity, AppError> {
    if let Some(identity) = identify(portal, true, headers).await? {
        return Ok(identity);
    }
    let app = &portal.app;
    let open = app.config.mode == Mode::Dev && app.config.myaas.is_local();
    // Credentials that are no valid token are not the same as none.
    let credentials = headers.contains_key(header::AUTHORIZATION);
    if credentials || !open || !is_for_this_machine(headers) {
        return Err(AppError::LoginRequired);
    }
    let mut db = app.db.acquire().await?;
    let admin = accounts::by_name(&mut db, first_admin::NAME).await?;
    let user = admin.and_then(|account| account.user()).ok_or(AppError::LoginRequired)?;
    Ok(Identity { user, session: None, token: None })
}

/// Whether the request names this machine as its host. A page of another site whose name was made to point here does not.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = host.parse::<Authority>().map(|a| a.host().to_owned()).unwrap_or_default();
    matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_trusted() {
        let with =
            |host: &'static str| is_for_this_machine(&[(header::HOST, host.parse().unwrap())].into_iter().collect());
        assert!(with("localhost:5001") && with("127.0.0.1") && with("[::1]:5001"));
        assert!(!with("evil.example.org:5001") && !with("localhost.example.org") && !with(""));
        assert!(!is_for_this_machine(&HeaderMap::new()));
    }
}
