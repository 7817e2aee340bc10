//! Records the statements sent to a tool, so that a message about a line can be matched with a statement, and passes on
//! the tool's response where the next lines depend on it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::manifest::dump::LoadFailure;

/// Maximum memory for sent statements: more than can be in transit to the tool.
const HELD: usize = 8 * 1024 * 1024;
/// Characters of a statement that are kept.
const BEGINNING: usize = 200;
/// Maximum number of skipped commands to record; beyond it, they are only counted.
const MOST: usize = 100;

/// A statement that was sent.
#[derive(Debug, Clone)]
pub struct SentStatement {
    /// The first and the last of its lines, as counted by the tool.
    pub lines: (u64, u64),
    /// Its line in the dump.
    pub line: u64,
    /// Its beginning.
    pub text: String,
}

/// How to treat a tool's message about a line.
#[derive(Debug)]
pub enum ToolMessage {
    /// It answers a question of the portal and concerns nobody else.
    Answer,
    /// It is about this statement, if known.
    About(Option<SentStatement>),
}

/// The beginning of a statement, for display.
pub fn beginning(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement.get(..BEGINNING * 4).unwrap_or(statement)).into_owned();
    text.chars().take(BEGINNING).collect()
}

#[derive(Debug, Default)]
struct Inner {
    sent: VecDeque<SentStatement>,
    held: usize,
    /// First and last line of the statement being tried, and the line of the probe sent after it to force a response.
    question: Option<(u64, u64, u64)>,
    refused: bool,
    answered: bool,
    over: bool,
    /// Statements that were not sent, and their number.
    kept_back: Vec<LoadFailure>,
    kept_back_count: u64,
    /// Skipped rows: the statement's line in the dump, and the number of rows.
    left: Vec<(u64, u64)>,
}

/// Shared between the sender of a dump and the reader of the tool's output.
#[derive(Debug, Default)]
pub struct LoadProgress {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl LoadProgress {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a statement was sent.
    pub fn note(&self, sent: SentStatement) {
        let mut inner = self.inner();
        inner.held += sent.text.len() + size_of::<SentStatement>();
        inner.sent.push_back(sent);
        while inner.held > HELD
            && let Some(old) = inner.sent.pop_front()
        {
            inner.held -= old.text.len() + size_of::<SentStatement>();
        }
    }

    /// Records a statement that is not sent, and the reason.
    pub fn keep_back(&self, failure: LoadFailure) {
        let mut inner = self.inner();
        inner.kept_back_count += 1;
        if inner.kept_back.len() < MOST {
            inner.kept_back.push(failure);
        }
    }

    /// Records skipped rows.
    pub fn leave(&self, line: u64, rows: u64) {
        let mut inner = self.inner();
        if inner.left.len() < MOST {
            inner.left.push((line, rows));
        }
    }

    /// Prepares for a response: the statement is on these lines, and on the last line a probe that always causes a
    /// response.
    pub fn ask(&self, (from, to): (u64, u64), probe: u64) {
        let mut inner = self.inner();
        (inner.question, inner.refused, inner.answered) = (Some((from, to, probe)), false, false);
    }

    /// The line of the probe whose response is awaited.
    #[cfg(test)]
    pub(super) fn inner_question(&self) -> Option<u64> {
        let inner = self.inner();
        inner.question.filter(|_| !inner.answered).map(|(.., probe)| probe)
    }

    /// Waits up to `patience` for the response: whether the statement was accepted; `None` if there is no response yet.
    pub fn answer(&self, patience: Duration) -> Option<bool> {
        let inner = self.inner();
        let waits = |inner: &mut Inner| !inner.answered && !inner.over;
        let waited = self.changed.wait_timeout_while(inner, patience, waits);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if inner.answered {
            inner.question = None;
            return Some(!inner.refused);
        }
        inner.over.then_some(false)
    }

    /// Records a message of the tool about a line.
    pub fn said(&self, line: u64, is_error: bool) -> ToolMessage {
        let mut inner = self.inner();
        if let Some((from, to, probe)) = inner.question {
            // Messages about earlier statements may still be in transit.
            inner.refused |= is_error && (from..=to).contains(&line);
            if line > to {
                inner.answered |= line >= probe;
                self.changed.notify_all();
                return ToolMessage::Answer;
            }
        }
        let at = inner.sent.partition_point(|sent| sent.lines.1 < line);
        ToolMessage::About(inner.sent.get(at).filter(|sent| sent.lines.0 <= line).cloned())
    }

    /// Records that the tool has exited and will send no more responses.
    pub fn end(&self) {
        self.inner().over = true;
        self.changed.notify_all();
    }

    /// Statements that were not sent, their number, and the skipped rows.
    pub fn kept_back(&self) -> (Vec<LoadFailure>, u64, Vec<(u64, u64)>) {
        let mut inner = self.inner();
        (std::mem::take(&mut inner.kept_back), inner.kept_back_count, std::mem::take(&mut inner.left))
    }
}
