//! Reads the files of mydumper as one script, in the order in which a server accepts them.

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::data_rows::DataRows;
use super::list::DumpFiles;
use super::load_data;
use super::mydumper::{Role, SqlFile, files};
use crate::import::read_meter::{BytesRead, CountedReader, MeasuredReader};
use crate::manifest::dump::{LoadFailure, Packing};

/// Maximum bytes of a file of triggers or routines, or of a statement that loads rows.
const LONGEST_BODIES: u64 = 64 * 1024 * 1024;
/// Ends a statement of such a file.
const DELIMITER: &str = ";;db4sci;;";

/// Where the files begin in the script, by the number of their first line.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<Vec<(u64, String)>>>);

impl Places {
    /// Replaces the line of a failure in the script with the file and the line in it.
    pub fn resolve(&self, failure: &mut LoadFailure) {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = failure.line else { return };
        let after = places.partition_point(|(first, _)| *first <= line);
        if let Some((first, name)) = after.checked_sub(1).and_then(|at| places.get(at)) {
            (failure.line, failure.file) = (Some(line - first + 1), Some(name.clone()));
        }
    }
}

/// Reads the files of one database as one script.
pub struct Script {
    dir: PathBuf,
    left: VecDeque<SqlFile>,
    now: Option<(String, Box<dyn Read + Send>)>,
    /// Text of the portal itself that is read before the next file.
    own: std::io::Cursor<Vec<u8>>,
    /// The line that comes next.
    line: u64,
    places: Places,
    most: u64,
    packed: BytesRead,
    passed: BytesRead,
}

impl Script {
    /// The script of the database `database` of the dump; if that is empty, of all its databases.
    ///
    /// # Errors
    /// A sentence with the name of a file that cannot be loaded.
    pub fn new(dump: &DumpFiles, database: &str, most: u64, passed: BytesRead) -> Result<Self, String> {
        let mut left = self::files(&dump.members)?;
        left.retain(|file| database.is_empty() || file.database == database);
        Ok(Self {
            dir: dump.dir.clone(),
            left: left.into(),
            now: None,
            own: std::io::Cursor::default(),
            line: 1,
            places: Places::default(),
            most,
            packed: BytesRead::default(),
            passed,
        })
    }

    /// Where the files begin, once they have been read.
    pub fn places(&self) -> Places {
        self.places.clone()
    }

    /// Reads a file of the dump, decompressed.
    fn unpacked(&self, name: &str) -> std::io::Result<MeasuredReader<Box<dyn Read + Send>>> {
        let path = self.dir.join(name);
        let mut head = Vec::new();
        std::fs::File::open(&path)?.take(16).read_to_end(&mut head)?;
        let from = CountedReader(std::fs::File::open(&path)?, self.packed.clone());
        let from = Packing::of(&head).unpacked(Box::new(from))?;
        Ok(MeasuredReader::new(from, self.most, self.packed.clone(), self.passed.clone()))
    }

    fn open(&self, file: &SqlFile) -> std::io::Result<Box<dyn Read + Send>> {
        let from = self.unpacked(&file.name)?;
        if !matches!(file.role, Role::Trigger | Role::Routines) {
            return Ok(Box::new(BufReader::new(from)));
        }
        Ok(Box::new(std::io::Cursor::new(delimited(&short(from)?))))
    }

    /// Reads rows that are in a separate file. Returns the number of lines before them.
    fn open_rows(&self, file: &SqlFile, rows: &str) -> std::io::Result<(u64, Box<dyn Read + Send>)> {
        let text = short(self.unpacked(&file.name)?)?;
        let what = std::str::from_utf8(&text).ok().and_then(load_data::parse);
        let what = what.ok_or_else(|| {
            let why = "the statement that loads its rows is not as mydumper writes it without further options. Create the \
                       dump again without --load-data and --csv";
            std::io::Error::new(std::io::ErrorKind::InvalidData, why)
        })?;
        let before = format!("{}\n", what.before);
        let lines = crate::sql::lines(before.as_bytes());
        let from = BufReader::new(self.unpacked(rows).map_err(|e| named(rows, &e))?);
        Ok((lines, Box::new(std::io::Cursor::new(before.into_bytes()).chain(DataRows::new(what, from)))))
    }

    /// Begins the next file. Its statements do not say to which database they belong. A statement that the file before does
    /// not terminate must not swallow them.
    fn next(&mut self) -> std::io::Result<bool> {
        let Some(file) = self.left.pop_front() else { return Ok(false) };
        self.own = std::io::Cursor::new(format!("\n;\nUSE `{}`;\n", file.database).into_bytes());
        let (lines, from) = match &file.rows {
            Some(rows) => self.open_rows(&file, rows).map_err(|e| named(&file.name, &e))?,
            // Each routine begins with its own line.
            None => {
                let own = u64::from(matches!(file.role, Role::Trigger | Role::Routines));
                (own, self.open(&file).map_err(|e| named(&file.name, &e))?)
            }
        };
        let name = file.rows.unwrap_or(file.name);
        self.now = Some((name.clone(), from));
        let mut places = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.push((self.line + 3 + lines, name));
        Ok(true)
    }
}

