//! What failed while a dump was loaded, out of what the tool said about it.

use serde::{Deserialize, Serialize};

use super::format::Format;
use crate::engine::backup::Count;

/// Most failures that are kept; all are counted.
pub const MOST: usize = 100;
/// Longest text of one.
const LONGEST: usize = 400;

/// What became of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// What was loaded.
    pub format: Option<Format>,
    /// Tables that are there; collections, or labels of nodes.
    pub tables: u64,
    /// Rows in them; documents, or nodes and relationships.
    pub rows: u64,
    /// How many statements, entries or documents failed.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// What was taken otherwise than it stood there, in sentences: the first of them.
    pub told: Vec<String>,
}

/// One thing that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Line of the dump, where the tool says it.
    pub line: Option<u64>,
    /// The server's words.
    pub text: String,
    /// The statement, or what else was said about it.
    pub detail: String,
}

impl LoadReport {
    /// Whether more failed than is kept.
    pub fn is_cut(&self) -> bool {
        self.failed > self.failures.len() as u64
    }

    /// Adds what was counted in a server.
    pub fn add(&mut self, counts: &[Count]) {
        for count in counts {
            let rows = u64::try_from(count.rows).unwrap_or(0);
            match count.kind.as_str() {
                "table" | "collection" | "time series" => {
                    self.tables += 1;
                    self.rows += rows;
                }
                "label" => self.tables += 1,
                // All nodes, and all relationships.
                "content" => self.rows += rows,
                _ => {}
            }
        }
    }

    /// One sentence.
    pub fn sentence(&self) -> String {
        let (tables, rows, one) = match self.format {
            Some(Format::MongoArchive) => ("collections", "documents", "document"),
            Some(Format::Neo4jDump) => ("labels", "nodes and relationships", "entry"),
            _ => ("tables", "rows", "statement"),
        };
        let failed = match self.failed {
            0 => "Nothing in it failed.".to_owned(),
            1 => format!("1 {one} failed."),
            n => format!("{n} {one}s failed."),
        };
        format!("{} {tables} with {} {rows} came in. {failed}", self.tables, self.rows)
    }
}

/// Reads what a tool says, line by line.
pub struct Collector {
    format: Format,
    /// Lines that were sent before the dump's own.
    before: u64,
    line: Vec<u8>,
    report: LoadReport,
    /// What it said that is about no statement.
    pub words: String,
}

impl Collector {
    /// For a tool that got `before` lines before those of the dump.
    pub fn new(format: Format, before: u64) -> Self {
        let report = LoadReport { format: Some(format), ..LoadReport::default() };
        Self { format, before, line: Vec::new(), report, words: String::new() }
    }

    /// Takes a piece of what the tool said.
    pub fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|b| *b == b'\n') {
            // A tool that never ends its line must not fill the memory.
            let room = (8 * LONGEST).saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if self.format == Format::MongoArchive {
            return self.mongo(&text);
        }
        if let Some(mut failure) = failure(self.format, &text) {
            failure.line = failure.line.map(|l| l.saturating_sub(self.before));
            // A dump's own locks for its meta-commands: there is one around all of it already.
            if failure.text.contains("backslash commands are restricted") || failure.text.contains("\\unrestrict") {
                let own = self.report.failures.iter().all(|f| !f.text.contains("backslash"));
                if own && failure.line.is_some_and(|l| l < 20) || failure.text.contains("\\unrestrict:") {
                    return;
                }
            }
            self.report.failed += 1;
            if self.report.failures.len() < MOST {
                self.report.failures.push(failure);
            }
            return;
        }
        // What it says in the end is about all of it.
        let about_all = text.starts_with("pg_restore: warning: errors ignored");
        if !about_all && self.report.failed > 0 && self.report.failed <= MOST as u64 {
            if let Some(last) = self.report.failures.last_mut()
                && last.detail.len() < LONGEST
            {
                let part: String = text.chars().take(LONGEST).collect();
                if !last.detail.is_empty() {
                    last.detail.push('\n');
                }
                last.detail.push_str(&part);
            }
        } else if self.words.len() < 4096 {
            self.words.push_str(&text);
            self.words.push('\n');
        }
    }

    /// A line of `mongorestore`: a time, a tab, its words. Single documents that the server refuses are told of, as far as
    /// it likes, and counted at the end.
    fn mongo(&mut self, line: &str) {
        let text = line.split_once('\t').map_or(line, |(_, text)| text);
        let report = &mut self.report;
        if let Some(why) = text.strip_prefix("continuing through error: ") {
            report.failed += 1;
            if report.failures.len() < MOST {
                let text = why.chars().take(LONGEST).collect();
                report.failures.push(Failure { line: None, text, detail: String::new() });
            }
        } else if let Some(what) = text.strip_prefix("told: ") {
            if report.told.len() < MOST {
                report.told.push(what.chars().take(LONGEST).collect());
            }
        } else if let Some((_, failed)) = text.split_once(" restored successfully. ") {
            let failed = failed.split(' ').next().and_then(|n| n.parse().ok());
            report.failed = failed.unwrap_or(report.failed).max(report.failed);
        } else if text.starts_with("Failed: ") && self.words.len() < 4096 {
            self.words.push_str(text);
            self.words.push('\n');
        }
    }

    /// All of it.
    pub fn done(mut self) -> (LoadReport, String) {
        if !self.line.is_empty() {
            self.end_line();
        }
        (self.report, self.words)
    }
}

