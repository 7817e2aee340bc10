//! Describes files that cannot be loaded, and what to upload instead.

/// Advice on what can be uploaded.
const SEND: &str = "Upload the output of pg_dump, mariadb-dump, mysqldump, mongodump --archive or neo4j-admin \
                    database dump, either as is, compressed with gzip, zstd, bzip2 or xz, or as the only file in a \
                    zip archive.";

/// Magic numbers of other file formats, with a description and advice.
const KINDS: [(&[u8], &str, &str); 17] = [
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Extract it and upload the dump itself."),
    (b"Rar!", "a RAR archive", "Extract it and upload the dump itself."),
    (b"PK\x05\x06", "an empty zip archive", "Create the zip archive again."),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "Decompress it, or use gzip instead."),
    (b"LZIP", "compressed with lzip", "Decompress it, or use xz instead."),
    (b"\x1f\x9d", "compressed with compress", "Decompress it, or use gzip instead."),
    (b"\x5d\x00\x00", "compressed with lzma", "Decompress it, or use xz instead."),
    (b"SQLite format 3", "an SQLite database", "Export its content as SQL for the engine you choose and upload that."),
    (b"\x00\x01\x00\x00Standard", "a Microsoft Access database", "Export its tables first."),
    (b"%PDF", "a PDF document", ""),
    (b"\x89PNG", "an image", ""),
    (b"\x7fELF", "a program", ""),
    (b"<!DOCTYPE", "a web page, perhaps an error page that was saved instead of the dump", ""),
    (b"<html", "a web page, perhaps an error page that was saved instead of the dump", ""),
    (b"<?xml", "an XML document", "Create the dump as SQL, without --xml."),
    (b"age-encryption.org", "encrypted with age", "Decrypt it and upload the dump itself."),
    (b"-----BEGIN PGP", "encrypted with PGP", "Decrypt it and upload the dump itself."),
];

/// The message about a file with the decompressed beginning `head`.
pub fn describe(head: &[u8]) -> String {
    let known = KINDS.iter().find(|(magic, ..)| head.starts_with(magic));
    let kind = match known {
        Some((_, kind, todo)) => Some((*kind, *todo)),
        None if head.get(257..262) == Some(b"ustar".as_slice()) => {
            Some(("a tar archive", "Extract it and upload the dump itself."))
        }
        None => text_kind(head),
    };
    if let Some((kind, todo)) = kind {
        let todo = if todo.is_empty() { SEND } else { todo };
        return format!("File format not recognised: this is {kind}. {todo}");
    }
    format!("File format not recognised. It begins with {}. {SEND}", beginning(head))
}

/// Describes a text in an unsupported format, with advice.
fn text_kind(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = String::from_utf8_lossy(head.get(..1024).unwrap_or(head));
    let code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let first = text.lines().map(str::trim).find(code)?;
    let begins = |words: &[&str]| words.iter().any(|w| first.get(..w.len()).is_some_and(|f| f.eq_ignore_ascii_case(w)));
    if first.starts_with('[') {
        return Some((
            "a JSON array",
            "To load an array of documents, or one document per line, as a collection, choose MongoDB.",
        ));
    }
    if first.starts_with('{') {
        return Some(("JSON", "To load it as a collection, one document per line, choose MongoDB."));
    }
    if begins(&["use(", "db.", "db[", "const ", "let ", "var ", "rs.", "sh."]) {
        return Some((
            "a script for mongosh",
            "Create an empty database and run the script with mongosh on your own computer, using the connection \
             details on the database's page.",
        ));
    }
    // The patterns of nodes, which SQL does not have.
    let cypher =
        ["CREATE (", "CREATE(", "MERGE (", "MERGE(", "MATCH (", "MATCH(", "UNWIND ", "LOAD CSV ", ":begin", ":param"];
    begins(&cypher).then_some((
        "a Cypher script",
        "Create an empty database and run the script with cypher-shell on your own computer, using the connection \
         details on the database's page.",
    ))
}

