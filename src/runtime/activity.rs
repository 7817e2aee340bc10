//! Which servers were left alone since the last scan. To scan a server costs a client's start (a JVM for Neo4j), and nothing
//! can have changed what a server holds for people if nobody has talked to it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::runtime::Stats;

/// A server is scanned at least this often, for what changes without a connection, such as scheduled events.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3600);
/// So many bytes of network traffic are the network's own (ARP, neighbour discovery). A sign-in takes more.
const NOISE: i64 = 1024;

/// What was seen at a scan.
#[derive(Debug, Clone)]
struct Scan {
    /// The engine's id of the container.
    docker_id: String,
    at: Instant,
    traffic: i64,
    cpu_us: i64,
}

/// The last successful scan of each server by this portal. Kept in memory: a portal that starts scans everything once.
#[derive(Debug, Default)]
pub struct Activity(Mutex<HashMap<Uuid, Scan>>);

impl Activity {
    /// Whether nobody can have changed anything in a server since its last successful scan.
    pub fn is_idle(&self, container: Uuid, docker_id: &str, stats: &Stats, now: Instant) -> bool {
        let scans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scans.get(&container).is_some_and(|last| {
            last.docker_id == docker_id
                && now.duration_since(last.at) < AT_LEAST_EVERY
                // A container that was restarted counts from zero.
                && stats.cpu_us >= last.cpu_us
                && (0..=NOISE).contains(&(stats.traffic - last.traffic))
        })
    }

    /// Notes a successful scan that began with these figures.
    pub fn scanned(&self, container: Uuid, docker_id: &str, stats: &Stats, now: Instant) {
        let scan = Scan { docker_id: docker_id.to_owned(), at: now, traffic: stats.traffic, cpu_us: stats.cpu_us };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(container, scan);
    }

    /// Forgets servers that no longer run, and those whose scan failed.
    pub fn keep(&self, keep: impl Fn(&Uuid) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| keep(id));
    }
}

#[cfg(test)]
mod tests {
    use crate::runtime::activity::*;

    #[test]
    fn only_a_server_that_was_left_alone_is_idle() {
        let (id, now) = (Uuid::from_u128(1), Instant::now());
        let stats = |traffic, cpu_us| Stats { memory: 0, cpu_us, traffic };
        let later = |seconds| now + Duration::from_secs(seconds);
        let activity = Activity::default();
        assert!(!activity.is_idle(id, "a", &stats(5000, 10), now), "never scanned");
        activity.scanned(id, "a", &stats(5000, 10), now);
        assert!(activity.is_idle(id, "a", &stats(5600, 900), later(300)));
        assert!(!activity.is_idle(id, "a", &stats(9000, 900), later(300)), "somebody talked to it");
        assert!(!activity.is_idle(id, "b", &stats(5000, 900), later(300)), "another container");
        assert!(!activity.is_idle(id, "a", &stats(5000, 9), later(300)), "restarted");
        assert!(!activity.is_idle(id, "a", &stats(100, 900), later(300)), "another network");
        assert!(!activity.is_idle(id, "a", &stats(5000, 900), later(3600)), "too long ago");
        activity.keep(|_| false);
        assert!(!activity.is_idle(id, "a", &stats(5000, 900), later(300)), "forgotten");
    }
}
