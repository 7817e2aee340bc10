//! Splits a dump into pieces while reading it, with bounded memory.

use std::io;
use std::io::Read;

use crate::sql::mysql::Mysql;
use crate::sql::postgres::Postgres;
use crate::sql::{CutPoint, Dialect, DumpPiece, lines};

/// Bytes of the buffer.
const BUFFER: usize = 1024 * 1024;
/// Bytes available whenever a piece is cut, and thus the minimum size of a statement's first piece.
const BLOCK: usize = 128 * 1024;
/// Bytes of the block reserved for lookahead: no token that needs it is longer.
const AHEAD: usize = 8 * 1024;

enum Machine {
    Postgres(Postgres),
    Mysql(Mysql),
}

/// Splits its input into pieces.
pub struct Splitter<R> {
    from: R,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    end: bool,
    line: u64,
    sizes: (usize, usize),
    machine: Machine,
}

impl<R: Read> Splitter<R> {
    /// Starts at the beginning of a dump.
    pub fn new(from: R, dialect: Dialect) -> Self {
        Self::sized(from, dialect, BUFFER, (BLOCK, AHEAD))
    }

    pub(super) fn sized(from: R, dialect: Dialect, buffer: usize, sizes: (usize, usize)) -> Self {
        let machine = match dialect {
            Dialect::Postgres => Machine::Postgres(Postgres::default()),
            Dialect::Mysql => Machine::Mysql(Mysql::default()),
        };
        Self { from, buffer: vec![0; buffer], at: 0, filled: 0, end: false, line: 1, sizes, machine }
    }

    /// The next piece; `None` at the end.
    pub fn next_piece(&mut self) -> io::Result<Option<DumpPiece<'_>>> {
        self.fill()?;
        let ready = self.buffer.get(self.at..self.filled).unwrap_or_default();
        if ready.is_empty() {
            return Ok(None);
        }
        let limit = if self.end { ready.len() } else { ready.len().saturating_sub(self.sizes.1) };
        let CutPoint { kind, text, skip, first, last, ended, rows } = match &mut self.machine {
            Machine::Postgres(machine) => machine.cut(ready, limit, self.end),
            Machine::Mysql(machine) => machine.cut(ready, limit, self.end),
        };
        let (taken, text) = (ready.get(..text + skip).unwrap_or(ready), ready.get(..text).unwrap_or(ready));
        let line = self.line;
        self.line += lines(taken);
        self.at += taken.len();
        Ok(Some(DumpPiece { kind, text, first, last, ended, rows, line }))
    }

    /// Reads until a block is available, or the end is reached.
    fn fill(&mut self) -> io::Result<()> {
        while !self.end && self.filled - self.at < self.sizes.0 {
            if self.buffer.len() - self.filled < self.sizes.1 {
                self.buffer.copy_within(self.at..self.filled, 0);
                self.filled -= self.at;
                self.at = 0;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.from.read(room) {
                Ok(0) => self.end = true,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
