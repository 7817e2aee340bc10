//! Rewrites dumps while they are streamed from the store into a server, as the engine's description requires. What was
//! changed is reported after the last byte.

use std::io;
use std::io::Read;

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use crate::domain::stream_error::StreamError;
use crate::engine::mariadb::{Rewritten, becomes};
use crate::engine::partial::Transform;
use crate::runtime::Input;
use crate::sql::splitter::Splitter;
use crate::sql::to_mariadb::changes::ChangeCounts;
use crate::sql::to_mariadb::pour;
use crate::sql::to_mariadb::rewrite::RewriteRules;
use crate::sql::{Dialect, PieceKind};
use crate::tasks;

/// Maximum size of an account statement in bytes.
const LONGEST: usize = 64 * 1024;
/// Maximum size of a part that the portal reads completely before it continues, in bytes.
const SHORT: usize = 64 * 1024 * 1024;
/// Maximum number of notes about accounts.
const REMARKS: usize = 50;

/// Chunks buffered between two stages.
const WAITING: usize = 8;

/// Resolves to what was changed.
pub(crate) type ChangeNotes = futures::future::BoxFuture<'static, Vec<String>>;

/// The dump as the command gets it. `token` must be a word that occurs in no dump.
pub(crate) fn through(input: Input, how: &Transform, token: &str) -> (Input, ChangeNotes) {
    match how {
        Transform::AsItIs => (input, std::future::ready(Vec::new()).boxed()),
        Transform::Statements(rules) => {
            let (input, told) = rewritten(input, rules.clone(), token.to_owned());
            (input, async move { told.await.map(|t| t.sentences()).unwrap_or_default() }.boxed())
        }
        Transform::Records { older } => {
            let older = *older;
            let checked = async move {
                let whole = short(input).await?;
                crate::engine::records(older, &whole).map(Bytes::from).map_err(StreamError::refused)
            };
            (stream::once(checked).boxed(), std::future::ready(Vec::new()).boxed())
        }
        Transform::Accounts(admin) => {
            let (input, told) = accounts(input, admin.clone());
            (input, async move { told.await.unwrap_or_default() }.boxed())
        }
    }
}

/// Reads a short input to the end.
async fn short(mut input: Input) -> Result<Vec<u8>, StreamError> {
    let mut whole = Vec::new();
    while let Some(piece) = input.next().await {
        whole.extend_from_slice(&piece?);
        if whole.len() > SHORT {
            let text = format!("A part of this backup exceeds {SHORT} bytes and was rejected.");
            return Err(StreamError::refused(text));
        }
    }
    Ok(whole)
}

fn accounts(input: Input, admin: String) -> (Input, oneshot::Receiver<Vec<String>>) {
    let (out, pieces) = mpsc::channel(WAITING);
    let (tell, told) = oneshot::channel();
    let reader = read_from(input);
    tasks::blocking(move || {
        // No statement is executed unless all are understood.
        match statements(reader, &admin) {
            Ok((text, notes)) => {
                if out.blocking_send(Ok(Bytes::from(text))).is_ok() {
                    // The receiver may have been dropped.
                    drop(tell.send(notes));
                }
            }
            Err(e) => drop(out.blocking_send(Err(StreamError::from(e)))),
        }
    });
    (arriving(pieces), told)
}

/// Statements that recreate the accounts of a backup, and notes.
fn statements(from: impl io::Read, admin: &str) -> io::Result<(String, Vec<String>)> {
    let (mut pieces, mut text, mut notes) = (Splitter::new(from, Dialect::Mysql), String::new(), Vec::new());
    // A GRANT must not create an account that could not be created before: it would have no password.
    text.push_str("SET SESSION sql_mode = 'NO_AUTO_CREATE_USER';\n");
    while let Some(piece) = pieces.next_piece()? {
        if piece.kind != PieceKind::Statement {
            continue;
        }
        if !piece.first || !piece.last || piece.text.len() > LONGEST {
            return Err(io::Error::other("This backup contains an account statement that is too long."));
        }
        match becomes(piece.text, admin).map_err(io::Error::other)? {
            Rewritten::Nothing => {}
            Rewritten::Statement(statement) => text.push_str(&statement),
            Rewritten::Withheld(statement, why) => {
                text.push_str(&statement.unwrap_or_default());
                if notes.len() < REMARKS {
                    notes.push(why);
                }
            }
        }
    }
    Ok((text, notes))
}

