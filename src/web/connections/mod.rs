//! Connections: how many there may be of an address and in all, and how long one may do nothing. Nobody keeps the others
//! out by opening many, or by sending their requests a byte at a time.

mod body;
mod stream;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{AddExtension, Next};
use axum::response::{IntoResponse, Response};
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tower_layer::Layer;

pub use body::paced;
pub use stream::Timed;

use crate::auth::limits::place;
use crate::config::Server;

/// Connections beyond a limit that are answered with a sentence; further ones are closed at once.
const SPARE: usize = 64;
/// Seconds after which somebody turned away may come again.
const AGAIN: u64 = 5;

/// All connections of a portal.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    per_address: usize,
    /// Proxies: their connections are many people's.
    trusted: Vec<IpAddr>,
    first: Duration,
    idle: Duration,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_place: HashMap<IpAddr, usize>,
}

/// Why a connection is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Address,
    All,
}

impl Connections {
    /// None yet.
    pub fn new(server: &Server) -> Arc<Self> {
        Arc::new(Self {
            most: server.connections,
            per_address: server.connections_per_address,
            trusted: server.trusted_proxies.clone(),
            first: server.header_time,
            idle: server.idle,
            open: Mutex::default(),
        })
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // What a panic left is as good as what was before it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more; `None`: there is no room even for telling so.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Connection>> {
        let place = place(address);
        let mut open = self.lock();
        let of_place = open.by_place.get(&place).copied().unwrap_or_default();
        let proxy = self.trusted.contains(&address.to_canonical());
        let over = match () {
            () if open.all >= self.most => Some(Over::All),
            () if of_place >= self.per_address && !proxy => Some(Over::Address),
            () => None,
        };
        let turned_away = match over {
            Some(Over::All) => open.all >= self.most.saturating_add(SPARE),
            Some(Over::Address) => of_place >= self.per_address.saturating_add(SPARE),
            None => false,
        };
        if turned_away {
            return None;
        }
        open.all += 1;
        *open.by_place.entry(place).or_default() += 1;
        drop(open);
        let state = Mutex::new(Activity { busy: 0, since: Instant::now(), served: false });
        Some(Arc::new(Connection { all: self.clone(), place, over, state }))
    }

    fn leave(&self, place: IpAddr) {
        let mut open = self.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(n) = open.by_place.get_mut(&place) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                open.by_place.remove(&place);
            }
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    all: Arc<Connections>,
    place: IpAddr,
    over: Option<Over>,
    state: Mutex<Activity>,
}

#[derive(Debug)]
struct Activity {
    /// Requests under way.
    busy: usize,
    /// When the last one ended, or the connection began.
    since: Instant,
    /// Whether there was one.
    served: bool,
}

impl Connection {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when it may go on without a whole request; while one is under way, when to look again.
    fn deadline(&self) -> (Instant, bool) {
        let activity = self.activity();
        match (activity.busy, activity.served) {
            (0, false) => (activity.since + self.all.first, true),
            (0, true) => (activity.since + self.all.idle, true),
            _ => (Instant::now() + self.all.idle, false),
        }
    }

    fn begin(self: &Arc<Self>) -> Busy {
        let mut activity = self.activity();
        activity.busy += 1;
        activity.served = true;
        drop(activity);
        Busy(self.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.leave(self.place);
    }
}

/// A request under way, until the last byte of its answer.
struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.busy = activity.busy.saturating_sub(1);
        activity.since = Instant::now();
    }
}

/// Accepts connections as long as there is room, and gives each its limits.
#[derive(Debug, Clone)]
pub struct Guarded(pub Arc<Connections>);

impl<S> Accept<TcpStream, S> for Guarded {
    type Stream = Timed;
    type Service = AddExtension<S, Arc<Connection>>;
    type Future = std::future::Ready<std::io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = stream.peer_addr().and_then(|peer| {
            let connection = self.0.enter(peer.ip()).ok_or(std::io::ErrorKind::ConnectionRefused)?;
            let service = Extension(connection.clone()).layer(service);
            Ok((Timed::new(stream, connection), service))
        });
        std::future::ready(accepted)
    }
}

/// The outermost layer: notes that a request is under way, and turns away those of a connection too many.
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

fn turn_away(over: Over) -> Response {
    let (status, said) = match over {
        Over::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "There are too many connections from your address. Close some, and try again in a few seconds.\n",
        ),
        Over::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The portal has as many connections as it can take. Try again in a few seconds.\n",
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
    use super::*;

    fn connections(most: usize, per_address: usize) -> Arc<Connections> {
        let second = Duration::from_secs(1);
        let trusted = vec!["10.9.9.9".parse().unwrap()];
        Arc::new(Connections { most, per_address, trusted, first: second, idle: second, open: Mutex::default() })
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let all = connections(1000, 3);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut held: Vec<_> = (0..3).map(|_| all.enter(ip("10.0.0.1")).unwrap()).collect();
        assert!(held.iter().all(|c| c.over.is_none()));
        assert_eq!(all.enter(ip("::ffff:10.0.0.1")).unwrap().over, Some(Over::Address));
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
    fn a_proxy_has_as_many_as_there_are() {
        let all = connections(10, 3);
        let proxy: IpAddr = "10.9.9.9".parse().unwrap();
        let held: Vec<_> = (0..10).map(|_| all.enter(proxy).unwrap()).collect();
        assert!(held.iter().all(|c| c.over.is_none()));
        assert_eq!(all.enter(proxy).unwrap().over, Some(Over::All));
    }
}
