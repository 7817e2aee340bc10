//! Parses what a command in a container reports, and collects its messages. Users can influence both, so everything is
//! read with limits.

use crate::backup::pipeline::messages::Words;
use crate::engine::backup::{DumpSum, MARK, ReportLine};
use crate::engine::definition::{Definition, DefinitionSplitter, SQL_MARK};
use crate::engine::part::Count;

/// Maximum length of a report line.
const LINE: usize = 1024 * 1024;
/// Bytes of a line after which it is examined: a longer line is either a report or passed on in chunks.
const PIECE: usize = 64 * 1024;
/// The error for longer lines.
const TOO_LONG: &str = "The container reported a line longer than 1 MiB.";
/// Maximum number of counts.
const COUNTS: usize = 200_000;
/// Maximum number of definitions: 10,000 tables have about 50,000.
const DEFINITIONS: usize = 500_000;
/// Maximum number of notes, and of the bytes of each.
const NOTES: (usize, usize) = (200, 4096);
/// Maximum number of faults kept. They have the same length limit as notes.
const FAULTS: usize = 100;
/// Maximum size of the messages for people, in bytes. A command that exceeds it would never stop.
const MOST_WORDS: u64 = 64 * 1024 * 1024;
/// Maximum size of the reports, in bytes.
const MOST_REPORTS: u64 = 2 * 1024 * 1024 * 1024;

/// How the current line is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum LineUse {
    /// Not known yet, or a report.
    #[default]
    Held,
    /// Its beginning was passed to the splitter, so the rest is too.
    Sql,
    /// Its beginning was a message, so the rest is too.
    Words,
}

/// The current line of one output.
#[derive(Debug, Default)]
struct PendingLine {
    text: Vec<u8>,
    used: LineUse,
}

/// One of the outputs of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The reports of a command, and its messages for people.
#[derive(Default)]
pub struct Reports {
    split: Option<Box<dyn DefinitionSplitter>>,
    /// Whether standard error contains only messages, even if they look like reports.
    only_words: bool,
    /// One per output, so that neither gets into the middle of the other's lines.
    out: PendingLine,
    err: PendingLine,
    words: Words,
    said: u64,
    reported: u64,
    /// Reported checksums of dumps.
    pub sums: Vec<DumpSum>,
    /// Reported counts.
    pub counts: Vec<Count>,
    /// Reported definitions.
    pub definitions: Vec<Definition>,
    /// Reported notes.
    pub notes: Vec<String>,
    /// Reported changes to the input.
    pub changed: Vec<String>,
    /// Whether the counts may be from another moment than the dump.
    pub inexact: bool,
    /// Reported faults.
    pub faults: Vec<String>,
    /// Why the dump is to be made again.
    pub again: Option<String>,
    /// What was altered during the dump.
    pub altered: Option<String>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").field("sums", &self.sums).field("counts", &self.counts.len()).finish_non_exhaustive()
    }
}

impl Reports {
    /// For a command that may print the text of definitions.
    pub(crate) fn of(split: Option<Box<dyn DefinitionSplitter>>) -> Self {
        Self { split, ..Self::default() }
    }

    /// For a command that reports on standard output only. Its standard error may contain text from users: a function
    /// of an owner can raise a warning of several lines, one of which looks like a report.
    #[must_use]
    pub(crate) fn on_stdout(mut self) -> Self {
        self.only_words = true;
        self
    }

    /// Reads a chunk of output.
    pub(crate) fn take(&mut self, output: Output, piece: &[u8]) -> Result<(), String> {
        if self.only_words && output == Output::Err {
            return self.say(piece, false);
        }
        let mut line = std::mem::take(self.line_of(output));
        for part in piece.split_inclusive(|b| *b == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            line.text.extend_from_slice(text);
            if ends {
                self.use_line(&mut line, true)?;
                line.used = LineUse::Held;
            } else if line.text.len() >= PIECE {
                self.pass_on(&mut line)?;
            }
        }
        *self.line_of(output) = line;
        Ok(())
    }

    fn line_of(&mut self, output: Output) -> &mut PendingLine {
        match output {
            Output::Out => &mut self.out,
            Output::Err => &mut self.err,
        }
    }