/// A line that tells of a failure.
fn failure(format: Format, line: &str) -> Option<Failure> {
    let of = |line: Option<u64>, text: &str| {
        let text = text.trim().chars().take(LONGEST).collect();
        Some(Failure { line, text, detail: String::new() })
    };
    match format {
        Format::PgCustom => {
            let said = line.strip_prefix("pg_restore: error: ")?;
            of(None, said.strip_prefix("could not execute query: ").unwrap_or(said).trim_start_matches("ERROR:"))
        }
        Format::PgPlain => {
            let rest = line.strip_prefix("psql:<stdin>:")?;
            let (number, said) = rest.split_once(':')?;
            let said = said.trim();
            let text = said.strip_prefix("ERROR:").or_else(|| said.strip_prefix("error:"))?;
            of(number.parse().ok(), text)
        }
        _ => {
            let rest = line.strip_prefix("ERROR ")?;
            let (head, text) = rest.split_once(": ")?;
            let number = head.rsplit_once("at line ").and_then(|(_, n)| n.parse().ok());
            of(number, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, before: u64, text: &str) -> LoadReport {
        let mut collector = Collector::new(format, before);
        for piece in text.as_bytes().chunks(7) {
            collector.take(piece);
        }
        collector.done().0
    }

    #[test]
    fn what_each_tool_says_is_understood() {
        let said = "psql:<stdin>:5: error: backslash commands are restricted; only \\unrestrict is allowed\n\
                    psql:<stdin>:14: ERROR:  relation \"t\" already exists\nLINE 1: create table t\npsql:<stdin>:15: NOTICE:  well\n";
        let report = read(Format::PgPlain, 1, said);
        assert_eq!((report.failed, report.failures[0].line), (1, Some(13)), "{report:?}");
        assert_eq!(report.failures[0].text, "relation \"t\" already exists");
        let said = "pg_restore: error: could not execute query: ERROR:  role \"x\" does not exist\nCommand was: ALTER TABLE t;\n\npg_restore: warning: errors ignored on restore: 1\n";
        let report = read(Format::PgCustom, 0, said);
        assert!(report.failed == 1 && report.failures[0].detail.contains("ALTER TABLE t"), "{report:?}");
        let mut collector = Collector::new(Format::PgCustom, 0);
        collector.take(said.as_bytes());
        assert!(collector.done().1.contains("errors ignored on restore"), "by which its end is known");
        let report = read(Format::MariaSql, 0, "ERROR 1050 (42S01) at line 12: Table 't' already exists\n");
        assert_eq!((report.failures[0].line, report.failures[0].text.as_str()), (Some(12), "Table 't' already exists"));
    }

    #[test]
    fn what_mongorestore_says_is_understood() {
        let said = "2026-11-27T05:00:00.000+0000\tpreparing collections to restore from\n\
                    2026-11-27T05:00:00.000+0000\tcontinuing through error: E11000 duplicate key error collection: d.c\n\
                    2026-11-27T05:00:01.000+0000\t5 document(s) restored successfully. 3 document(s) failed to restore.\n";
        let report = read(Format::MongoArchive, 0, said);
        assert_eq!((report.failed, report.failures.len()), (3, 1), "{report:?}");
        let said = "2026-11-27T05:00:01.000+0000\t5 document(s) restored successfully. 1 document(s) failed to restore.\n\
                    db4sci\ttold: The index i of c: the option safe: null was left out.\n\
                    db4sci\tcontinuing through error: The index j of c was not made: E11000\n";
        let later = read(Format::MongoArchive, 0, said);
        assert_eq!((later.failed, later.told.len()), (2, 1), "{later:?}");
        assert!(report.failures[0].text.starts_with("E11000") && report.sentence().contains("3 documents failed"));
        let mut collector = Collector::new(Format::MongoArchive, 0);
        collector.take(b"2026-11-27T05:00:00.000+0000\tFailed: corruption found in archive\n");
        assert_eq!(collector.done().1, "Failed: corruption found in archive\n");
    }

    #[test]
    fn a_thousand_failures_are_counted_and_a_hundred_kept() {
        let said = "ERROR 1064 (42000) at line 3: no\n".repeat(1000);
        let report = read(Format::MariaSql, 0, &said);
        assert_eq!((report.failed, report.failures.len()), (1000, MOST));
    }
}
