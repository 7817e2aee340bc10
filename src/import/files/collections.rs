//! Collections of MongoDB: a file with JSON lines or CSV for each.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use bson::{Bson, Document};

use super::batch::{Batch, DocumentsOut};
use super::csv;
use super::list::{DumpFiles, Member};
use crate::import::content::open;
use crate::import::read_meter::BytesRead;
use crate::manifest::dump::Packing;

/// Endings of the files, without that of their compression.
const ENDINGS: [&str; 4] = [".jsonl", ".ndjson", ".json", ".csv"];
/// Endings of compressed files.
const PACKED: [&str; 2] = [".gz", ".zst"];
/// The longest line: a document takes more room as text.
const LONGEST: u64 = 64 * 1024 * 1024;
/// The largest number of values: a document has at most 16 MiB, and a value in an array takes eight bytes or more.
const MOST_VALUES: usize = 2 * 1024 * 1024;

/// The collection that a file of this name contains; `None` if it contains none.
pub fn collection(file: &str) -> Option<&str> {
    let plain = PACKED.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    ENDINGS.iter().find_map(|ending| plain.strip_suffix(ending)).filter(|name| !name.is_empty())
}

/// Files with their collections.
///
/// # Errors
/// A sentence with the name of a file that contains no collection, or one with a name that is not possible.
pub fn names(members: &[Member]) -> Result<Vec<(&str, &str)>, String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (file, _) in members {
        let name = collection(file).ok_or_else(|| {
            format!(
                "{file} is not a file of a dump. A directory or tar archive can contain the files of pg_dump -Fd, of \
                 mydumper, or a file for each collection that ends in .jsonl or .csv."
            )
        })?;
        if name.starts_with("system.") || name.contains('$') {
            return Err(format!("{file}: “{name}” is not a valid name for a collection."));
        }
        if !seen.insert(name) {
            return Err(format!("{file}: there is another file for the collection “{name}”."));
        }
        found.push((file.as_str(), name));
    }
    Ok(found)
}

/// Reads the files of a directory and sends their documents.
///
/// # Errors
/// A sentence with the file and the line that cannot be read.
pub fn send_all(files: &DumpFiles, most: u64, passed: &BytesRead, out: &DocumentsOut) -> Result<(), String> {
    for (file, collection) in names(&files.members)? {
        send(&files.dir.join(file), (file, collection), most, passed, out)?;
    }
    Ok(())
}

/// Reads one file, whose name for people is `name`, and sends its documents.
///
/// # Errors
/// A sentence with the file and the line that cannot be read.
pub fn send(
    path: &Path,
    (name, collection): (&str, &str),
    most: u64,
    passed: &BytesRead,
    out: &DocumentsOut,
) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{name} cannot be read to the end: {e}.");
    let mut head = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(failed)?;
    let content = open(path, Packing::of(&head), true, most, passed.clone()).map_err(failed)?;
    let mut from = BufReader::new(content.from);
    let is_json = from.fill_buf().map_err(failed)?.trim_ascii_start().starts_with(b"{");
    let mut batch = Batch::new(name, collection, out);
    if is_json {
        json_lines(from, name, &mut batch)?;
    } else {
        csv::read(from, name, &mut batch)?;
    }
    batch.flush();
    Ok(())
}

/// Reads a document from each line.
fn json_lines(mut from: impl BufRead, name: &str, batch: &mut Batch<'_>) -> Result<(), String> {
    let mut text = Vec::new();
    let mut line = 0;
    loop {
        text.clear();
        line += 1;
        let at = |why: &str| format!("{name}, line {line}: {why}.");
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut text);
        if read.map_err(|e| at(&e.to_string()))? == 0 {
            return Ok(());
        }
        if text.len() as u64 == LONGEST {
            return Err(at("it is longer than 64 MiB"));
        }
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if !batch.add(document(text).map_err(|why| at(&why))?, line).map_err(|why| at(&why))? {
            return Ok(());
        }
    }
}