/// Rewrites the statements of a dump according to `rules`, and reports what was changed after the last byte.
/// `delimiter` is a word of at most 15 characters that occurs in none of the statements. Line numbers stay the same,
/// except for one line added before the first.
pub fn rewritten(input: Input, rules: RewriteRules, delimiter: String) -> (Input, oneshot::Receiver<ChangeCounts>) {
    let (out, pieces) = mpsc::channel(WAITING);
    let (tell, told) = oneshot::channel();
    let reader = read_from(input);
    tasks::blocking(move || {
        let send = |piece: Vec<u8>| out.blocking_send(Ok(Bytes::from(piece))).map_err(|_| gone());
        match pour(reader, &rules, &delimiter, send) {
            // The receiver may have been dropped.
            Ok(done) => drop(tell.send(done)),
            Err(e) => drop(out.blocking_send(Err(StreamError::from(e)))),
        }
    });
    (arriving(pieces), told)
}

/// Turns chunks sent by another task into an input.
fn arriving(pieces: mpsc::Receiver<Result<Bytes, StreamError>>) -> Input {
    stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|p| (p, pieces)) }).boxed()
}

/// The error when the reader has ended.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "The command in the container ended before reading all input.")
}

/// Turns an input into a reader for a blocking thread. The task that feeds it ends with it.
pub fn read_from(mut input: Input) -> impl Read + Send + 'static {
    let (out, pieces) = mpsc::channel(WAITING);
    tasks::spawn(async move {
        while let Some(piece) = input.next().await {
            if out.send(piece).await.is_err() {
                break;
            }
        }
    });
    PieceReader { pieces, now: Bytes::new() }
}

pub(crate) struct PieceReader {
    pieces: mpsc::Receiver<Result<Bytes, StreamError>>,
    now: Bytes,
}

impl Read for PieceReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.now = piece,
                Some(Err(e)) => return Err(io::Error::other(e)),
                None => return Ok(0),
            }
        }
        let n = self.now.len().min(into.len());
        let piece = self.now.split_to(n);
        if let Some(room) = into.get_mut(..n) {
            room.copy_from_slice(&piece);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use crate::backup::pipeline::rewrite::*;

    #[test]
    fn only_account_statements_of_older_portals_are_accepted() {
        let old = "SET SESSION sql_mode = '';\nDROP ROLE IF EXISTS `readers`;\nCREATE ROLE `readers`;\nDROP USER IF EXISTS 'ada'@'%';\n\
                   CREATE USER `ada`@`%` IDENTIFIED BY PASSWORD '*D9';\nGRANT USAGE ON *.* TO `ada`@`%` IDENTIFIED BY PASSWORD '*D9';\n\
                   GRANT ALL PRIVILEGES ON `trial`.* TO `ada`@`%`;\nGRANT SUPER ON *.* TO `ada`@`%`;\n-- end of users and roles\n";
        let (text, notes) = statements(old.as_bytes(), "root").unwrap();
        assert_eq!(text.lines().count(), 7, "{text}");
        assert!(text.lines().skip(1).all(|l| l.starts_with("EXECUTE IMMEDIATE CONCAT('")), "{text}");
        assert!(notes.len() == 1 && notes[0].contains("SUPER"), "{notes:?}");
        let attacked = old.replace("-- end", "UPDATE mysql.global_priv SET Priv = '{}';\n-- end");
        let why = statements(attacked.as_bytes(), "root").unwrap_err().to_string();
        assert!(why.contains("compromised") && why.contains("UPDATE mysql.global_priv"), "{why}");
    }
}
