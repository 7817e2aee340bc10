//! The interface on port 5001, as the predecessor for databases from templates had it: a few calls, made by CI jobs and
//! scripts. It creates the same databases as the pages.

mod answers;
mod calls;
mod identity;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

use crate::web::portal::Shared;
use crate::web::{connections, layers};

/// Maximum bytes of a request: it contains one number.
const BODY: usize = 16 * 1024;

/// The interface as one service. The prefix `/v1` is that of the predecessor's proxy.
pub fn router(portal: &Shared) -> Router {
    let calls = Router::new()
        .route("/", get(calls::status))
        .route("/templates", get(calls::templates))
        .route("/db", get(calls::list))
        .route("/db/{template}/{name}", get(calls::show).post(calls::make).delete(calls::remove));
    Router::new()
        .merge(calls.clone())
        .nest("/v1", calls)
        .route("/v1/", get(calls::status))
        .layer(from_fn(layers::matched))
        .fallback(async || answers::not_found())
        .layer(CatchPanicLayer::new())
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(portal.clone(), connections::paced))
        // Without a token, only the browser's headers distinguish a page of another site from a script.
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(portal.clone(), identity::outer))
        .layer(from_fn(connections::watch))
        .with_state(portal.clone())
}
