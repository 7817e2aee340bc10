//! Limits on connections per address and in total, and on idle time, so that nobody can lock others out by opening many
//! connections or by sending requests one byte at a time.

mod body;
pub mod connection;
mod stream;

use std::sync::Arc;

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{AddExtension, Next};
use axum::response::{IntoResponse, Response};
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tower_layer::Layer;

use crate::web::connections::connection::{Connection, ConnectionRefusal, Connections};

pub use body::paced;
pub use stream::TimedConnection;

/// Seconds after which a refused client may try again.
const AGAIN: u64 = 5;

/// Accepts connections while there is room, and applies the limits to each.
#[derive(Debug, Clone)]
pub struct Guarded(pub Arc<Connections>);

impl<S> Accept<TcpStream, S> for Guarded {
    type Stream = TimedConnection;
    type Service = AddExtension<S, Arc<Connection>>;
    type Future = std::future::Ready<std::io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = stream.peer_addr().and_then(|peer| {
            let connection = self.0.enter(peer.ip()).ok_or(std::io::ErrorKind::ConnectionRefused)?;
            let service = Extension(connection.clone()).layer(service);
            Ok((TimedConnection::new(stream, connection), service))
        });
        std::future::ready(accepted)
    }
}

/// The outermost layer: marks a request as in flight, and rejects requests on excess connections.
pub async fn watch(request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<Arc<Connection>>().cloned() else {
        return next.run(request).await;
    };
    if let Some(over) = connection.over {
        return turn_away(over);
    }
    let busy = connection.begin();
    let response = next.run(request).await;
    response.map(|body| body::held(body, busy))
}

fn turn_away(over: ConnectionRefusal) -> Response {
    let (status, said) = match over {
        ConnectionRefusal::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many connections from your address. Close some and try again in a few seconds.\n",
        ),
        ConnectionRefusal::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The portal has reached its connection limit. Try again in a few seconds.\n",
        ),
    };
    let mut response = (status, said).into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::web::connections::connection::SPARE;

    fn connections(most: usize, per_address: usize) -> Arc<Connections> {
        let second = Duration::from_secs(1);
        let trusted = vec!["10.9.9.9".parse().unwrap()];
        Arc::new(Connections { most, per_address, trusted, first: second, idle: second, open: Mutex::default() })
    }

    #[test]
    fn connections_per_address_are_limited_and_released() {
        let all = connections(1000, 3);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut held: Vec<_> = (0..3).map(|_| all.enter(ip("10.0.0.1")).unwrap()).collect();
        assert!(held.iter().all(|c| c.over.is_none()));
        assert_eq!(all.enter(ip("::ffff:10.0.0.1")).unwrap().over, Some(ConnectionRefusal::Address));
        assert!(all.enter(ip("10.0.0.2")).unwrap().over.is_none());
        held.pop();
        assert!(all.enter(ip("10.0.0.1")).unwrap().over.is_none());
        let many: Vec<_> = (0..500).map_while(|_| all.enter(ip("10.0.0.1"))).collect();
        assert_eq!(many.len(), SPARE + 1);
        drop((many, held));
        assert_eq!(all.open(), 0);
        assert!(all.lock().by_place.is_empty());
    }

    #[test]
    fn trusted_proxies_are_exempt_from_the_limit_per_address() {
        let all = connections(10, 3);
        let proxy: IpAddr = "10.9.9.9".parse().unwrap();
        let held: Vec<_> = (0..10).map(|_| all.enter(proxy).unwrap()).collect();
        assert!(held.iter().all(|c| c.over.is_none()));
        assert_eq!(all.enter(proxy).unwrap().over, Some(ConnectionRefusal::All));
    }
}
