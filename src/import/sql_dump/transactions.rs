//! The transactions of a dump for PostgreSQL. If one of their statements fails, the server undoes all of them, which it does
//! not report.

use crate::manifest::dump::LoadFailure;
use crate::sql::Dialect;
use crate::sql::tokens::tokens;

/// Maximum number of transactions to record.
const MOST: usize = 100_000;
/// Maximum number of undone transactions to name.
const NAMED: usize = 10;

/// A transaction that the dump has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Its first and its last line in the dump.
    pub lines: (u64, u64),
    /// Number of statements between its beginning and its end.
    pub statements: u64,
    /// Whether it returns to a savepoint, which makes up for statements that failed.
    pub returns: bool,
}

/// Follows the transactions of a dump.
#[derive(Debug, Default)]
pub struct TransactionFollower {
    open: Option<Transaction>,
    ended: Vec<Transaction>,
}

impl TransactionFollower {
    /// Takes note of the statement in this line.
    pub fn statement(&mut self, statement: &[u8], line: u64) {
        let found = tokens(statement, Dialect::Postgres);
        let first = |words: &[&str]| found.first().is_some_and(|t| words.iter().any(|w| t.is(w)));
        // ROLLBACK TO a savepoint ends nothing.
        let to_savepoint = found.iter().take(4).any(|t| t.is("TO"));
        let begun = Transaction { lines: (line, line), statements: 0, returns: false };
        // The end of a chained transaction begins the next one.
        let next = match found.iter().position(|t| t.is("CHAIN")).and_then(|at| at.checked_sub(1)) {
            Some(before) if found.get(before).is_some_and(|t| t.is("AND")) => Some(begun),
            _ => None,
        };
        match &mut self.open {
            None if first(&["BEGIN", "START"]) => {
                self.open = Some(begun);
            }
            None => {}
            // What the dump undoes itself is not lost.
            Some(_) if first(&["ROLLBACK", "ABORT"]) && !to_savepoint => self.open = next,
            Some(open) if first(&["COMMIT", "END"]) => {
                open.lines.1 = line;
                if self.ended.len() < MOST {
                    self.ended.push(*open);
                }
                self.open = next;
            }
            Some(open) => {
                open.lines.1 = line;
                open.statements += 1;
                open.returns |= first(&["ROLLBACK"]);
            }
        }
    }

    /// The line of a transaction that the dump has not ended.
    pub fn unended(&self) -> Option<u64> {
        self.open.map(|open| open.lines.0)
    }

    /// All transactions, at the end of the dump.
    pub fn all(self) -> Vec<Transaction> {
        self.ended.into_iter().chain(self.open).collect()
    }
}

/// Sentences about the transactions that the server has undone, because a statement in them failed. Where a transaction
/// returns to a savepoint, it is not known whether that was after the failure.
pub fn undone(transactions: &[Transaction], failures: &[LoadFailure]) -> Vec<String> {
    let failed: Vec<u64> = failures.iter().filter_map(|failure| failure.line).collect();
    let undone: Vec<&Transaction> = transactions
        .iter()
        .filter(|t| !t.returns && failed.iter().any(|line| (t.lines.0..=t.lines.1).contains(line)))
        .collect();
    let mut told: Vec<String> = undone
        .iter()
        .take(NAMED)
        .map(|t| {
            format!(
                "A statement of the transaction in lines {} to {} failed, so the server undid all statements in it: {}.",
                t.lines.0, t.lines.1, t.statements
            )
        })
        .collect();
    if undone.len() > NAMED {
        told.push(format!("{} more transactions were undone.", undone.len() - NAMED));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chained_transaction_begins_with_the_end_of_the_one_before() {
        let follow = |statements: &[&str]| {
            let mut follower = TransactionFollower::default();
            for (line, text) in (1..).zip(statements) {
                follower.statement(text.as_bytes(), line);
            }
            let unended = follower.unended();
            (unended, follower.all().iter().map(|t| (t.lines, t.statements)).collect::<Vec<_>>())
        };
        let rows = "INSERT INTO a VALUES (1)";
        let chained = follow(&["BEGIN", rows, "COMMIT WORK AND CHAIN", rows, rows]);
        assert_eq!(chained, (Some(3), vec![((1, 3), 1), ((3, 5), 2)]));
        assert_eq!(follow(&["BEGIN", rows, "end and chain", "COMMIT"]).1, [((1, 3), 1), ((3, 4), 0)]);
        assert_eq!(follow(&["BEGIN", rows, "ROLLBACK AND CHAIN", rows, "COMMIT"]), (None, vec![((3, 5), 1)]));
        let ended = [((1, 3), 1)].to_vec();
        for end in ["COMMIT AND NO CHAIN", "COMMIT", "END TRANSACTION"] {
            assert_eq!(follow(&["BEGIN", rows, end, rows]), (None, ended.clone()), "{end}");
        }
        assert_eq!(follow(&["COMMIT AND CHAIN", rows]), (None, vec![]), "nothing was open");
    }

    #[test]
    fn a_failure_rolls_back_its_transaction() {
        let mut follower = TransactionFollower::default();
        for (line, text) in (1..).zip([
            "CREATE TABLE a (i int)",
            "BEGIN",
            "INSERT INTO a VALUES (1)",
            "SAVEPOINT s",
            "ROLLBACK TO s",
            "COMMIT",
            "start transaction",
            "INSERT INTO a VALUES (2)",
            "END",
            "BEGIN",
            "ROLLBACK",
            "BEGIN",
            "INSERT INTO a VALUES (3)",
        ]) {
            follower.statement(text.as_bytes(), line);
        }
        assert_eq!(follower.unended(), Some(12));
        let all = follower.all();
        assert_eq!(
            all.iter().map(|t| (t.lines, t.statements)).collect::<Vec<_>>(),
            [((2, 6), 3), ((7, 9), 1), ((12, 13), 1)]
        );
        let failure = |line| LoadFailure { line: Some(line), ..LoadFailure::default() };
        assert!(undone(&all, &[failure(1), failure(10)]).is_empty());
        assert_eq!(
            undone(&all, &[failure(8)]),
            ["A statement of the transaction in lines 7 to 9 failed, so the server undid all statements in it: 1."]
        );
    }
}
