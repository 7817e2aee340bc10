//! Keeps the messages that a command prints for people, up to a limit.

/// Bytes kept of the beginning, and as many of the end.
pub(super) const WORDS: usize = 4096;
/// A command's messages for people. The beginning and the end are kept: the reason is in one of them.
#[derive(Debug, Default)]
pub(super) struct Words {
    first: Vec<u8>,
    last: Vec<u8>,
    /// Number of bytes omitted between the two.
    left_out: u64,
}

impl Words {
    /// Adds a chunk of output.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let room = WORDS.saturating_sub(self.first.len()).min(piece.len());
        let (first, rest) = piece.split_at(room);
        self.first.extend_from_slice(first);
        // Only the end of a long chunk can be kept.
        let skipped = rest.len().saturating_sub(WORDS);
        self.last.extend_from_slice(rest.get(skipped..).unwrap_or_default());
        let over = self.last.len().saturating_sub(WORDS);
        self.last.drain(..over);
        self.left_out += (skipped + over) as u64;
    }

    /// The text kept, with the number of omitted bytes.
    pub(super) fn text(&self) -> String {
        let (first, last) = (String::from_utf8_lossy(&self.first), String::from_utf8_lossy(&self.last));
        match self.left_out {
            0 => format!("{first}{last}").trim().to_owned(),
            n => format!("{}\n… ({n} bytes left out) …\n{}", first.trim_start(), last.trim_end()),
        }
    }
}
