//! Dumps that are changed on their way from the store into a server, as the engine's description says. What was changed is
//! told once all of it has passed.

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

/// Longest statement of accounts.
const LONGEST: usize = 64 * 1024;
/// Longest part that the portal reads itself before it goes on.
const SHORT: usize = 64 * 1024 * 1024;
/// Most remarks about accounts.
const REMARKS: usize = 50;

/// Pieces that wait between two stages.
const WAITING: usize = 8;

/// What was changed.
pub(crate) type ChangeNotes = futures::future::BoxFuture<'static, Vec<String>>;

/// The dump as the command gets it. `token` is a word that is in no dump.
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

/// Reads a short input to its end.
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
        // Nothing of it is run unless all of it is understood.
        match statements(reader, &admin) {
            Ok((text, notes)) => {
                if out.blocking_send(Ok(Bytes::from(text))).is_ok() {
                    // Nobody may be waiting for it.
                    drop(tell.send(notes));
                }
            }
            Err(e) => drop(out.blocking_send(Err(StreamError::from(e)))),
        }
    });
    (arriving(pieces), told)
}

/// Statements for the accounts of a backup, and remarks.
fn statements(from: impl io::Read, admin: &str) -> io::Result<(String, Vec<String>)> {
    let (mut pieces, mut text, mut notes) = (Splitter::new(from, Dialect::Mysql), String::new(), Vec::new());
    // A right must not make an account that could not be made: it would have no password.
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

/// A dump with its statements changed as `rules` say, and what was changed once all of it has passed. `delimiter` is a word
/// of at most 15 characters that is in none of its statements. All lines stay where they are but for one before the first.
pub fn rewritten(input: Input, rules: RewriteRules, delimiter: String) -> (Input, oneshot::Receiver<ChangeCounts>) {
    let (out, pieces) = mpsc::channel(WAITING);
    let (tell, told) = oneshot::channel();
    let reader = read_from(input);
    tasks::blocking(move || {
        let send = |piece: Vec<u8>| out.blocking_send(Ok(Bytes::from(piece))).map_err(|_| gone());
        match pour(reader, &rules, &delimiter, send) {
            // Nobody may be waiting for it.
            Ok(done) => drop(tell.send(done)),
            Err(e) => drop(out.blocking_send(Err(StreamError::from(e)))),
        }
    });
    (arriving(pieces), told)
}

/// The pieces that another task sends, as an input.
fn arriving(pieces: mpsc::Receiver<Result<Bytes, StreamError>>) -> Input {
    stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|p| (p, pieces)) }).boxed()
}

/// The reader has ended.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "The command in the container ended before reading all input.")
}

/// An input as something that can be read where waiting holds nobody up. The task that feeds it ends with it.
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
    fn what_an_older_portal_wrote_is_read_and_nothing_else() {
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
