//! Adapts uploads to the speed of the connection to a store: how many parts are sent at once, and their timeouts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Minimum speed in bytes per second: over a slower connection, a part times out before it is complete.
pub(super) const SLOWEST: u64 = 32 * 1024;
/// Maximum number of parts sent at once.
const MOST: usize = 4;
/// If a part takes less than this, one more may be sent at once.
const QUICK: Duration = Duration::from_secs(5);
/// If a part takes longer than this, parts are sent one at a time.
const SLOW: Duration = Duration::from_secs(30);
/// The timeout of a part is this many times what the connection has recently needed for as many bytes.
const SLACK: u32 = 8;

/// The pace of one connection, shared by the parts of an upload.
pub struct UploadPace(Mutex<State>);

struct State {
    /// When a part was last sent successfully, or when the connection was first used.
    carried: Instant,
    /// Seconds per byte of the last part.
    pace: Option<f64>,
    at_once: usize,
    under_way: u64,
}

impl Default for UploadPace {
    fn default() -> Self {
        Self(Mutex::new(State { carried: Instant::now(), pace: None, at_once: 1, under_way: 0 }))
    }
}

impl UploadPace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many parts may be sent at once: initially one, more while parts are fast, and one again if the connection
    /// turns out to be slow.
    pub fn at_once(&self) -> usize {
        self.state().at_once
    }

    /// Records that a part of this size is being sent. [`UploadPace::ended`] must follow.
    pub(super) fn begun(&self, bytes: u64) {
        let mut state = self.state();
        if state.under_way == 0 {
            // While nothing was being sent, nothing could have succeeded.
            state.carried = Instant::now();
        }
        state.under_way += bytes;
    }

    /// Records that a part is no longer being sent.
    pub(super) fn ended(&self, bytes: u64) {
        self.state().under_way -= bytes;
    }

    /// Timeout for the response to a part of this size, if that of a request without a body is `answer`.
    pub(super) fn patience(&self, answer: Duration, bytes: u64) -> Duration {
        let state = self.state();
        let together = state.under_way.max(bytes);
        let at_slowest = Duration::from_secs(together / SLOWEST);
        #[expect(clippy::cast_precision_loss, reason = "a time to wait")]
        let at_pace = state.pace.map_or(at_slowest, |pace| {
            Duration::try_from_secs_f64(pace * together as f64).unwrap_or(at_slowest) * SLACK
        });
        answer + at_slowest.min(at_pace)
    }

    /// Records that a part was sent successfully.
    pub(super) fn carried(&self, bytes: u64, took: Duration) {
        let mut state = self.state();
        state.carried = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a pace")]
        let pace = took.as_secs_f64() / bytes.max(1) as f64;
        state.pace = Some(pace);
        if took > SLOW {
            state.at_once = 1;
        } else if took < QUICK {
            state.at_once = (state.at_once + 1).min(MOST);
        }
    }

    /// Records that a part failed: the connection may be slower than it seemed.
    pub(super) fn stumbled(&self) {
        let mut state = self.state();
        (state.at_once, state.pace) = (1, None);
    }

    /// For how long no part has been sent successfully.
    pub(super) fn idle(&self) -> Duration {
        self.state().carried.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn fast_connections_send_parts_in_parallel_and_slow_ones_get_more_time() {
        let (line, answer) = (UploadPace::default(), Duration::from_secs(60));
        assert_eq!(line.at_once(), 1);
        // Nothing is known yet, so the slowest speed is assumed.
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 160));
        for n in 2..=6 {
            line.carried(5 * MIB, Duration::from_secs(1));
            assert_eq!(line.at_once(), n.min(4));
        }
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 8));
        // Four at once, each at a quarter of the speed.
        for _ in 0..4 {
            line.begun(5 * MIB);
        }
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 32));
        // The connection becomes slow.
        line.stumbled();
        assert_eq!(line.at_once(), 1);
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 640));
        for _ in 0..4 {
            line.ended(5 * MIB);
        }
        line.carried(5 * MIB, Duration::from_secs(105));
        assert_eq!((line.at_once(), line.patience(answer, 5 * MIB)), (1, Duration::from_secs(60 + 160)));
    }

    #[test]
    fn time_without_data_to_send_does_not_count_as_idle() {
        let line = UploadPace::default();
        std::thread::sleep(Duration::from_millis(30));
        line.begun(1);
        assert!(line.idle() < Duration::from_millis(25));
        std::thread::sleep(Duration::from_millis(30));
        line.begun(1);
        assert!(line.idle() >= Duration::from_millis(30));
    }
}
