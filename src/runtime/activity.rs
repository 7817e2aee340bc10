//! Tracks which servers have been idle since their last scan. A scan has to start a client (a JVM for Neo4j), and
//! unless somebody has connected, nothing that a scan shows can have changed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::runtime::Stats;

/// A server is scanned at least this often, to find changes made without a connection, such as by scheduled events.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3600);
/// Bytes that a server may send without having received a request: two ARP replies. The response to the shortest
/// statement is longer, including its headers.
const NOISE: i64 = 84;

/// The figures of a scan.
#[derive(Debug, Clone)]
struct Scan {
    /// The engine's id of the container.
    docker_id: String,
    at: Instant,
    sent: i64,
    cpu_us: i64,
}

/// The last successful scan of each server by this portal. Kept in memory: after a restart, everything is scanned once.
#[derive(Debug, Default)]
pub struct Activity(Mutex<HashMap<Uuid, Scan>>);

impl Activity {
    /// Whether nobody can have changed anything in a server since its last successful scan, and the server is alive. A
    /// server that has used no CPU time since it was last checked hangs.
    pub fn is_idle(&self, container: Uuid, docker_id: &str, stats: &Stats, now: Instant) -> bool {
        let mut scans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = scans.get_mut(&container) else { return false };
        let idle = last.docker_id == docker_id
            && now.duration_since(last.at) < AT_LEAST_EVERY
            // A restarted container counts from zero.
            && stats.cpu_us > last.cpu_us
            && (0..=NOISE).contains(&(stats.sent - last.sent));
        last.cpu_us = stats.cpu_us;
        idle
    }

    /// Records a successful scan, with the figures before and after it.
    pub fn scanned(&self, container: Uuid, docker_id: &str, (begun, ended): (&Stats, &Stats), now: Instant) {
        let scan = Scan { docker_id: docker_id.to_owned(), at: now, sent: begun.sent, cpu_us: ended.cpu_us };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(container, scan);
    }

    /// Removes servers that no longer run, and those whose scan failed.
    pub fn keep(&self, keep: impl Fn(&Uuid) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| keep(id));
    }
}

#[cfg(test)]
mod tests {
    use crate::runtime::activity::*;

    #[test]
    fn only_an_unused_server_is_idle() {
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
