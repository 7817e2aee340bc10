//! Tracks quotes in the output of `pg_dump`. A line that looks like a heading is one only outside of quotes, because
//! quoted text was written by others.

/// Maximum bytes of a name, including the characters around it. Anything longer is not a name.
const LONGEST: usize = 256;

/// Tracks quotes through a text that arrives in chunks.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    open: OpenQuote,
    /// The end of the last chunk, if it may be the beginning of a delimiter.
    carried: Vec<u8>,
}

/// The quote or comment that is open.
#[derive(Debug, Default, PartialEq, Eq)]
enum OpenQuote {
    #[default]
    Nothing,
    /// `'` or `"`. A doubled quote is read as closing and opening, which gives the same result.
    Quote(u8),
    /// `$tag$`.
    Dollars(Vec<u8>),
    /// From `--` to the end of the line.
    Comment,
}

impl Quotes {
    /// Whether a quote is open, which may span several lines.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.open, OpenQuote::Quote(_) | OpenQuote::Dollars(_))
    }

    /// Ends a line.
    pub(super) fn end_line(&mut self) {
        // No delimiter contains a line break.
        self.carried.clear();
        if self.open == OpenQuote::Comment {
            self.open = OpenQuote::Nothing;
        }
    }

    /// Reads a chunk of a line.
    pub(super) fn read(&mut self, piece: &[u8]) {
        let mut text = std::mem::take(&mut self.carried);
        text.extend_from_slice(piece);
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            rest = match &self.open {
                OpenQuote::Comment => return,
                OpenQuote::Quote(quote) => match rest.iter().position(|b| b == quote) {
                    Some(at) => {
                        self.open = OpenQuote::Nothing;
                        rest.get(at + 1..).unwrap_or_default()
                    }
                    None => return,
                },
                OpenQuote::Dollars(tag) => match rest.windows(tag.len()).position(|w| w == tag) {
                    Some(at) => {
                        let after = at + tag.len();
                        self.open = OpenQuote::Nothing;
                        rest.get(after..).unwrap_or_default()
                    }
                    None => {
                        let kept = rest.len().min(tag.len() - 1);
                        self.carried = rest.get(rest.len() - kept..).unwrap_or_default().to_vec();
                        return;
                    }
                },
                OpenQuote::Nothing => match self.outside(rest) {
                    Some(used) => rest.get(used..).unwrap_or_default(),
                    None => {
                        self.carried = rest.to_vec();
                        return;
                    }
                },
            };
        }
    }

    /// Reads one token outside of quotes and returns its length; `None` if it may continue in the next chunk.
    fn outside(&mut self, rest: &[u8]) -> Option<usize> {
        match rest {
            [quote @ (b'\'' | b'"'), ..] => {
                self.open = OpenQuote::Quote(*quote);
                Some(1)
            }
            [b'-', b'-', ..] => {
                self.open = OpenQuote::Comment;
                Some(2)
            }
            [b'-'] => None,
            [b'$', name @ ..] => {
                let letters = name.iter().position(|b| !is_word(*b));
                match letters.map(|n| (n, name.get(n))) {
                    // A tag is no longer than a name.
                    None => (rest.len() > LONGEST).then_some(1),
                    Some((n, Some(b'$'))) if !name.first().is_some_and(u8::is_ascii_digit) => {
                        self.open = OpenQuote::Dollars(rest.get(..n + 2).unwrap_or_default().to_vec());
                        Some(n + 2)
                    }
                    Some(_) => Some(1),
                }
            }
            // A dollar sign within a name starts no quote.
            [first, ..] if is_word(*first) => {
                let end = rest.iter().position(|b| !(is_word(*b) || *b == b'$'));
                end.or_else(|| (rest.len() > LONGEST).then_some(rest.len()))
            }
            _ => Some(1),
        }
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a quote is open after each line. Checks that the result does not depend on the chunk size.
    fn open(text: &str) -> Vec<bool> {
        let read = |size: usize| {
            let mut quotes = Quotes::default();
            let line = |line: &str| {
                line.as_bytes().chunks(size).for_each(|piece| quotes.read(piece));
                quotes.end_line();
                quotes.is_open()
            };
            text.lines().map(line).collect::<Vec<_>>()
        };
        let whole = read(1000);
        for size in 1..9 {
            assert_eq!(read(size), whole, "in pieces of {size}: {text}");
        }
        whole
    }

    #[test]
    fn quotes_are_tracked_across_lines() {
        assert_eq!(open("a 'b\nc''d\n' e"), [true, true, false]);
        assert_eq!(open("\"a'\n\" '"), [true, true]);
        assert_eq!(open("$x$ ' $y$\n$$ $x\n$x$ 1"), [true, true, false]);
        assert_eq!(open("-- it's\na - 'b'\n-- $$"), [false, false, false]);
        assert_eq!(open("x$y$z = $1 + '$$'\n$$a\n$$"), [false, true, false]);
        assert_eq!(open("$body$\n-- '\n$body$;"), [true, true, false]);
    }
}
