//! The listeners: HTTPS, which reloads its certificate when the files change, and the redirect from HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Redirect, Response};
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use super::connections;
use super::connections::Guarded;
use super::myaas;
use super::routes::router;
use crate::config::Server;
use crate::web::portal::Shared;

/// Time for open requests to finish when the portal stops.
const GRACE: Duration = Duration::from_secs(10);
/// Timeout for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// HTTP/1: maximum bytes of headers and of data read ahead of a handler, per connection.
const HTTP1_BUFFER: usize = 64 * 1024;
/// HTTP/2: maximum concurrent requests per connection.
const HTTP2_STREAMS: u32 = 64;
/// HTTP/2: maximum bytes of headers per request.
const HTTP2_HEADERS: u32 = 32 * 1024;
/// HTTP/2: ping interval for idle clients, and the timeout for their response.
const HTTP2_PING: Duration = Duration::from_secs(30);
const HTTP2_PONG: Duration = Duration::from_secs(20);
/// How often the certificate files are checked for changes.
const CERT_LOOK: Duration = Duration::from_secs(5);

/// Binds a listener, so that an occupied port is detected before anything else starts.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address} (another program may be using \
                                                            it)"
        )
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the portal until `stop`, then lets open requests finish.
pub async fn serve(portal: Shared, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (router, tls) = (router(&portal), portal.app.config.server.tls);
    serve_on(portal, router, (listener, tls), stop).await
}

/// Serves the interface for databases from templates in the same way.
pub async fn serve_myaas(portal: Shared, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (router, tls) = (myaas::router(&portal), portal.app.config.myaas.tls);
    serve_on(portal, router, (listener, tls), stop).await
}

async fn serve_on(
    portal: Shared,
    router: Router,
    (listener, tls): (TcpListener, bool),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let server = &portal.app.config.server;
    let guarded = Guarded(portal.connections.clone());
    let shutdown = async {
        stop.cancelled().await;
        portal.closing.cancel();
        handle.graceful_shutdown(Some(GRACE));
    };
    if tls {
        let tls = RustlsConfig::from_pem_file(&server.cert, &server.key)
            .await
            .with_context(|| format!("the certificate {} is unusable", server.cert.display()))?;
        let acceptor = RustlsAcceptor::new(tls.clone()).handshake_timeout(HANDSHAKE).acceptor(guarded);
        let serving = tuned(axum_server::from_tcp(listener)?.acceptor(acceptor)).handle(handle.clone()).serve(service);
        let reload = reload(server, tls);
        tokio::pin!(serving);
        tokio::select! {
            done = &mut serving => done?,
            () = reload => {}
            () = shutdown => serving.await?,
        }
    } else {
        let serving = tuned(axum_server::from_tcp(listener)?.acceptor(guarded)).handle(handle.clone()).serve(service);
        tokio::pin!(serving);
        tokio::select! {
            done = &mut serving => done?,
            () = shutdown => serving.await?,
        }
    }
    Ok(())
}

/// Limits what one connection may request at once.
fn tuned<A>(mut server: axum_server::Server<SocketAddr, A>) -> axum_server::Server<SocketAddr, A> {
    let builder = server.http_builder();
    builder.http1().max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PONG)
        .max_header_list_size(HTTP2_HEADERS);
    server
}

/// Reloads the certificate whenever its files change. A certificate and key that do not match are logged and ignored.
async fn reload(server: &Server, tls: RustlsConfig) {
    let files: [PathBuf; 2] = [server.cert.clone(), server.key.clone()];
    let changed = |files: &[PathBuf; 2]| -> Vec<Option<SystemTime>> {
        files.iter().map(|f| std::fs::metadata(f).and_then(|m| m.modified()).ok()).collect()
    };
    let mut seen = changed(&files);
    loop {
        tokio::time::sleep(CERT_LOOK).await;
        let now = changed(&files);
        if now == seen {
            continue;
        }
        seen = now;
        match tls.reload_from_pem_file(&server.cert, &server.key).await {
            Ok(()) => tracing::info!(file = %server.cert.display(), "Loaded the changed certificate"),
            Err(e) => {
                tracing::error!(file = %server.cert.display(), "The changed certificate is unusable; keeping the old \
                                                                one: {e}");
            }
        }
    }
}

/// Redirects plain HTTP to the same URL on HTTPS, until `stop`.
pub async fn redirect(
    portal: Shared,
    listener: TcpListener,
    https_port: u16,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let app = Router::new().fallback(move |request: Request| async move { to_https(&request, https_port) });
    let handle = Handle::new();
    let app = app.layer(from_fn(connections::watch));
    let server = tuned(axum_server::from_tcp(listener)?.acceptor(Guarded(portal.connections.clone())));
    let serving = server.handle(handle.clone()).serve(app.into_make_service());
    tokio::pin!(serving);
    tokio::select! {
        done = &mut serving => done?,
        () = stop.cancelled() => {
            handle.graceful_shutdown(Some(Duration::from_secs(1)));
            serving.await?;
        }
    }
    Ok(())
}

fn to_https(request: &Request, port: u16) -> Response {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = host.parse::<axum::http::uri::Authority>().map(|a| a.host().to_owned()).unwrap_or_default();
    if name.is_empty() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let authority = if port == 443 { name } else { format!("{name}:{port}") };
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    match format!("https://{authority}{path}").parse::<Uri>() {
        Ok(uri) => Redirect::permanent(&uri.to_string()).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
