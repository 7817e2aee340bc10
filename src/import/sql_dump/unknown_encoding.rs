//! Text of databases in SQL_ASCII, which do not know its encoding. PostgreSQL does not check the rows of such a dump: a
//! database in UTF-8 would accept bytes that it can never read again.

use std::borrow::Cow;
use std::io::{self, Cursor, Read};

use crate::sql::Dialect;
use crate::sql::classify::{Meaning, means};
use crate::sql::tokens::tokens;

/// The statement that replaces the choice of SQL_ASCII.
pub const AS_UTF8: &[u8] = b"SET client_encoding = 'UTF8'";
/// The same choice in an archive of `pg_dump`, and a replacement of the same length, because lengths are stored.
const IN_ARCHIVE: [&[u8]; 2] = [b"SET client_encoding = 'SQL_ASCII';", b"SET client_encoding = 'UTF8'     ;"];
/// The name of the entry with the choice, and how far apart the two can be.
const ENTRY: &[u8] = b"ENCODING";
const NEAR: usize = 64;
/// Bytes of an archive that contain the choice: it is the first entry of the table of contents.
const HEAD: u64 = 64 * 1024;
/// What the report says about an archive.
pub const ARCHIVE_AS_UTF8: &str = "The dump does not name its encoding (SQL_ASCII) and was read as UTF-8. If rows were rejected \
                                   because of that, create the dump again with pg_dump --encoding=LATIN1, or with the \
                                   encoding that its text has.";
/// Maximum length of a statement that chooses an encoding.
const LONGEST: usize = 1000;

/// Whether a statement of PostgreSQL leaves the encoding of the following text open; `None` if it chooses none.
pub fn leaves_open(statement: &[u8]) -> Option<bool> {
    if statement.len() > LONGEST || means(statement, Dialect::Postgres) != Meaning::Setting {
        return None;
    }
    let text = String::from_utf8_lossy(statement).to_lowercase();
    let found = tokens(statement, Dialect::Postgres);
    let what = found.iter().skip(1).find(|token| !["SESSION", "LOCAL"].iter().any(|word| token.is(word)));
    let by_set = what.is_some_and(|token| token.is("NAMES") || token.is("client_encoding"));
    let by_call = found.first().is_some_and(|token| token.is("SELECT")) && text.contains("'client_encoding'");
    (by_set || by_call).then(|| text.contains("sql_ascii"))
}

/// An archive in which UTF-8 is chosen instead of SQL_ASCII, and whether it was changed.
pub fn archive(mut from: impl Read) -> io::Result<(bool, impl Read)> {
    let mut head = Vec::new();
    from.by_ref().take(HEAD).read_to_end(&mut head)?;
    let changed = replace_in_archive(&mut head);
    Ok((changed, Cursor::new(head).chain(from)))
}

fn replace_in_archive(head: &mut [u8]) -> bool {
    let [open, utf8] = IN_ARCHIVE;
    let find = |from: usize, what: &[u8]| {
        head.get(from..)?.windows(what.len()).position(|part| part == what).map(|at| from + at)
    };
    // The entry's name and kind come shortly before the choice. Elsewhere the same text may be in a function.
    let entry = find(0, ENTRY);
    let Some(at) = entry.and_then(|entry| find(entry, open).filter(|at| at - entry < NEAR)) else { return false };
    let part = head.get_mut(at..at + utf8.len());
    part.is_some_and(|part| {
        part.copy_from_slice(utf8);
        true
    })
}

/// Converts text of unknown encoding: bytes that are not UTF-8 are read as Latin-1, one by one.
#[derive(Debug, Default)]
pub struct UnknownEncoding {
    /// The beginning of a character that the next piece continues.
    cut: Vec<u8>,
    /// Number of bytes read as Latin-1.
    taken: u64,
}

