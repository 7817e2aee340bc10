//! CSV as documents: the first row names the fields.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use bson::{Bson, Document};
use csv::{ErrorKind, Position, ReaderBuilder, StringRecord, Trim};

use super::batch::Batch;
use super::csv_separator::{HEAD, Separator};

/// Maximum bytes that a row may take, as text.
const LONGEST: u64 = 64 << 20;

/// Ends a file in which a row is longer than [`LONGEST`], which would be kept in memory.
struct LimitedRows<R> {
    from: R,
    /// Bytes read since the last row.
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for LimitedRows<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > LONGEST {
            return Err(io::Error::other(format!("a row is longer than {} MiB", LONGEST >> 20)));
        }
        let count = self.from.read(into)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Reads the rows. Returns a remark, if the columns are not separated by commas.
///
/// # Errors
/// A sentence with the line of a row that cannot be read.
pub(super) fn read(mut from: impl Read, name: &str, batch: &mut Batch<'_>) -> Result<Option<String>, String> {
    let read = Rc::new(Cell::new(0));
    let mut head = Vec::new();
    from.by_ref().take(HEAD).read_to_end(&mut head).map_err(|e| told(name, &e.into()))?;
    let separator = Separator::of(&head).map_err(|why| format!("{name}, line 1: {why}."))?;
    let from = LimitedRows { from: Cursor::new(head).chain(from), read: read.clone() };
    let mut rows = ReaderBuilder::new().trim(Trim::Headers).delimiter(separator.byte()).from_reader(from);
    let header = rows.headers().map_err(|e| told(name, &e))?.clone();
    check(&header).map_err(|why| format!("{name}, line 1: {why}."))?;
    let mut row = StringRecord::new();
    while rows.read_record(&mut row).map_err(|e| told(name, &e))? {
        read.set(0);
        let line = row.position().map_or(0, Position::line);
        let named = header.iter().zip(row.iter()).filter(|(_, text)| !text.is_empty());
        let document: Document = named.map(|(field, text)| (field.to_owned(), value(text))).collect();
        if !batch.add(document, line).map_err(|why| format!("{name}, line {line}: {why}."))? {
            break;
        }
    }
    Ok(separator.remark(name))
}

/// Checks the names of the fields.
fn check(header: &StringRecord) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    if header.is_empty() {
        return Err("there is no row that names the fields".to_owned());
    }
    for (n, field) in header.iter().enumerate() {
        if field.is_empty() {
            return Err(format!("column {} has no name", n + 1));
        }
        if field.contains('.') || field.starts_with('$') {
            return Err(format!("“{field}” is not a valid name for a field: rename the column"));
        }
        if !seen.insert(field) {
            return Err(format!("two columns are named “{field}”"));
        }
    }
    Ok(())
}

/// A number if the text is written like one, otherwise text. Leading zeros are part of a code, not of a number.
fn value(text: &str) -> Bson {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let is_number = whole.bytes().all(|b| b.is_ascii_digit())
        && !whole.is_empty()
        && (whole == "0" || !whole.starts_with('0'))
        && digits.len() <= 300;
    if is_number {
        if let Ok(number) = text.parse::<i32>() {
            return Bson::Int32(number);
        }
        if let Ok(number) = text.parse::<i64>() {
            return Bson::Int64(number);
        }
        // A longer number without a fraction would lose digits.
        if digits != whole
            && let Ok(number) = text.parse::<f64>()
            && number.is_finite()
        {
            return Bson::Double(number);
        }
    }
    Bson::String(text.to_owned())
}

fn told(name: &str, e: &csv::Error) -> String {
    let line = e.position().map_or(0, Position::line);
    match e.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{name}, line {line}: it has {len} columns, but line 1 has {expected_len}.")
        }
        ErrorKind::Utf8 { .. } => format!("{name}, line {line}: it is not UTF-8 text."),
        _ => format!("{name} cannot be read to the end: {e}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::documents::RefusedDocuments;
    use crate::import::files::batch::DocumentsOut;
    use bson::doc;
    use tokio::sync::mpsc;

    fn documents(text: &str) -> Result<Vec<(u64, Document)>, String> {
        let (sender, mut batches) = mpsc::channel(100);
        let out = DocumentsOut { sender, refused: RefusedDocuments::default() };
        let mut batch = Batch::new("mice.csv", "mice", &out);
        read(text.as_bytes(), "mice.csv", &mut batch)?;
        batch.flush();
        let batch = batches.try_recv().unwrap().unwrap();
        Ok(batch.places.iter().map(|place| place.line).zip(batch.documents).collect())
    }

    #[test]
    fn rows_become_documents() {
        let found =
            documents("id,name,weight,code\n1,\"Ada, \"\"the\nsecond\"\"\",20.5,007\n-2,,1e3,12345678901\n").unwrap();
        assert_eq!(
            found,
            [
                (2, doc! { "id": 1, "name": "Ada, \"the\nsecond\"", "weight": 20.5, "code": "007" }),
                (4, doc! { "id": -2, "weight": 1000.0, "code": 12_345_678_901_i64 }),
            ]
        );
        for text in ["1.2.3", "--1", "1e", ".5", "0x1", "nan", "123456789012345678901", "-", "1 "] {
            assert_eq!(value(text), Bson::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn columns_may_be_separated_by_semicolons_or_tabs() {
        let wanted = [(2, doc! { "id": 1, "name": "Ada, the first" }), (3, doc! { "id": 2, "name": "20,5" })];
        for mark in [";", "\t"] {
            let text = format!("id{mark}name\n1{mark}Ada, the first\n2{mark}20,5\n");
            assert_eq!(documents(&text), Ok(wanted.clone().into()), "{text}");
        }
        let said = documents("id;name\n1;a\n2\n").unwrap_err();
        assert!(said.starts_with("mice.csv, line 1: the columns are separated by semicolons"), "{said}");
        let one = documents("\"a;b\"\n1\n").unwrap();
        assert_eq!(one, [(2, doc! { "a;b": 1 })], "a name in quotes is one column");
    }

    #[test]
    fn an_endless_row_is_not_kept_in_memory() {
        let (sender, _batches) = mpsc::channel(100);
        let out = DocumentsOut { sender, refused: RefusedDocuments::default() };
        let mut batch = Batch::new("mice.csv", "mice", &out);
        let endless = b"a,b\n1,\"".as_slice().chain(std::io::repeat(b'x'));
        let said = read(endless, "mice.csv", &mut batch).unwrap_err();
        assert!(said.contains("a row is longer than 64 MiB"), "{said}");
    }

    #[test]
    fn a_row_with_a_different_number_of_columns_is_rejected() {
        let ten = "a,b,c,d,e,f,g,h,i,j\n1,2,3,4,5,6,7,8,9,10\n";
        let said = documents(&format!("{ten}1,2,3,4,5,6,7,8,9,10,11\n")).unwrap_err();
        assert_eq!(said, "mice.csv, line 3: it has 11 columns, but line 1 has 10.");
        for (text, words) in [
            ("a,a\n1,2\n", "two columns are named “a”"),
            ("a,\n1,2\n", "column 2 has no name"),
            ("a.b\n1\n", "“a.b” is not a valid name"),
            ("", "no row that names the fields"),
        ] {
            assert!(documents(text).unwrap_err().contains(words), "{text}");
        }
    }
}
