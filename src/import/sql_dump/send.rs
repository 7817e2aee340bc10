//! Sends an SQL dump to the tool that runs it: the statements of one of its databases, each terminated so that the tool
//! cannot mistake where it ends, without server-wide statements and without commands of the tool itself.

use std::borrow::Cow;
use std::io::Read;

use crate::import::sql_dump::copy_rows::CopyRows;
use crate::import::sql_dump::output::{EarlyEnd, Out, ToolInput};
use crate::import::sql_dump::sent_statements::{LoadProgress, SentStatement, beginning};
use crate::import::sql_dump::transactions::{Transaction, TransactionFollower};
use crate::import::sql_dump::unknown_encoding::{AS_UTF8, leaves_open};
use crate::manifest::dump::LoadFailure;
use crate::sql::classify::Meaning;
use crate::sql::client_charset::ClientCharset;
use crate::sql::connect::{Command, command};
use crate::sql::contents::DatabaseFollower;
use crate::sql::splitter::Splitter;
use crate::sql::to_mariadb::{ChangeCounts, HistoryRows, LONGEST, RewriteRules, is_data, renamed, rewrite};
use crate::sql::{Dialect, DumpPiece, PieceKind};

/// Maximum number of server-wide statements to quote.
const QUOTED: usize = 5;

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// The dialect of the dump.
    pub dialect: Dialect,
    /// The database of the dump; empty for the part that names none.
    pub source: String,
    /// A random word unknown to the author of the dump.
    pub lock: String,
    /// How statements of MySQL are rewritten so that their owner can run them.
    pub rules: Option<RewriteRules>,
}

/// Statements that were not sent because they apply to the whole server.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// Number of statements.
    pub count: u64,
    /// The first of these statements.
    pub first: Vec<String>,
    /// Changes to other statements, in sentences.
    pub told: Vec<String>,
    /// The transactions of a dump for PostgreSQL.
    pub transactions: Vec<Transaction>,
}

/// Sends the dump in `from`.
pub fn send(from: impl Read, what: &SendOptions, progress: &LoadProgress, out: &Out) -> Result<LeftOut, String> {
    let mut sending = Sending {
        what,
        progress,
        input: ToolInput::new(what.dialect, out),
        follower: DatabaseFollower::new(what.dialect),
        begun: None,
        passes: false,
        rows: CopyRows::default(),
        left_out: LeftOut::default(),
        transactions: TransactionFollower::default(),
        charset: ClientCharset::default(),
        told: ChangeCounts::default(),
        whole: None,
        history: HistoryRows::new(what.rules.as_ref().and_then(|rules| rules.last_moment)),
    };
    match sending.all(from) {
        Ok(()) | Err(EarlyEnd::Gone) => {
            let unended = std::mem::take(&mut sending.left_out.told);
            let told = sending.told.sentences().into_iter().chain(sending.input.told()).chain(unended).collect();
            Ok(LeftOut { told, transactions: sending.transactions.all(), ..sending.left_out })
        }
        Err(EarlyEnd::Bad(why)) => Err(why),
    }
}

/// What became of a piece of a statement.
enum Collecting {
    /// The statement is sent in pieces, or is in one piece.
    Pieces,
    /// Further pieces are needed.
    More,
    /// The whole statement.
    Whole(Vec<u8>),
}

struct Sending<'a> {
    what: &'a SendOptions,
    progress: &'a LoadProgress,
    input: ToolInput<'a>,
    follower: DatabaseFollower,
    /// The statement being sent.
    begun: Option<SentStatement>,
    /// Whether the current statement is sent.
    passes: bool,
    rows: CopyRows,
    left_out: LeftOut,
    transactions: TransactionFollower,
    /// The character set that the client uses.
    charset: ClientCharset,
    /// Changes to statements.
    told: ChangeCounts,
    /// The statement without rows that is collected, because it can only be rewritten as a whole.
    whole: Option<Vec<u8>>,
    history: HistoryRows,
}