/// All of a file that cannot be long.
fn short(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(LONGEST_BODIES).read_to_end(&mut text)?;
    if text.len() as u64 == LONGEST_BODIES {
        let why = format!("it is larger than {} MiB, the maximum for such a file", LONGEST_BODIES >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

/// Statements that may contain others. In these files a statement ends with a semicolon at the end of a line, and no
/// semicolon within a statement is at the end of one. The lines keep their numbers.
fn delimited(text: &[u8]) -> Vec<u8> {
    let mut out = format!("DELIMITER {DELIMITER}\n").into_bytes();
    for line in text.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b";\n") {
            Some(statement) => {
                out.extend_from_slice(statement);
                out.extend_from_slice(DELIMITER.as_bytes());
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    out.extend_from_slice(format!("\n{DELIMITER}\nDELIMITER ;\n").as_bytes());
    out
}

/// An error that names its file.
fn named(name: &str, e: &std::io::Error) -> std::io::Error {
    std::io::Error::new(e.kind(), format!("{name}: {e}"))
}

impl Read for Script {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let mut n = self.own.read(out)?;
            if n == 0
                && let Some((name, from)) = &mut self.now
            {
                n = from.read(out).map_err(|e| named(name, &e))?;
            }
            if n > 0 || out.is_empty() {
                let read = out.get(..n).unwrap_or_default();
                self.line += crate::sql::lines(read);
                return Ok(n);
            }
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::files::list::TestDir;

    #[test]
    fn files_are_read_in_loading_order() {
        let dir = TestDir::new();
        let zipped =
            zstd::encode_all(b"INSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2)".as_slice(), 1).unwrap();
        for (name, content) in [
            ("shop.t.00000.sql.zst", zipped.as_slice()),
            ("shop.t-schema.sql", b"CREATE TABLE `t` (i int);\n"),
            ("shop.v-schema-view.sql", b"CREATE VIEW `v` AS SELECT 1;\n"),
            ("shop-schema-post.sql", b"CREATE PROCEDURE p() SELECT 1;\n"),
            ("shop.t-schema-triggers.sql", b"CREATE TRIGGER x\nBEGIN\n  SELECT 1; \nEND;\n"),
            ("shop-schema-create.sql", b"CREATE DATABASE `shop`;\n"),
            ("lab.t-schema.sql", b"CREATE TABLE `lab` (i int);\n"),
            ("metadata", b"# Finished dump at: 2026-11-30\n"),
        ] {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let files = DumpFiles::list(dir.path()).unwrap();
        let mut script = Script::new(&files, "shop", 1 << 20, BytesRead::default()).unwrap();
        let places = script.places();
        let mut text = String::new();
        script.read_to_string(&mut text).unwrap();
        let words: Vec<_> = text
            .lines()
            .filter(|line| {
                !["", ";", DELIMITER].contains(line) && !line.starts_with("USE") && !line.starts_with("DELIMITER")
            })
            .collect();
        assert_eq!(
            words,
            [
                "CREATE TABLE `t` (i int);",
                "INSERT INTO `t` VALUES (1);",
                "INSERT INTO `t` VALUES (2)",
                "CREATE VIEW `v` AS SELECT 1;",
                "CREATE TRIGGER x",
                "BEGIN",
                "  SELECT 1; ",
                "END;;db4sci;;",
                "CREATE PROCEDURE p() SELECT 1;;db4sci;;"
            ]
        );
        // A line of the script is reported as a line of its file.
        for (statement, file, line) in
            [("INSERT INTO `t` VALUES (2)", "shop.t.00000.sql.zst", 2), ("BEGIN", "shop.t-schema-triggers.sql", 2)]
        {
            let at = text.lines().position(|l| l == statement).unwrap() as u64 + 1;
            let mut failure = LoadFailure { line: Some(at), ..LoadFailure::default() };
            places.resolve(&mut failure);
            assert_eq!((failure.file.as_deref(), failure.line), (Some(file), Some(line)), "{statement}");
        }
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = TestDir::new();
        std::fs::write(dir.path().join("shop.t-schema.sql.gz"), b"\x1f\x8bdamaged and not gzip").unwrap();
        let files = DumpFiles::list(dir.path()).unwrap();
        let mut script = Script::new(&files, "", 1 << 20, BytesRead::default()).unwrap();
        let said = script.read_to_string(&mut String::new()).unwrap_err().to_string();
        assert!(said.starts_with("shop.t-schema.sql.gz: "), "{said}");
    }
}
