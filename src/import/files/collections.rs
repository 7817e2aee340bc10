//! Collections of MongoDB: a file with JSON lines, a JSON array or CSV for each.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use bson::Document;

use super::batch::{Batch, DocumentsOut};
use super::csv;
use super::extended_json;
use super::json_array::JsonArray;
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

/// What is wrong with a line that contains only the beginning of a document.
const UNENDED: &str =
    "the document does not end on this line. Each line must be one document, so export without --pretty";

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

/// Reads the files of a directory and sends their documents. Returns remarks for the owner.
///
/// # Errors
/// A sentence with the file and the line that cannot be read.
pub fn send_all(files: &DumpFiles, most: u64, passed: &BytesRead, out: &DocumentsOut) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    for (file, collection) in names(&files.members)? {
        told.extend(send(&files.dir.join(file), (file, collection), most, passed, out)?);
    }
    Ok(told)
}

/// Reads one file, whose name for people is `name`, and sends its documents. Returns remarks for the owner.
///
/// # Errors
/// A sentence with the file and the line that cannot be read.
pub fn send(
    path: &Path,
    (name, collection): (&str, &str),
    most: u64,
    passed: &BytesRead,
    out: &DocumentsOut,
) -> Result<Vec<String>, String> {
    let failed = |e: std::io::Error| format!("{name} cannot be read to the end: {e}.");
    let mut head = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(failed)?;
    let content = open(path, Packing::of(&head), true, most, passed.clone()).map_err(failed)?;
    let mut from = BufReader::new(content.from);
    let first = from.fill_buf().map_err(failed)?.trim_ascii_start().first().copied();
    let mut batch = Batch::new(name, collection, out);
    let mut told = Vec::new();
    match first {
        Some(b'{') => json_lines(from, name, &mut batch)?,
        Some(b'[') => json_array(from, name, &mut batch)?,
        _ => told.extend(csv::read(from, name, &mut batch)?),
    }
    if batch.is_empty()? {
        told.push(format!("{name} contains no documents, so the collection “{}” was not created.", batch.collection()));
    }
    batch.flush();
    Ok(told)
}

/// Reads a document from each line. A line that contains none is recorded, unless it shows that no line contains one.
fn json_lines(mut from: impl BufRead, name: &str, batch: &mut Batch<'_>) -> Result<(), String> {
    let mut text = Vec::new();
    let (mut line, mut first) = (0, true);
    loop {
        text.clear();
        line += 1;
        let at = |why: &str| format!("{name}, line {line}: {why}.");
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut text);
        if read.map_err(|e| at(&e.to_string()))? == 0 {
            return Ok(());
        }
        if text.len() as u64 == LONGEST {
            batch.fail(line, "it is longer than 64 MiB".to_owned());
            if text.last() != Some(&b'\n') {
                from.skip_until(b'\n').map_err(|e| at(&e.to_string()))?;
            }
            first = false;
            continue;
        }
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match document(text).and_then(|document| batch.add(document, line)) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // Some lines of an indented document are documents themselves.
            Err(why) if first && why == UNENDED => return Err(at(&why)),
            Err(why) => batch.fail(line, why),
        }
        first = false;
    }
}

