//! The line to a store, as an upload finds it: how many parts go at once, and how long one is waited for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that a line must carry in a second: a part over a slower one is given up before it is through.
pub(super) const SLOWEST: u64 = 32 * 1024;
/// Most parts on their way at once.
const MOST: usize = 4;
/// A part that is through sooner lets one more go beside it.
const QUICK: Duration = Duration::from_secs(5);
/// A part that takes longer has the line for itself from then on.
const SLOW: Duration = Duration::from_secs(30);
/// How much longer than the line has needed for as many bytes a part is waited for.
const SLACK: u32 = 8;

/// One line, shared by the parts of an upload.
pub struct UploadPace(Mutex<State>);

struct State {
    /// When something was carried last, or the line was first used.
    carried: Instant,
    /// Time that a byte took, at the last part.
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

    /// How many parts may be on their way at once: one at first, more while they go quickly, and one again where the line
    /// turns out slow.
    pub fn at_once(&self) -> usize {
        self.state().at_once
    }

    /// A part of so many bytes begins; it is told with [`UploadPace::ended`].
    pub(super) fn begun(&self, bytes: u64) {
        let mut state = self.state();
        if state.under_way == 0 {
            // Nothing could be carried while nothing was there to be.
            state.carried = Instant::now();
        }
        state.under_way += bytes;
    }

    /// It is on its way no more.
    pub(super) fn ended(&self, bytes: u64) {
        self.state().under_way -= bytes;
    }

    /// How long an answer to a part of so many bytes is waited for, where one to a request without any is for `answer`.
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

    /// A part went through.
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

    /// A part did not go through: the line may be slower than it seemed.
    pub(super) fn stumbled(&self) {
        let mut state = self.state();
        (state.at_once, state.pace) = (1, None);
    }

    /// For how long the whole line has carried nothing.
    pub(super) fn idle(&self) -> Duration {
        self.state().carried.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn a_quick_line_gets_more_parts_and_a_slow_one_is_waited_for() {
        let (line, answer) = (UploadPace::default(), Duration::from_secs(60));
        assert_eq!(line.at_once(), 1);
        // Nothing is known of it: as for the slowest.
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 160));
        for n in 2..=6 {
            line.carried(5 * MIB, Duration::from_secs(1));
            assert_eq!(line.at_once(), n.min(4));
        }
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 8));
        // Four at once, each a quarter as fast.
        for _ in 0..4 {
            line.begun(5 * MIB);
        }
        assert_eq!(line.patience(answer, 5 * MIB), Duration::from_secs(60 + 32));
        // It becomes slow.
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
    fn what_was_not_there_to_be_carried_does_not_count_as_idle() {
        let line = UploadPace::default();
        std::thread::sleep(Duration::from_millis(30));
        line.begun(1);
        assert!(line.idle() < Duration::from_millis(25));
        std::thread::sleep(Duration::from_millis(30));
        line.begun(1);
        assert!(line.idle() >= Duration::from_millis(30));
    }
}
