//! What the tool that runs a dump reads.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::import::sql_dump::unknown_encoding::UnknownEncoding;
use crate::sql::{Dialect, lines};

/// Bytes sent at a time.
const PIECE: usize = 64 * 1024;

/// The channel to the tool.
pub type Out = mpsc::Sender<Result<Bytes, String>>;

/// Why sending ends early.
pub(super) enum EarlyEnd {
    /// The tool has exited; its messages give the reason.
    Gone,
    /// The dump is faulty.
    Bad(String),
}

/// The input of the tool, collected into pieces.
pub(super) struct ToolInput<'a> {
    dialect: Dialect,
    out: &'a Out,
    buffer: Vec<u8>,
    /// The line that the tool reads next.
    pub line: u64,
    /// Converts text whose encoding the dump leaves open.
    encoding: Option<UnknownEncoding>,
    /// Sentences about conversions that have ended.
    told: Vec<String>,
}

impl<'a> ToolInput<'a> {
    pub fn new(dialect: Dialect, out: &'a Out) -> Self {
        Self { dialect, out, buffer: Vec::with_capacity(2 * PIECE), line: 1, encoding: None, told: Vec::new() }
    }

    /// Whether the encoding of the following text is unknown.
    pub fn set_unknown_encoding(&mut self, unknown: bool) {
        if unknown == self.encoding.is_some() {
            return;
        }
        if let Some(mut before) = std::mem::replace(&mut self.encoding, unknown.then(UnknownEncoding::default)) {
            self.buffer.extend(before.end());
            self.told.extend(before.sentence());
        }
    }

    /// Sentences about what was converted.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// Whether the tool has exited.
    pub fn is_closed(&self) -> bool {
        self.out.is_closed()
    }

    /// Appends a text.
    pub fn put(&mut self, text: &[u8]) -> Result<(), EarlyEnd> {
        if self.dialect == Dialect::Postgres && text.contains(&0) {
            return Err(EarlyEnd::Bad(format!(
                "The dump is not text: it contains a zero byte after line {}.",
                self.line
            )));
        }
        self.line += lines(text);
        match &mut self.encoding {
            Some(encoding) => self.buffer.extend_from_slice(&encoding.piece(text)),
            None => self.buffer.extend_from_slice(text),
        }
        if self.buffer.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    /// Sends the rest.
    pub fn end(&mut self) -> Result<(), EarlyEnd> {
        self.set_unknown_encoding(false);
        self.flush()
    }

    /// Sends what was collected.
    pub fn flush(&mut self) -> Result<(), EarlyEnd> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(2 * PIECE)));
        self.out.blocking_send(Ok(piece)).map_err(|_| EarlyEnd::Gone)
    }
}