/// Whether a text has more values than a document of MongoDB can have. Counted before the text is parsed, because each value
/// takes a hundred times the memory of its two bytes.
fn too_many_values(text: &[u8]) -> bool {
    let (mut inside, mut escaped, mut count) = (false, false, 0);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b',' | b'[' | b'{' if !inside => count += 1,
            _ => {}
        }
    }
    count > MOST_VALUES
}

/// Reads a document in MongoDB's Extended JSON.
fn document(text: &[u8]) -> Result<Document, String> {
    if too_many_values(text) {
        return Err("it has more values than a document can have".to_owned());
    }
    if text.starts_with(b"[") {
        return Err("it begins with “[”, but each line must be one document. Export without --jsonArray".to_owned());
    }
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| match e.is_eof() {
        true => "the document does not end on this line. Each line must be one document, so export without --pretty"
            .to_owned(),
        false => format!("it is not JSON ({e})"),
    })?;
    match Bson::try_from(value) {
        Ok(Bson::Document(document)) => Ok(document),
        Ok(_) => Err("it is not a document, which is written in braces".to_owned()),
        Err(e) => Err(format!("it is not Extended JSON of MongoDB ({e})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_before_they_are_parsed() {
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(MOST_VALUES));
        assert!(document(many.as_bytes()).unwrap_err().contains("more values"));
        let text = format!("{{\"a\":\"\\\"{}\"}}", ",[{".repeat(MOST_VALUES));
        assert!(document(text.as_bytes()).is_ok(), "commas in a text are no values");
    }
    use crate::import::files::list::TestDir;
    use tokio::sync::mpsc;

    /// The documents of a file with this content.
    fn read(name: &str, content: &[u8]) -> Result<Vec<(u64, Document)>, String> {
        let dir = TestDir::new();
        std::fs::write(dir.path().join(name), content).unwrap();
        let files = DumpFiles::list(dir.path()).unwrap();
        let (out, mut batches) = mpsc::channel(100);
        send_all(&files, 1 << 30, &BytesRead::default(), &out)?;
        drop(out);
        let mut found = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            let batch = batch.unwrap();
            found.extend(batch.places.iter().map(|place| place.line).zip(batch.documents));
        }
        Ok(found)
    }

    #[test]
    fn each_line_is_a_document_in_extended_json() {
        let text = "{\"_id\": {\"$oid\": \"5f0000000000000000000001\"}, \"at\": {\"$date\": \"2026-01-01T00:00:00Z\"}}\n\n\
                    {\"n\": {\"$numberLong\": \"7\"}, \"deep\": {\"b\": 1, \"a\": [1.5, null]}}";
        let found = read("mice.jsonl", text.as_bytes()).unwrap();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
        assert!(found[0].1.get_object_id("_id").is_ok() && found[0].1.get_datetime("at").is_ok());
        assert_eq!(found[1].1.get_i64("n").ok(), Some(7));
        let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(read("mice.jsonl.zst", &packed).unwrap(), found);
        let many = (0..2500).map(|n| format!("{{\"_id\": {n}}}\n")).collect::<Vec<_>>().concat();
        assert_eq!(read("mice.json", many.as_bytes()).unwrap().len(), 2500);
    }

    #[test]
    fn an_invalid_document_is_reported_with_its_line() {
        for (text, words) in [
            ("{\"a\": 1}\n{\"a\": }\n", "mice.jsonl, line 2: it is not JSON"),
            ("{\"a\": 1}\n7\n", "line 2: it is not a document"),
            ("{\n\"a\": 1}\n", "line 1: the document does not end on this line"),
            ("{\"a\": 1}\n[{\"a\": 1}]\n", "line 2: it begins with “[”"),
            ("{\"a\": {\"$oid\": \"short\"}}\n", "line 1: it is not Extended JSON"),
        ] {
            let said = read("mice.jsonl", text.as_bytes()).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn a_file_is_named_after_its_collection() {
        assert_eq!((collection("mice.jsonl.gz"), collection("a.b.csv")), (Some("mice"), Some("a.b")));
        assert_eq!((collection(".csv"), collection("mice.bson"), collection("mice.csv.xz")), (None, None, None));
    }
}
