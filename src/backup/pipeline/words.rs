//! What a command prints for people, kept within a limit.

/// How much of the beginning is kept, and as much again of the end, in bytes.
pub(super) const WORDS: usize = 4096;
/// A command's messages for people. The beginning and the end are kept: the reason is in one of them.
#[derive(Debug, Default)]
pub(super) struct Words {
    first: Vec<u8>,
    last: Vec<u8>,
    /// Bytes between the two.
    left_out: u64,
}

impl Words {
    /// Adds a piece of output.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let room = WORDS.saturating_sub(self.first.len()).min(piece.len());
        let (first, rest) = piece.split_at(room);
        self.first.extend_from_slice(first);
        // Of a long piece only the end can stay.
        let skipped = rest.len().saturating_sub(WORDS);
        self.last.extend_from_slice(rest.get(skipped..).unwrap_or_default());
        let over = self.last.len().saturating_sub(WORDS);
        self.last.drain(..over);
        self.left_out += (skipped + over) as u64;
    }

    /// What is kept, with the number of bytes that are left out.
    pub(super) fn text(&self) -> String {
        let (first, last) = (String::from_utf8_lossy(&self.first), String::from_utf8_lossy(&self.last));
        match self.left_out {
            0 => format!("{first}{last}").trim().to_owned(),
            n => format!("{}\n… ({n} bytes left out) …\n{}", first.trim_start(), last.trim_end()),
        }
    }
}
