//! Builds the report on failed statements from the output of the tool that loaded a dump.

use crate::import::sql_dump::sent_statements::{LoadProgress, ToolMessage, beginning};
use crate::manifest::dump::{Format, LoadFailure, LoadReport, MOST};

/// Maximum length of a message, in characters.
const LONGEST: usize = 4000;
/// Delimits a statement that MariaDB's client repeats.
const RULE: &str = "--------------";
/// Maximum bytes of a line of output that are read.
const LONGEST_LINE: usize = 16 * 1024;

/// Parses the output of a tool, line by line.
pub struct OutputCollector<'a> {
    format: Format,
    /// The statements sent to the tool, if its messages have line numbers.
    progress: &'a LoadProgress,
    line: Vec<u8>,
    report: LoadReport,
    /// Whether the next lines belong to the last failure.
    open: bool,
    /// Whether the next lines repeat a statement. MariaDB's client does so before the error message, pg_restore after
    /// it.
    repeats: bool,
    /// Messages that are not about a statement.
    words: String,
}

impl<'a> OutputCollector<'a> {
    /// For a tool whose input is recorded in `progress`.
    pub fn new(format: Format, progress: &'a LoadProgress) -> Self {
        let report = LoadReport { format: Some(format), ..LoadReport::default() };
        Self { format, progress, line: Vec::new(), report, open: false, repeats: false, words: String::new() }
    }