/// Reads a document from each element of an array.
fn json_array(from: impl BufRead, name: &str, batch: &mut Batch<'_>) -> Result<(), String> {
    let (mut array, mut text) = (JsonArray::new(from, LONGEST), Vec::new());
    while let Some(line) = array.next(&mut text).map_err(|(line, why)| format!("{name}, line {line}: {why}."))? {
        match document(&text).and_then(|document| batch.add(document, line)) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(why) => batch.fail(line, why),
        }
    }
    Ok(())
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
        return Err("it begins with “[”, but it must be one document".to_owned());
    }
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| match e.is_eof() {
        true => UNENDED.to_owned(),
        false => format!("it is not JSON ({e})"),
    })?;
    extended_json::document(value)
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
    use crate::engine::documents::RefusedDocuments;
    use crate::import::files::list::TestDir;
    use bson::doc;
    use tokio::sync::mpsc;

    /// The documents of a file with this content, by their lines.
    fn read(name: &str, content: &[u8]) -> Result<Vec<(u64, Document)>, String> {
        sent(name, content).map(|sent| sent.documents)
    }

    struct Sent {
        documents: Vec<(u64, Document)>,
        failed: Vec<(u64, String)>,
        told: Vec<String>,
    }

    fn sent(name: &str, content: &[u8]) -> Result<Sent, String> {
        let dir = TestDir::new();
        std::fs::write(dir.path().join(name), content).unwrap();
        let files = DumpFiles::list(dir.path()).unwrap();
        let (sender, mut batches) = mpsc::channel(100);
        let out = DocumentsOut { sender, refused: RefusedDocuments::default() };
        let told = send_all(&files, 1 << 30, &BytesRead::default(), &out)?;
        let failed = out.refused.all().1.into_iter().map(|refused| (refused.place.line, refused.why)).collect();
        let mut documents = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            let batch = batch.unwrap();
            documents.extend(batch.places.iter().map(|place| place.line).zip(batch.documents));
        }
        Ok(Sent { documents, failed, told })
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
    fn an_invalid_document_is_reported_with_its_line_and_the_others_are_loaded() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(usize::try_from(LONGEST).unwrap()));
        for (text, words) in [
            ("{\"a\": }", "it is not JSON"),
            ("7", "it is not a document"),
            ("{\"a\": 1", "the document does not end on this line"),
            ("[{\"a\": 1}]", "it begins with “[”"),
            ("{\"a\": {\"$oid\": \"short\"}}", "it is not Extended JSON"),
            ("{\"a\": {\"$binary\": \"?\", \"$type\": \"00\"}}", "it is not Extended JSON"),
            (&long, "longer than 64 MiB"),
        ] {
            let found = sent("mice.jsonl", format!("{{\"a\": 1}}\n{text}\n{{\"a\": 3}}\n").as_bytes()).unwrap();
            assert_eq!(found.documents, [(1, doc! { "a": 1 }), (3, doc! { "a": 3 })]);
            let [(2, why)] = found.failed.as_slice() else { panic!("{:?}", found.failed) };
            assert!(why.contains(words), "{why}");
            // Nothing in the file can be read.
            let said = read("mice.jsonl", format!("{{\n{text}\n").as_bytes()).err();
            assert!(said.is_some_and(|said| said.starts_with("mice.jsonl, line 1: the document does not end")));
        }
        let said = read("mice.jsonl", b"{\"a\": }\n7\n").unwrap_err();
        assert!(said.starts_with("mice.jsonl, line 1: it is not JSON"), "{said}");
        let said = read("mice.jsonl", b"{\n\"a\": [\n{}\n]\n}\n").unwrap_err();
        assert!(said.contains("line 1: the document does not end on this line"), "{said}");
    }

    #[test]
    fn an_array_of_documents_is_loaded() {
        let found =
            sent("b.json", b"[{\"_id\":1,\"n\":5},\n{\"_id\":2,\"n\":\n6}, 7, {\"_id\": {\"$oid\": 1}}]\n").unwrap();
        assert_eq!(found.documents, [(1, doc! { "_id": 1, "n": 5 }), (2, doc! { "_id": 2, "n": 6 })]);
        let lines: Vec<u64> = found.failed.iter().map(|(line, _)| *line).collect();
        assert!(lines == [3, 3] && found.failed[0].1.contains("not a document"), "{:?}", found.failed);
        let many = (0..2500).map(|n| format!(" {{\"_id\": {n}}}")).collect::<Vec<_>>().join(",\n");
        assert_eq!(read("b.json", format!("\n[{many}]").as_bytes()).unwrap().len(), 2500);
        let said = read("b.json", format!("[{many}").as_bytes()).unwrap_err();
        assert!(said.starts_with("b.json, line 2500: the array does not end"), "{said}");
        assert!(read("b.json", b"[1, 2]").unwrap_err().contains("b.json, line 1: it is not a document"));
    }

    #[test]
    fn a_file_without_documents_is_told() {
        for (name, text) in [("mice.csv", "id,name\n"), ("mice.json", "[]"), ("mice.csv", "id\n")] {
            let found = sent(name, text.as_bytes()).unwrap();
            assert!(found.documents.is_empty() && found.failed.is_empty());
            assert_eq!(
                found.told,
                [format!("{name} contains no documents, so the collection “mice” was not created.")]
            );
        }
        assert!(sent("mice.csv", b"id\n1\n").unwrap().told.is_empty());
    }

    #[test]
    fn a_file_is_named_after_its_collection() {
        assert_eq!((collection("mice.jsonl.gz"), collection("a.b.csv")), (Some("mice"), Some("a.b")));
        assert_eq!((collection(".csv"), collection("mice.bson"), collection("mice.csv.xz")), (None, None, None));
    }
}
