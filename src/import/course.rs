//! What a tool was sent, so that what it says about a line is about a statement; and its answers, where the next lines
//! depend on them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::manifest::dump::LoadFailure;

/// Most memory for statements that were sent: more than can be on the way to the tool.
const HELD: usize = 8 * 1024 * 1024;
/// How much of a statement is kept.
const BEGINNING: usize = 200;
/// Most commands that were not run of which more than the number is kept.
const MOST: usize = 100;

/// A statement that was sent.
#[derive(Debug, Clone)]
pub struct SentStatement {
    /// The first and the last line that the tool saw of it.
    pub lines: (u64, u64),
    /// Its line in the dump.
    pub line: u64,
    /// Its beginning.
    pub text: String,
}

/// What a tool's words about a line are.
#[derive(Debug)]
pub enum ToolMessage {
    /// The answer to a question, and nobody's business.
    Answer,
    /// About this statement, where it is known.
    About(Option<SentStatement>),
}

/// The beginning of a statement, for people.
pub fn beginning(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement.get(..BEGINNING * 4).unwrap_or(statement)).into_owned();
    text.chars().take(BEGINNING).collect()
}

#[derive(Debug, Default)]
struct Inner {
    sent: VecDeque<SentStatement>,
    held: usize,
    /// First and last line of the statement that is tried, and that of what is sent after it to have an answer.
    question: Option<(u64, u64, u64)>,
    refused: bool,
    answered: bool,
    over: bool,
    /// What was not sent, and how many there were.
    kept_back: Vec<LoadFailure>,
    kept_back_count: u64,
    /// Rows that were left out: of the statement in this line of the dump, so many.
    left: Vec<(u64, u64)>,
}

/// Shared by what sends and what reads.
#[derive(Debug, Default)]
pub struct LoadProgress {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl LoadProgress {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a statement was sent.
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

    /// Notes what is not sent, and why.
    pub fn keep_back(&self, failure: LoadFailure) {
        let mut inner = self.inner();
        inner.kept_back_count += 1;
        if inner.kept_back.len() < MOST {
            inner.kept_back.push(failure);
        }
    }

    /// Notes rows that were left out.
    pub fn leave(&self, line: u64, rows: u64) {
        let mut inner = self.inner();
        if inner.left.len() < MOST {
            inner.left.push((line, rows));
        }
    }

    /// Prepares for an answer: the statement is on these lines, and something that is answered in any case on the last.
    pub fn ask(&self, (from, to): (u64, u64), probe: u64) {
        let mut inner = self.inner();
        (inner.question, inner.refused, inner.answered) = (Some((from, to, probe)), false, false);
    }

    /// The line that is waited for.
    #[cfg(test)]
    pub(super) fn inner_question(&self) -> Option<u64> {
        let inner = self.inner();
        inner.question.filter(|_| !inner.answered).map(|(.., probe)| probe)
    }

    /// Waits for it for so long: whether the statement was taken; `None` if there is no answer yet.
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

    /// The tool said something about a line.
    pub fn said(&self, line: u64, is_error: bool) -> ToolMessage {
        let mut inner = self.inner();
        if let Some((from, to, probe)) = inner.question {
            // What came before may still be under way.
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

    /// The tool has ended.
    pub fn end(&self) {
        self.inner().over = true;
        self.changed.notify_all();
    }

    /// What was not sent, how much that was, and which rows were left out.
    pub fn kept_back(&self) -> (Vec<LoadFailure>, u64, Vec<(u64, u64)>) {
        let mut inner = self.inner();
        (std::mem::take(&mut inner.kept_back), inner.kept_back_count, std::mem::take(&mut inner.left))
    }
}