    /// Adds a chunk of output.
    pub fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|b| *b == b'\n') {
            // A tool that never ends its line must not exhaust memory.
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        match self.format {
            Format::MongoArchive | Format::MongoFiles => self.mongo(&text),
            Format::PgPlain | Format::MariaSql | Format::MariaDirectory => self.sql(&text),
            Format::PgCustom | Format::PgDirectory | Format::Neo4jDump => self.archive(&text),
        }
    }

    fn sql(&mut self, text: &str) {
        let said = if self.format == Format::PgPlain { of_psql(text) } else { of_mariadb(text) };
        let Some((number, is_error, words)) = said else {
            if self.format == Format::MariaSql && text == RULE {
                (self.repeats, self.open) = (!self.repeats, false);
            } else if !self.repeats {
                self.more(text);
            }
            return;
        };
        self.repeats = false;
        let ToolMessage::About(sent) = self.progress.said(number, is_error) else {
            self.open = false;
            return;
        };
        self.open = is_error;
        if self.format == Format::MariaSql && ends_loads(text) && self.words.len() < LONGEST {
            self.words.push_str(&cut(text, LONGEST));
            self.words.push('\n');
        }
        if is_error {
            let (line, statement) = sent.map(|s| (s.line, s.text)).unzip();
            let text = cut(words, LONGEST);
            self.fail(LoadFailure { line, text, statement: statement.unwrap_or_default(), ..LoadFailure::default() });
        }
    }

    /// Parses a line of `pg_restore`.
    fn archive(&mut self, text: &str) {
        self.repeats &= !text.starts_with("pg_restore: ");
        let said = text.strip_prefix("pg_restore: error: ").filter(|_| self.format == Format::PgCustom);
        if let Some(said) = said {
            let said = said.strip_prefix("could not execute query: ").unwrap_or(said).trim_start_matches("ERROR:");
            self.open = true;
            return self.fail(LoadFailure { text: cut(said.trim(), LONGEST), ..LoadFailure::default() });
        }
        // This summary shows that pg_restore reached the end of the dump.
        if text.starts_with("pg_restore: warning: errors ignored") {
            self.open = false;
            self.words.push_str(text);
            self.words.push('\n');
            return;
        }
        if let Some(statement) = text.strip_prefix("Command was: ").filter(|_| self.open)
            && let Some(last) = self.report.failures.last_mut().filter(|_| self.report.failed <= MOST as u64)
        {
            last.statement = beginning(statement.as_bytes());
            (self.open, self.repeats) = (false, true);
            return;
        }
        if self.repeats || text.starts_with("pg_restore: from TOC entry") || text.starts_with("pg_restore: while ") {
            self.open = false;
            return;
        }
        self.more(text);
    }

    fn fail(&mut self, failure: LoadFailure) {
        self.report.failed += 1;
        if self.report.failures.len() < MOST {
            self.report.failures.push(failure);
        }
    }

    /// Adds a line to the last failure, or to the messages about no statement.
    fn more(&mut self, text: &str) {
        let last = self.report.failures.last_mut().filter(|_| self.report.failed <= MOST as u64);
        if self.open {
            if let Some(last) = last.filter(|last| last.detail.len() < LONGEST) {
                if !last.detail.is_empty() {
                    last.detail.push('\n');
                }
                last.detail.push_str(&cut(text, LONGEST));
            }
        } else if self.words.len() < LONGEST {
            self.words.push_str(&cut(text, LONGEST));
            self.words.push('\n');
        }
    }

    /// Parses a line of `mongorestore`: a time, a tab, a message. It reports some of the documents that the server
    /// rejects, and their number at the end.
    fn mongo(&mut self, line: &str) {
        let text = line.split_once('\t').map_or(line, |(_, text)| text);
        if let Some(why) = text.strip_prefix("continuing through error: ") {
            self.fail(LoadFailure { text: cut(why, LONGEST), ..LoadFailure::default() });
        } else if let Some(what) = text.strip_prefix("told: ") {
            if self.report.told.len() < MOST {
                self.report.told.push(cut(what, LONGEST));
            }
        } else if let Some((_, failed)) = text.split_once(" restored successfully. ") {
            let failed = failed.split(' ').next().and_then(|n| n.parse().ok());
            let report = &mut self.report;
            report.failed = failed.unwrap_or(report.failed).max(report.failed);
        } else if text.starts_with("Failed: ") && self.words.len() < LONGEST {
            self.words.push_str(text);
            self.words.push('\n');
        }
    }

    /// The report, including statements that were not sent to the tool, and the messages about no statement.
    pub fn done(mut self) -> (LoadReport, String) {
        if !self.line.is_empty() {
            self.end_line();
        }
        let (kept_back, count, left) = self.progress.kept_back();
        let report = &mut self.report;
        for (line, rows) in left {
            if let Some(failure) = report.failures.iter_mut().find(|f| f.line == Some(line)) {
                let told = format!("{}\nIts {rows} rows were skipped.", failure.detail);
                told.trim().clone_into(&mut failure.detail);
            }
        }
        report.failed += count;
        report.failures.extend(kept_back);
        report.failures.sort_by_key(|failure| failure.line);
        report.failures.truncate(MOST);
        (self.report, self.words)
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Parses a message of psql about a line: the line number, whether it is an error, the text.
fn of_psql(line: &str) -> Option<(u64, bool, &str)> {
    let (number, said) = line.strip_prefix("psql:<stdin>:")?.split_once(':')?;
    let said = said.trim();
    let error = ["ERROR:", "error:", "FATAL:", "PANIC:"].iter().find_map(|kind| said.strip_prefix(kind));
    Some((number.parse().ok()?, error.is_some(), error.unwrap_or(said).trim()))
}

/// Whether an error of MariaDB's client concerns its connection or the resources of the server, and not the statement:
/// with it, what follows is lost too.
fn ends_loads(text: &str) -> bool {
    // Disk or memory is full, there are too many connections, or the server stops or ended the session.
    const CODES: [u32; 9] = [1021, 1037, 1038, 1040, 1041, 1053, 1135, 1203, 1927];
    let code = text.strip_prefix("ERROR ").and_then(|rest| rest.split(' ').next()).and_then(|code| code.parse().ok());
    code.is_some_and(|code: u32| (2000..3000).contains(&code) || CODES.contains(&code))
}

/// Parses the error message of MariaDB's client about a statement.
fn of_mariadb(line: &str) -> Option<(u64, bool, &str)> {
    let (head, text) = line.strip_prefix("ERROR ")?.split_once(": ")?;
    let (_, number) = head.rsplit_once("at line ")?;
    Some((number.parse().ok()?, true, text.trim()))
}

#[cfg(test)]
mod tests {
    use crate::import::report::*;
    use crate::import::sql_dump::sent_statements::SentStatement;

    fn read(format: Format, progress: &LoadProgress, text: &str) -> (LoadReport, String) {
        let mut collector = OutputCollector::new(format, progress);
        for piece in text.as_bytes().chunks(7) {
            collector.take(piece);
        }
        collector.done()
    }

    fn sent(lines: (u64, u64), line: u64, text: &str) -> SentStatement {
        SentStatement { lines, line, text: text.to_owned() }
    }

    #[test]
    fn each_failure_is_matched_with_its_statement() {
        let progress = LoadProgress::default();
        progress.note(sent((2, 4), 10, "create table t"));
        progress.note(sent((5, 5), 13, "select 1"));
        progress.note(sent((6, 9), 14, "copy t"));
        progress.keep_back(LoadFailure { line: Some(11), text: "not run".to_owned(), ..LoadFailure::default() });
        progress.leave(14, 3);
        let said = "psql:<stdin>:4: ERROR:  relation \"t\" already exists\nLINE 1: create table t\npsql:<stdin>:5: NOTICE:  well\n\
                    psql:<stdin>:9: ERROR:  no\nCONTEXT:  COPY t\npsql:<stdin>:40: ERROR:  late\n";
        let (report, _) = read(Format::PgPlain, &progress, said);
        let found: Vec<_> = report.failures.iter().map(|f| (f.line, f.statement.as_str(), f.detail.as_str())).collect();
        assert_eq!(
            found,
            [
                (None, "", ""),
                (Some(10), "create table t", "LINE 1: create table t"),
                (Some(11), "", ""),
                (Some(14), "copy t", "CONTEXT:  COPY t\nIts 3 rows were skipped."),
            ]
        );
        assert_eq!(report.failed, 4);
        let (report, _) = read(
            Format::MariaSql,
            &progress,
            "--------------\nselect\n--------------\n\nERROR 1050 (42S01) at line 3: Table 't' already exists\n--------------\nmore\n",
        );
        let first = &report.failures[0];
        assert_eq!(
            (first.line, first.text.as_str(), first.detail.as_str()),
            (Some(10), "Table 't' already exists", "")
        );
    }

    #[test]
    fn a_response_to_a_probe_is_not_a_failure() {
        let progress = LoadProgress::default();
        progress.note(sent((2, 2), 1, "copy t from stdin"));
        progress.ask((2, 2), 4);
        let (report, _) =
            read(Format::PgPlain, &progress, "psql:<stdin>:2: ERROR:  no\npsql:<stdin>:4: INFO:  db4sci\n");
        assert_eq!((report.failed, progress.answer(std::time::Duration::ZERO)), (1, Some(false)));
        // A failure of an earlier statement was still in transit.
        progress.ask((12, 13), 15);
        let (report, _) =
            read(Format::PgPlain, &progress, "psql:<stdin>:11: ERROR:  no\npsql:<stdin>:15: INFO:  db4sci\n");
        assert_eq!((report.failed, progress.answer(std::time::Duration::ZERO)), (1, Some(true)));
    }

    #[test]
    fn output_of_pg_restore_is_parsed() {
        let said = "pg_restore: from TOC entry 5; 1259 TABLE t\npg_restore: error: could not execute query: ERROR:  role \"x\" does not exist\nCommand was: ALTER TABLE t;\nmore of it\n\npg_restore: warning: errors ignored on restore: 1\n";
        let (report, words) = read(Format::PgCustom, &LoadProgress::default(), said);
        assert_eq!((report.failed, report.failures[0].statement.as_str()), (1, "ALTER TABLE t;"), "{report:?}");
        assert_eq!(words, "pg_restore: warning: errors ignored on restore: 1\n", "by which its end is known");
    }

    #[test]
    fn output_of_mongorestore_is_parsed() {
        let said = "2026-11-27T05:00:00.000+0000\tpreparing collections to restore from\n\
                    2026-11-27T05:00:00.000+0000\tcontinuing through error: E11000 duplicate key error collection: d.c\n\
                    2026-11-27T05:00:01.000+0000\t5 document(s) restored successfully. 3 document(s) failed to restore.\n";
        let (report, _) = read(Format::MongoArchive, &LoadProgress::default(), said);
        assert_eq!((report.failed, report.failures.len()), (3, 1), "{report:?}");
        let said = "2026-11-27T05:00:01.000+0000\t5 document(s) restored successfully. 1 document(s) failed to restore.\n\
                    db4sci\ttold: The index i of c: the option safe: null was left out.\n\
                    db4sci\tcontinuing through error: The index j of c was not made: E11000\n";
        let (later, _) = read(Format::MongoArchive, &LoadProgress::default(), said);
        assert_eq!((later.failed, later.told.len()), (2, 1), "{later:?}");
        assert!(report.failures[0].text.starts_with("E11000") && report.sentence().contains("3 documents failed"));
        let said = "2026-11-27T05:00:00.000+0000\tFailed: corruption found in archive\n";
        assert_eq!(
            read(Format::MongoArchive, &LoadProgress::default(), said).1,
            "Failed: corruption found in archive\n"
        );
    }

    #[test]
    fn all_failures_are_counted_and_the_first_hundred_kept() {
        let said = "ERROR 1064 (42000) at line 3: no\n".repeat(1000);
        let (report, _) = read(Format::MariaSql, &LoadProgress::default(), &said);
        assert_eq!((report.failed, report.failures.len()), (1000, MOST));
    }
}
