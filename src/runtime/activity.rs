//! Which servers were left alone since the last scan. To scan a server costs a client's start (a JVM for Neo4j), and nothing
//! can have changed what a server holds for people if nobody has talked to it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::runtime::Stats;

/// A server is scanned at least this often, for what changes without a connection, such as scheduled events.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3600);
/// Bytes that a server may send without having been talked to: two replies to ARP. The answer to the shortest statement is
/// longer with its headers.
const NOISE: i64 = 84;

/// What was seen at a scan.
#[derive(Debug, Clone)]
struct Scan {
    /// The engine's id of the container.
    docker_id: String,
    at: Instant,
    sent: i64,
    cpu_us: i64,
}

/// The last successful scan of each server by this portal. Kept in memory: a portal that starts scans everything once.
#[derive(Debug, Default)]
pub struct Activity(Mutex<HashMap<Uuid, Scan>>);

impl Activity {
    /// Whether nobody can have changed anything in a server since its last successful scan, and it is alive: one that has
    /// used no processor time since it was last looked at hangs.
    pub fn is_idle(&self, container: Uuid, docker_id: &str, stats: &Stats, now: Instant) -> bool {
        let mut scans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = scans.get_mut(&container) else { return false };
        let idle = last.docker_id == docker_id
            && now.duration_since(last.at) < AT_LEAST_EVERY
            // A container that was restarted counts from zero.
            && stats.cpu_us > last.cpu_us
            && (0..=NOISE).contains(&(stats.sent - last.sent));
        last.cpu_us = stats.cpu_us;
        idle
    }

    /// Notes a successful scan, with the figures at its beginning and its end.
    pub fn scanned(&self, container: Uuid, docker_id: &str, (begun, ended): (&Stats, &Stats), now: Instant) {
        let scan = Scan { docker_id: docker_id.to_owned(), at: now, sent: begun.sent, cpu_us: ended.cpu_us };
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
        let stats = |sent, cpu_us| Stats { memory: 0, cpu_us, sent };
        let later = |seconds| now + Duration::from_secs(seconds);
        let activity = Activity::default();
        assert!(!activity.is_idle(id, "a", &stats(5000, 10), now), "never scanned");
        activity.scanned(id, "a", (&stats(5000, 5), &stats(5000, 10)), now);
        assert!(!activity.is_idle(id, "a", &stats(5000, 10), later(300)), "it hangs");
        assert!(activity.is_idle(id, "a", &stats(5042, 11), later(300)));
        assert!(!activity.is_idle(id, "a", &stats(5090, 12), later(300)), "somebody talked to it");
        assert!(!activity.is_idle(id, "b", &stats(5000, 13), later(300)), "another container");
        assert!(!activity.is_idle(id, "a", &stats(5000, 9), later(300)), "restarted");
        assert!(!activity.is_idle(id, "a", &stats(100, 20), later(300)), "another network");
        assert!(!activity.is_idle(id, "a", &stats(5000, 21), later(3600)), "too long ago");
        activity.keep(|_| false);
        assert!(!activity.is_idle(id, "a", &stats(5000, 22), later(300)), "forgotten");
    }
}