impl UnknownEncoding {
    /// Converts the next piece of the text.
    pub fn piece<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        if self.cut.is_empty() && std::str::from_utf8(piece).is_ok() {
            return Cow::Borrowed(piece);
        }
        let whole = [std::mem::take(&mut self.cut).as_slice(), piece].concat();
        let mut text = String::with_capacity(whole.len() + 16);
        let mut at = 0;
        for chunk in whole.utf8_chunks() {
            text.push_str(chunk.valid());
            at += chunk.valid().len() + chunk.invalid().len();
            let unfinished = std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            if at == whole.len() && unfinished {
                self.cut = chunk.invalid().to_vec();
                break;
            }
            text.extend(chunk.invalid().iter().map(|b| char::from(*b)));
            self.taken += chunk.invalid().len() as u64;
        }
        Cow::Owned(text.into_bytes())
    }

    /// What is left when the text ends: a character that was never finished.
    pub fn end(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.cut);
        self.taken += rest.len() as u64;
        rest.into_iter().map(char::from).collect::<String>().into_bytes()
    }

    /// A sentence about the conversion, if there was any.
    pub fn sentence(&self) -> Option<String> {
        (self.taken > 0).then(|| {
            format!(
                "The dump does not name its encoding (SQL_ASCII). It was read as UTF-8, and {} bytes that are not UTF-8 \
                 as Latin-1: check a few of them. If the text has another encoding, create the dump again with pg_dump \
                 --encoding=NAME.",
                self.taken
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_encoding_sql_ascii_is_recognised() {
        for (text, open) in [
            ("SET client_encoding = 'SQL_ASCII'", Some(true)),
            ("set names 'sql_ascii'", Some(true)),
            ("SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)", Some(true)),
            ("SET client_encoding TO 'LATIN1'", Some(false)),
            ("SET search_path = hostnames, pg_catalog", None),
            ("SET SESSION client_encoding = sql_ascii", Some(true)),
            ("INSERT INTO t VALUES ('SET client_encoding = SQL_ASCII')", None),
        ] {
            assert_eq!(leaves_open(text.as_bytes()), open, "{text}");
        }
        let mut head = b"PGDMP\x01ENCODING\x22SET client_encoding = 'SQL_ASCII';\n\x00".to_vec();
        let length = head.len();
        assert!(replace_in_archive(&mut head) && head.len() == length && !replace_in_archive(&mut head));
        assert!(head.windows(AS_UTF8.len()).any(|part| part == AS_UTF8));
        let mut function = b"PGDMP\x01ENCODING\x20SET client_encoding = 'UTF8';\n".to_vec();
        function.extend([b' '; 64]);
        function.extend(b"SET client_encoding = 'SQL_ASCII';");
        assert!(!replace_in_archive(&mut function));
        let mut whole = Vec::new();
        archive(head.as_slice()).unwrap().1.read_to_end(&mut whole).unwrap();
        assert_eq!(whole, head);
    }

    proptest! {
        #[test]
        fn utf8_is_kept_and_other_bytes_are_read_as_latin_1(
            parts in prop::collection::vec(prop_oneof![Just("é".as_bytes().to_vec()), Just("🐘".as_bytes().to_vec()),
                Just(b"\xe9x".to_vec()), Just(b"\xff\xfe ".to_vec()), Just(b"row\n".to_vec())], 0..20),
            cuts in prop::collection::vec(0..80usize, 0..6),
        ) {
            let whole = parts.concat();
            let mut expected = String::new();
            for part in &parts {
                match std::str::from_utf8(part) {
                    Ok(text) => expected.push_str(text),
                    Err(_) => expected.extend(part.iter().map(|b| char::from(*b))),
                }
            }
            let (mut text, mut from, mut read) = (Vec::new(), 0, UnknownEncoding::default());
            let mut cuts = cuts;
            cuts.sort_unstable();
            for cut in cuts.into_iter().filter(|cut| *cut < whole.len()).chain([whole.len()]) {
                text.extend(read.piece(&whole[from..cut.max(from)]).into_owned());
                from = cut.max(from);
            }
            text.extend(read.end());
            prop_assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}
