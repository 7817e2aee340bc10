//! Reads text as UTF-8 whatever its encoding: removes a byte order mark and converts UTF-16 on the fly.

use std::io::{self, Cursor, Read};

/// How a dump's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or an encoding that the dump itself names.
    Plain,
    /// UTF-8 with a byte order mark.
    Marked,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl Encoding {
    /// Detects the encoding from the beginning of a text.
    pub fn of(head: &[u8]) -> Self {
        let text = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
        match head {
            [0xef, 0xbb, 0xbf, ..] => Self::Marked,
            [0xff, 0xfe, 0, 0, ..] => Self::Plain,
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            [a, 0, b, 0, ..] if text(a) && text(b) => Self::Utf16Le,
            [0, a, 0, b, ..] if text(a) && text(b) => Self::Utf16Be,
            _ => Self::Plain,
        }
    }

    /// Whether the text must be converted.
    pub fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }
}

/// Reads text as UTF-8.
pub fn decoded(mut from: Box<dyn Read + Send>) -> io::Result<(Encoding, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    from.by_ref().take(4).read_to_end(&mut head)?;
    let encoding = Encoding::of(&head);
    if encoding == Encoding::Marked {
        head.drain(..3);
    }
    let whole = Cursor::new(head).chain(from);
    Ok((
        encoding,
        match encoding {
            Encoding::Plain | Encoding::Marked => Box::new(whole),
            Encoding::Utf16Le => Box::new(Utf16::new(whole, u16::from_le_bytes)),
            Encoding::Utf16Be => Box::new(Utf16::new(whole, u16::from_be_bytes)),
        },
    ))
}

struct Utf16<R> {
    from: R,
    unit: fn([u8; 2]) -> u16,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    begun: bool,
    end: bool,
}

impl<R: Read> Utf16<R> {
    fn new(from: R, unit: fn([u8; 2]) -> u16) -> Self {
        Self { from, unit, raw: Vec::new(), text: Vec::new(), at: 0, begun: false, end: false }
    }

    /// Converts the next chunk. Invalid code units become U+FFFD.
    fn convert(&mut self) -> io::Result<()> {
        let before = self.raw.len();
        let read = self.from.by_ref().take(32 * 1024).read_to_end(&mut self.raw)?;
        self.end = read == 0;
        let mut units: Vec<u16> = self.raw.as_chunks::<2>().0.iter().map(|pair| (self.unit)(*pair)).collect();
        let high = units.last().is_some_and(|u| (0xd800..0xdc00).contains(u));
        if high && !self.end {
            units.pop();
        }
        if self.end && before % 2 == 1 {
            units.push(0xfffd);
        }
        self.raw.drain(..(units.len() * 2).min(self.raw.len()));
        let mut text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        if !self.begun && text.starts_with('\u{feff}') {
            text.remove(0);
        }
        self.begun |= !text.is_empty();
        (self.text, self.at) = (text.into_bytes(), 0);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.text.len() && !self.end {
            self.convert()?;
        }
        let mut left = self.text.get(self.at..).unwrap_or_default();
        let n = left.read(out)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use crate::import::encoding::*;
    use proptest::prelude::*;

    /// Returns one byte at a time.
    struct OneByteReader(Cursor<Vec<u8>>);

    impl Read for OneByteReader {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = out.len().min(1);
            self.0.read(&mut out[..n])
        }
    }

    fn read(bytes: Vec<u8>) -> (Encoding, String) {
        let (encoding, mut from) = decoded(Box::new(OneByteReader(Cursor::new(bytes)))).unwrap();
        let mut text = Vec::new();
        from.read_to_end(&mut text).unwrap();
        (encoding, String::from_utf8(text).unwrap())
    }

    proptest! {
        #[test]
        fn any_text_is_decoded(text in "\\PC{0,40}") {
            let text = format!("-- {text}\r\n");
            let le = |mark: &str| format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
            let be: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(read(le("\u{feff}")), (Encoding::Utf16Le, text.clone()));
            prop_assert_eq!(read(le("")), (Encoding::Utf16Le, text.clone()));
            prop_assert_eq!(read(be), (Encoding::Utf16Be, text.clone()));
            prop_assert_eq!(read(format!("\u{feff}{text}").into_bytes()), (Encoding::Marked, text.clone()));
            prop_assert_eq!(read(text.clone().into_bytes()), (Encoding::Plain, text));
        }

        #[test]
        fn truncated_characters_are_tolerated(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            bytes.splice(..0, [0xff, 0xfe, b'a', 0]);
            prop_assert!(read(bytes).1.starts_with('a'));
        }
    }
}