    /// Ends the last lines, and the object they belong to.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        for mut line in [std::mem::take(&mut self.out), std::mem::take(&mut self.err)] {
            if !line.text.is_empty() {
                self.use_line(&mut line, true)?;
            }
        }
        if let Some(split) = &mut self.split {
            split.end(&mut self.definitions);
        }
        Ok(())
    }

    /// Passes on the beginning of a long line that need not be read as a whole.
    fn pass_on(&mut self, line: &mut PendingLine) -> Result<(), String> {
        if line.used == LineUse::Held && line.text.starts_with(MARK.as_bytes()) {
            return if line.text.len() > LINE { Err(TOO_LONG.to_owned()) } else { Ok(()) };
        }
        self.use_line(line, false)
    }

    fn use_line(&mut self, line: &mut PendingLine, ends: bool) -> Result<(), String> {
        let text = std::mem::take(&mut line.text);
        match line.used {
            LineUse::Sql => return self.sql(&text, false),
            LineUse::Words => return self.say(&text, ends),
            LineUse::Held => {}
        }
        if let Some(sql) = text.strip_prefix(SQL_MARK.as_bytes()) {
            line.used = LineUse::Sql;
            return self.sql(sql, true);
        }
        if !text.starts_with(MARK.as_bytes()) {
            line.used = LineUse::Words;
            return self.say(&text, ends);
        }
        if text.len() > LINE {
            return Err(TOO_LONG.to_owned());
        }
        self.count_bytes(text.len())?;
        match ReportLine::read(String::from_utf8_lossy(&text).trim_end()) {
            Some(report) => self.keep(report?),
            None => Ok(()),
        }
    }

    fn say(&mut self, text: &[u8], ends: bool) -> Result<(), String> {
        self.words.add(text);
        if ends {
            self.words.add(b"\n");
        }
        self.said = self.said.saturating_add(text.len() as u64 + u64::from(ends));
        if self.said > MOST_WORDS {
            return Err(format!("The command in the container prints too much. Output began with: {}", self.words()));
        }
        Ok(())
    }

    fn sql(&mut self, text: &[u8], begins: bool) -> Result<(), String> {
        self.count_bytes(text.len())?;
        let Some(split) = &mut self.split else {
            return Err("The container reported definitions that were not requested.".to_owned());
        };
        split.read(text, begins, &mut self.definitions);
        limited(self.definitions.len(), DEFINITIONS, "definitions")
    }

    fn count_bytes(&mut self, more: usize) -> Result<(), String> {
        self.reported = self.reported.saturating_add(more as u64 + 1);
        if self.reported > MOST_REPORTS { Err("The container reports too much.".to_owned()) } else { Ok(()) }
    }

    fn keep(&mut self, report: ReportLine) -> Result<(), String> {
        match report {
            ReportLine::Sum(sum) => {
                self.sums.push(sum);
                // Exactly one is correct; the caller rejects more.
                self.sums.truncate(2);
            }
            ReportLine::Count(count) | ReportLine::Counted(count) => {
                // The portal's own queries use such words only. Anything else comes from someone else.
                let word = count.kind.len() <= 40 && count.kind.bytes().all(|b| b.is_ascii_lowercase() || b == b' ');
                if !word {
                    return Err("The container reported a count of an unknown kind.".to_owned());
                }
                let (database, name) = (plain(&count.database), plain(&count.name));
                self.counts.push(Count { database, name, ..count });
                return limited(self.counts.len(), COUNTS, "counts");
            }
            ReportLine::Definition(reported) | ReportLine::Defined(reported) => {
                let found = reported.definition()?;
                self.definitions.push(Definition { name: plain(&found.name), ..found });
                return limited(self.definitions.len(), DEFINITIONS, "definitions");
            }
            ReportLine::Note(note) => push(&mut self.notes, &note, NOTES.0),
            ReportLine::Inexact(why) => {
                self.inexact = true;
                push(&mut self.notes, &why, NOTES.0);
            }
            ReportLine::Fault(fault) => push(&mut self.faults, &fault, FAULTS),
            ReportLine::Again(why) => self.again = Some(plain(&why)),
            ReportLine::Altered(what) => self.altered = Some(plain(&what)),
        }
        Ok(())
    }

    /// Its messages for people.
    pub fn words(&self) -> String {
        let said = self.words.text();
        if said.is_empty() { "nothing".to_owned() } else { plain(&said) }
    }
}

/// Replaces zero bytes, which mydb_admin cannot store.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn limited(has: usize, most: usize, what: &str) -> Result<(), String> {
    if has > most { Err(format!("The container reported more than {most} {what}.")) } else { Ok(()) }
}

/// Adds a text unless there are too many. The last one says that there are more.
fn push(texts: &mut Vec<String>, text: &str, most: usize) {
    let mut text = plain(text);
    if texts.len() >= most {
        return;
    }
    if texts.len() + 1 == most {
        "There are more than can be recorded.".clone_into(&mut text);
    }
    if text.len() > NOTES.1 {
        text.truncate(text.floor_char_boundary(NOTES.1));
        text.push('…');
    }
    texts.push(text);
}

#[cfg(test)]
mod tests {
    use crate::backup::pipeline::messages::WORDS;
    use crate::backup::pipeline::reports::*;

    fn told(pieces: &[&[u8]]) -> Result<Reports, String> {
        let mut reports = Reports::default();
        for piece in pieces {
            reports.take(Output::Err, piece)?;
        }
        reports.end()?;
        Ok(reports)
    }

    #[test]
    fn lines_may_be_split_into_any_chunks() {
        let text = b"words\ndb4sci: {\"note\":\"a\"}\nmore\ndb4sci: {\"note\":\"b\"}";
        for at in 0..text.len() {
            let (a, b) = text.split_at(at);
            let reports = told(&[a, b]).unwrap();
            assert_eq!(
                (reports.notes.as_slice(), reports.words().as_str()),
                (&["a".to_owned(), "b".to_owned()][..], "words\nmore")
            );
        }
    }

