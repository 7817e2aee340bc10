//! The open connections: their number, and the activity of each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::limits::place;
use crate::config::Server;

/// All connections of a portal.
#[derive(Debug)]
pub struct Connections {
    pub(crate) most: usize,
    pub(crate) per_address: usize,
    /// Trusted proxies, which are exempt from the limit per address because many clients share their connections.
    pub(crate) trusted: Vec<IpAddr>,
    pub(crate) first: Duration,
    pub(crate) idle: Duration,
    pub(crate) open: Mutex<Open>,
}

impl Connections {
    /// No connections yet.
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

    /// Number of open connections.
    pub fn open(&self) -> usize {
        self.lock().all
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Open> {
        // Ignores poisoning: the data is consistent even after a panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more connection, or returns `None` if there is not even room to report the refusal.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Connection>> {
        let place = place(address);
        let mut open = self.lock();
        let of_place = open.by_place.get(&place).copied().unwrap_or_default();
        let proxy = self.trusted.contains(&address.to_canonical());
        let over = match () {
            () if open.all >= self.most => Some(ConnectionRefusal::All),
            () if of_place >= self.per_address && !proxy => Some(ConnectionRefusal::Address),
            () => None,
        };
        let turned_away = match over {
            Some(ConnectionRefusal::All) => open.all >= self.most.saturating_add(SPARE),
            Some(ConnectionRefusal::Address) => of_place >= self.per_address.saturating_add(SPARE),
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

    pub(crate) fn leave(&self, place: IpAddr) {
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
    pub(crate) all: Arc<Connections>,
    pub(crate) place: IpAddr,
    pub(crate) over: Option<ConnectionRefusal>,
    pub(crate) state: Mutex<Activity>,
}

impl Connection {
    pub(crate) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The deadline for the next complete request; while one is in flight, when to check again.
    pub(crate) fn deadline(&self) -> (Instant, bool) {
        let activity = self.activity();
        match (activity.busy, activity.served) {
            (0, false) => (activity.since + self.all.first, true),
            (0, true) => (activity.since + self.all.idle, true),
            _ => (Instant::now() + self.all.idle, false),
        }
    }

    pub(crate) fn begin(self: &Arc<Self>) -> RequestInFlight {
        let mut activity = self.activity();
        activity.busy += 1;
        activity.served = true;
        drop(activity);
        RequestInFlight(self.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.leave(self.place);
    }
}

#[derive(Debug)]
pub(crate) struct Activity {
    /// Requests in flight.
    pub(crate) busy: usize,
    /// When the last request ended, or the connection was opened.
    pub(crate) since: Instant,
    /// Whether the connection has served a request.
    pub(crate) served: bool,
}

/// A request in flight, until the last byte of its response.
pub(crate) struct RequestInFlight(pub(crate) Arc<Connection>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.busy = activity.busy.saturating_sub(1);
        activity.since = Instant::now();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) all: usize,
    pub(crate) by_place: HashMap<IpAddr, usize>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionRefusal {
    Address,
    All,
}

/// Connections beyond a limit that still get an error response; further ones are closed at once.
pub(crate) const SPARE: usize = 64;