/// The first bytes, for display.
fn beginning(head: &[u8]) -> String {
    let first = head.get(..60).unwrap_or(head);
    let text = match std::str::from_utf8(first) {
        Ok(text) => Some(text),
        // Cut within a character.
        Err(e) if e.error_len().is_none() => first.get(..e.valid_up_to()).and_then(|f| std::str::from_utf8(f).ok()),
        Err(_) => None,
    };
    match text.filter(|t| !t.is_empty() && !t.contains('\0')) {
        Some(text) => {
            let line: String = text.trim_start().lines().next().unwrap_or_default().chars().take(40).collect();
            format!("the text “{}”", line.chars().filter(|c| !c.is_control()).collect::<String>())
        }
        None => format!("the bytes {}", hex::encode_upper(first.get(..8).unwrap_or(first))),
    }
}

/// Detects archives damaged by a redirection that treats everything as text, as PowerShell's does.
pub fn broken_by_redirection(head: &[u8]) -> Option<String> {
    const MAKERS: [(&str, &str); 4] = [
        ("PGDMP", "a pg_dump archive, made with pg_dump -Fc -f FILE"),
        ("DZV1", "a neo4j-admin dump, made with --to-path"),
        ("DGV1", "a neo4j-admin dump, made with --to-path"),
        ("m", "a mongodump archive, made with --archive=FILE"),
    ];
    let wide = head.starts_with(&[0xff, 0xfe]);
    let text: String = if wide {
        let units = head
            .get(2..head.len().min(66))
            .unwrap_or_default()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    } else {
        // PowerShell 7 writes UTF-8, which no intact archive is.
        let head = head.get(..4096).unwrap_or(head);
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            Err(e) if e.error_len().is_none() => std::str::from_utf8(head.get(..e.valid_up_to())?).ok()?,
            Err(_) => return None,
        };
        text.contains(char::REPLACEMENT_CHARACTER).then(|| text.to_owned())?
    };
    let beyond = text.chars().skip(1).take(3).filter(|c| !c.is_ascii()).count();
    let maker = MAKERS.iter().find(|(begin, _)| text.starts_with(begin) && (*begin != "m" || beyond >= 1));
    let packed = [("\u{1f}", "compressed with gzip"), ("(", "compressed with zstd")];
    let packed = packed.iter().find(|(begin, _)| text.starts_with(begin) && beyond >= 1);
    let what = maker.or(packed)?.1;
    Some(format!(
        "This was {what}, but PowerShell's “>” damaged it by rewriting the output as text. Let the program write the \
         file itself or use cmd.exe, then upload the result."
    ))
}

#[cfg(test)]
mod tests {
    use crate::import::unsupported::*;

    #[test]
    fn unsupported_files_are_described() {
        for (head, words) in [
            (b"7z\xbc\xaf\x27\x1crest".as_slice(), "7-Zip"),
            (b"name,age\nada,36\n", "the text “name,age”"),
            (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "the bytes 0001020304050607"),
            (b"%PDF-1.4", "a PDF document"),
            ("🐘".as_bytes(), "the text “🐘”"),
            (b"[\n  { \"a\": 1 },\n", "choose MongoDB"),
            (b"{ \"a\": 1 }\n", "choose MongoDB"),
            (b"// fill\ndb.mice.insertOne({})", "a script for mongosh"),
            (b"MERGE (m:Mouse {id: 1});", "a Cypher script"),
        ] {
            let said = describe(head);
            assert!(said.starts_with("File format not recognised") && said.contains(words), "{said}");
        }
    }

    #[test]
    fn archives_damaged_by_redirection_are_recognised() {
        let wide = |text: &str| [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
        for text in ["PGDMP\u{1}\u{f}\0", "DZV1abc", "mΓÖü\u{c}", "\u{1f}ï\u{8}", "(╡/²"] {
            assert!(broken_by_redirection(&wide(text)).is_some(), "{text}");
        }
        let marked = "PGDMP\u{1}\u{f}\0\u{fffd}\u{fffd}".as_bytes();
        assert!(broken_by_redirection(marked).is_some_and(|said| said.contains("pg_dump -Fc -f")));
        for fine in [wide("-- PostgreSQL"), wide("CREATE TABLE m"), b"PGDMP\x01\x0e\xff".to_vec(), b"select 1".to_vec()]
        {
            assert_eq!(broken_by_redirection(&fine), None);
        }
    }
}