    #[test]
    fn standard_output_and_error_do_not_mix() {
        let mut reports = Reports::default();
        reports.take(Output::Out, b"db4sci: {\"note\":").unwrap();
        reports.take(Output::Err, b"a warning\n").unwrap();
        reports.take(Output::Out, b"\"x\"}\n").unwrap();
        assert_eq!((reports.notes.as_slice(), reports.words().as_str()), (&["x".to_owned()][..], "a warning"));
    }

    #[test]
    fn only_known_kinds_of_counts_are_accepted() {
        for (kind, fine) in [("materialized view", true), ("x\\n$(id)", false), ("Table", false), ("", true)] {
            let line = format!("db4sci: {{\"count\":{{\"kind\":\"{kind}\",\"name\":\"t\",\"rows\":1}}}}\n");
            assert_eq!(told(&[line.as_bytes()]).is_ok(), fine, "{kind}");
        }
    }

    #[test]
    fn zero_bytes_are_replaced_in_all_reports() {
        let reports = told(&[b"a\0b\ndb4sci: {\"note\":\"c\\u0000d\"}\n"]).unwrap();
        assert_eq!((reports.words().as_str(), reports.notes[0].as_str()), ("a\u{fffd}b", "c\u{fffd}d"));
    }

    #[test]
    fn other_output_is_not_taken_for_reports() {
        let mut reports = Reports::default().on_stdout();
        let forged = b"WARNING:  x\ndb4sci: {\"fault\":\"forged\"}\ndb4sci-sql CREATE\n";
        forged.chunks(7).for_each(|piece| reports.take(Output::Err, piece).unwrap());
        reports.take(Output::Out, b"db4sci: {\"note\":\"true\"}\n").unwrap();
        reports.end().unwrap();
        assert_eq!((reports.faults.len(), reports.notes.as_slice()), (0, &["true".to_owned()][..]));
        assert!(reports.words().contains("forged"));
        for _ in 0..65 {
            let piece = vec![b'x'; 1024 * 1024];
            if reports.take(Output::Err, &piece).is_err() {
                return;
            }
        }
        panic!("it may print without end");
    }

    #[test]
    fn the_beginning_and_end_of_long_messages_are_kept() {
        let middle = vec![b'-'; 100_000];
        let reports = told(&[b"the reason\n", &middle, b"\nthe end\n"]).unwrap();
        let words = reports.words();
        assert!(
            words.starts_with("the reason\n") && words.ends_with("the end") && words.contains("left out"),
            "{words}"
        );
        assert!(words.len() < 3 * WORDS);
        assert_eq!(told(&[]).unwrap().words(), "nothing");
    }

    #[test]
    fn endless_output_is_not_kept() {
        let piece = vec![b'x'; 1024 * 1024];
        let endless: Vec<&[u8]> = vec![&piece; 65];
        assert!(told(&endless).unwrap_err().contains("too much"));
        let mut report = b"db4sci: {\"note\":\"".to_vec();
        report.extend_from_slice(&piece);
        assert_eq!(told(&[&report]).unwrap_err(), TOO_LONG);
        report.extend_from_slice(b"\"}\n");
        assert_eq!(told(&[&report]).unwrap_err(), TOO_LONG);
        let note = b"db4sci: {\"note\":\"n\"}\n".repeat(1000);
        assert_eq!(told(&[&note]).unwrap().notes.len(), NOTES.0);
        let count = b"db4sci: {\"count\":{\"kind\":\"table\",\"name\":\"t\",\"rows\":1}}\n".repeat(COUNTS + 1);
        assert!(told(&[&count]).unwrap_err().contains("more than 200000 counts"));
        assert!(told(&[b"db4sci-sql CREATE\n"]).unwrap_err().contains("not requested"));
    }

    /// Counts the calls and their bytes.
    #[derive(Default)]
    struct Counting(usize, usize);

    impl DefinitionSplitter for Counting {
        fn read(&mut self, piece: &[u8], begins: bool, _found: &mut Vec<Definition>) {
            self.0 += piece.len();
            self.1 += usize::from(begins);
        }
        fn end(&mut self, found: &mut Vec<Definition>) {
            found.push(Definition::of("", "bytes", &format!("{} in {}", self.0, self.1), ""));
        }
    }

    #[test]
    fn long_schema_lines_are_passed_on_in_chunks() {
        let mut reports = Reports::of(Some(Box::new(Counting::default())));
        reports.take(Output::Err, b"db4sci-sql ").unwrap();
        for _ in 0..50 {
            reports.take(Output::Err, &vec![b'x'; 100_000]).unwrap();
        }
        reports.take(Output::Err, b"\ndb4sci-sql y\n").unwrap();
        reports.end().unwrap();
        assert_eq!(reports.definitions[0].name, "5000001 in 2");
    }
}