impl Sending<'_> {
    fn all(&mut self, from: impl Read) -> Result<(), EarlyEnd> {
        let first = match self.what.dialect {
            Dialect::Postgres => format!("\\restrict {}\n", self.what.lock),
            Dialect::Mysql => format!("DELIMITER {}\n", self.delimiter()),
        };
        self.input.put(first.as_bytes())?;
        let mut pieces = Splitter::new(from, self.what.dialect);
        let cut = |e: std::io::Error| {
            EarlyEnd::Bad(format!("The dump cannot be read to the end: {e}. It may be truncated: create it again."))
        };
        // The line of a statement whose rows have not ended.
        let mut unfinished = None;
        while let Some(piece) = pieces.next_piece().map_err(cut)? {
            match piece.kind {
                PieceKind::Statement if piece.rows && piece.last => unfinished = Some(piece.line),
                PieceKind::Rows if piece.last && piece.ended => unfinished = None,
                _ => {}
            }
            if self.follower.look(&piece) {
                self.passes = false;
                continue;
            }
            match piece.kind {
                PieceKind::Space => {}
                PieceKind::Statement => self.statement(&piece)?,
                PieceKind::Command => self.command(&piece),
                PieceKind::Rows => self.rows.piece(&piece, &mut self.begun, &mut self.input, self.progress)?,
            }
        }
        // The server would take the rows that are left for all of them.
        if let Some(line) = unfinished {
            return Err(EarlyEnd::Bad(format!(
                "The dump is truncated: it ends within the rows of the statement in line {line}. Create it again."
            )));
        }
        // A dump may switch automatic commits off, or begin a transaction, and end without a commit.
        if let Some(line) = self.transactions.unended() {
            self.left_out
                .told
                .push(format!("The dump does not end the transaction that begins in line {line}. A COMMIT was added."));
        }
        if self.what.dialect == Dialect::Mysql || self.transactions.unended().is_some() {
            self.input.put(b"COMMIT")?;
            self.end(true)?;
        }
        self.input.end()
    }

    /// The delimiter of statements. The client accepts at most 15 characters.
    fn delimiter(&self) -> String {
        format!("$${}", self.what.lock.get(..12).unwrap_or(&self.what.lock))
    }

    fn is_wanted(&self) -> bool {
        // Names in statements count only if all statements before the first USE have one.
        self.follower.now == self.what.source || self.what.source.is_empty() && !self.follower.named
    }

    /// Whether a new statement is sent.
    fn passes(&mut self, piece: &DumpPiece<'_>) -> bool {
        match (&self.follower.means, self.what.dialect) {
            (Meaning::Goes(_), _) => false,
            (Meaning::Database(_) | Meaning::Server, _) => {
                self.left_out.count += 1;
                if self.left_out.first.len() < QUOTED {
                    let text = beginning(piece.text);
                    self.left_out.first.push(format!(
                        "line {}: {}",
                        piece.line,
                        text.lines().next().unwrap_or_default()
                    ));
                }
                false
            }
            // A session continues from one database to the next, with its settings.
            (Meaning::Setting, Dialect::Mysql) => true,
            _ => self.is_wanted(),
        }
    }

    fn statement(&mut self, piece: &DumpPiece<'_>) -> Result<(), EarlyEnd> {
        if piece.first {
            self.passes = self.passes(piece);
            (self.begun, self.whole) = (None, None);
            if self.passes && self.what.dialect == Dialect::Postgres {
                self.transactions.statement(piece.text, piece.line);
            }
        }
        if !self.passes {
            if piece.rows {
                self.rows.skip();
            }
            return Ok(());
        }
        if piece.first {
            self.begun = Some(SentStatement {
                lines: (self.input.line, self.input.line),
                line: piece.line,
                text: beginning(piece.text),
            });
        }
        if piece.rows
            && piece.first
            && let Some(begun) = &mut self.begun
            && !self.rows.begin(piece, begun, &mut self.input, self.progress)?
        {
            return Ok(());
        }
        let what = self.what;
        if what.dialect == Dialect::Postgres
            && piece.first
            && let Some(open) = leaves_open(piece.text)
        {
            self.input.set_unknown_encoding(open);
            if open {
                self.input.put(AS_UTF8)?;
                return self.end(piece.ended);
            }
        }
        let collected = match self.collect(piece)? {
            Collecting::Pieces => None,
            Collecting::More => return Ok(()),
            Collecting::Whole(text) => Some(text),
        };
        let piece = &match &collected {
            Some(text) => DumpPiece { text, first: true, ..*piece },
            None => *piece,
        };
        if piece.first {
            self.history.begins(piece.text);
        }
        let text = match what.rules.as_ref().filter(|_| piece.first) {
            None => Cow::Borrowed(piece.text),
            // A statement in pieces contains rows. Only its beginning can name a database.
            Some(rules) if !piece.last => renamed(piece.text, &rules.places, &mut self.told),
            Some(rules) => match rewrite(piece.text, rules, &mut self.told) {
                Some(text) => text,
                None => {
                    self.passes = false;
                    return Ok(());
                }
            },
        };
        let text = self.history.piece(&text, piece.last);
        if what.dialect == Dialect::Mysql
            && piece.first
            && let Some(command) = self.charset.follow(&text)
        {
            self.input.put(command.as_bytes())?;
        }
        self.input.put(&text)?;
        if !piece.last {
            return Ok(());
        }
        // Record it before sending its end, because the response may arrive immediately. Rows that follow are part of
        // it.
        if !piece.rows
            && let Some(mut sent) = self.begun.take()
        {
            sent.lines.1 = self.input.line + u64::from(!piece.ended);
            self.progress.note(sent);
        }
        self.end(piece.ended)
    }

    /// Collects the pieces of a statement without rows.
    fn collect(&mut self, piece: &DumpPiece<'_>) -> Result<Collecting, EarlyEnd> {
        if piece.first && !piece.last && self.what.rules.is_some() && !is_data(piece.text) {
            self.whole = Some(Vec::new());
        }
        let Some(mut whole) = self.whole.take() else { return Ok(Collecting::Pieces) };
        if whole.len() + piece.text.len() > LONGEST {
            let (line, most) = (self.begun.as_ref().map_or(piece.line, |begun| begun.line), LONGEST >> 20);
            return Err(EarlyEnd::Bad(format!("The statement in line {line} is longer than {most} MiB.")));
        }
        whole.extend_from_slice(piece.text);
        if piece.last {
            return Ok(Collecting::Whole(whole));
        }
        self.whole = Some(whole);
        Ok(Collecting::More)
    }

    /// Terminates a statement. If the dump did not terminate it, a comment may extend to the end of its line.
    fn end(&mut self, ended: bool) -> Result<(), EarlyEnd> {
        if !ended {
            self.input.put(b"\n")?;
        }
        match self.what.dialect {
            Dialect::Postgres => self.input.put(b";\n"),
            Dialect::Mysql => self.input.put(format!("{}\n", self.delimiter()).as_bytes()),
        }
    }

    fn command(&mut self, piece: &DumpPiece<'_>) {
        if self.is_wanted() && command(piece.text) == Command::Other {
            let text = "psql meta-commands in dumps are not executed.".to_owned();
            let statement = beginning(piece.text).trim_end().to_owned();
            self.progress.keep_back(LoadFailure { line: Some(piece.line), text, statement, ..LoadFailure::default() });
        }
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
