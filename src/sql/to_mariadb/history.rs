//! Rows of system-versioned tables with their history. The end of a current row is the last moment that the server can
//! represent: in 2038 before MariaDB 11.5, in 2106 since then. Another server would take that for the end of a historical
//! row, and hide the row: <https://mariadb.com/kb/en/system-versioned-tables/>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::version::numbers;
use crate::sql::to_mariadb::lexer::{LexToken, TokenKind, tokens};

/// The last moment that a server can represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastMoment {
    /// Before MariaDB 11.5.
    In2038,
    /// Since MariaDB 11.5.
    In2106,
}

impl LastMoment {
    /// That of a server of this version.
    pub fn of(version: &str) -> Self {
        if numbers(version).is_some_and(|version| version >= (11, 5)) { Self::In2106 } else { Self::In2038 }
    }

    /// As in dumps, which set the time zone to UTC.
    fn text(self) -> &'static [u8] {
        match self {
            Self::In2038 => b"2038-01-19 03:14:07.999999",
            Self::In2106 => b"2106-02-07 06:28:15.999999",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::In2038 => Self::In2106,
            Self::In2106 => Self::In2038,
        }
    }
}

/// Length of `,'…')`, which is looked for.
const LONG: usize = 30;
/// Longest statement that is searched for the setting.
const LONGEST_SETTING: usize = 128 * 1024;

/// A table that the dump creates.
#[derive(Debug, Clone, Copy)]
struct CreatedTable {
    /// Whether it keeps its history.
    versioned: bool,
    /// Whether it names the column with the end, which may then be anywhere in a row. Otherwise it is the last one.
    named: bool,
}

/// Replaces the ends of current rows in a dump with history.
#[derive(Debug)]
pub struct HistoryRows {
    to: Option<LastMoment>,
    /// Whether the rows that follow may have a beginning and an end.
    within: bool,
    /// The tables that the dump has created so far, by their names.
    tables: BTreeMap<Vec<u8>, CreatedTable>,
    /// The table of the current statement, if its rows have a beginning and an end.
    current: Option<CreatedTable>,
    /// The end of the last piece, where a value may have been cut.
    tail: Vec<u8>,
}

impl HistoryRows {
    /// For a server with this last moment; without one, nothing is changed.
    pub fn new(to: Option<LastMoment>) -> Self {
        Self { to, within: false, tables: BTreeMap::new(), current: None, tail: Vec::new() }
    }

    /// Looks at a whole statement, or at the beginning of one with rows.
    pub fn begins(&mut self, text: &[u8]) {
        const SETTING: &[u8] = b"system_versioning_insert_history=";
        self.current = None;
        if self.to.is_none() {
            return;
        }
        if let Some(table) = filled(text) {
            // A dump without definitions does not say which tables keep their history.
            let unknown = CreatedTable { versioned: true, named: false };
            let table = self.tables.get(&table).copied().unwrap_or(unknown);
            self.current = Some(table).filter(|table| self.within && table.versioned);
            return;
        }
        if let Some((name, table)) = created(text) {
            self.tables.insert(name, table);
            return;
        }
        // mariadb-dump first keeps the setting in a variable, and later sets it to that.
        if text.len() <= LONGEST_SETTING
            && let Some(at) = text.windows(SETTING.len()).rposition(|w| w.eq_ignore_ascii_case(SETTING))
        {
            self.within = text.get(at + SETTING.len()) == Some(&b'1');
        }
    }

    /// A piece of a statement, which may be kept back in part until the last one.
    pub fn piece<'a>(&mut self, text: &'a [u8], last: bool) -> Cow<'a, [u8]> {
        let (Some(to), Some(CreatedTable { named, .. })) = (self.to, self.current) else { return Cow::Borrowed(text) };
        let mut whole = std::mem::take(&mut self.tail);
        whole.extend_from_slice(text);
        let (from, mut at) = (to.other().text(), 0);
        while let Some(found) = whole.get(at..).and_then(|rest| rest.windows(from.len()).position(|w| w == from)) {
            let (begin, end) = (at + found, at + found + from.len());
            let byte = |at: usize| whole.get(at).copied();
            let first = named && begin >= 2 && byte(begin - 2) == Some(b'(');
            let before = begin >= 2 && (first || byte(begin - 2) == Some(b',')) && byte(begin - 1) == Some(b'\'');
            let after =
                byte(end) == Some(b'\'') && (byte(end + 1) == Some(b')') || (named && byte(end + 1) == Some(b',')));
            if before && after {
                whole.splice(begin..end, to.text().iter().copied());
            }
            at = end;
        }
        if !last {
            self.tail = whole.split_off(whole.len().saturating_sub(LONG));
        }
        Cow::Owned(whole)
    }
}

/// The tokens that a server executes.
fn executed(text: &[u8]) -> impl Iterator<Item = LexToken> {
    tokens(text).filter(|t| !matches!(t.what, TokenKind::Comment | TokenKind::Executed))
}

/// The name of a table, without that of its database.
fn name(text: &[u8], mut from: impl Iterator<Item = LexToken>) -> Option<Vec<u8>> {
    let first = from.next()?.value(text)?;
    match from.next() {
        Some(dot) if dot.is_mark(text, b'.') => from.next()?.value(text),
        _ => Some(first),
    }
}

/// The table that a statement fills with rows.
fn filled(text: &[u8]) -> Option<Vec<u8>> {
    const BEFORE: [&str; 5] = ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
    let mut found = executed(text);
    found.next().filter(|t| t.is_any(text, &["INSERT", "REPLACE"]))?;
    name(text, found.skip_while(|t| t.is_any(text, &BEFORE)))
}

/// The table that a statement creates, and its name.
fn created(text: &[u8]) -> Option<(Vec<u8>, CreatedTable)> {
    let mut found = executed(text);
    found.next().filter(|t| t.is(text, "CREATE"))?;
    let mut found = found.skip_while(|t| t.is_any(text, &["OR", "REPLACE", "TEMPORARY"]));
    found.next().filter(|t| t.is(text, "TABLE"))?;
    let name = name(text, found.skip_while(|t| t.is_any(text, &["IF", "NOT", "EXISTS"])))?;
    let mut table = CreatedTable { versioned: false, named: false };
    let (mut before, mut last) = (None, None);
    for token in executed(text) {
        let follow = |one: &str, two: &str| is(text, before.as_ref(), one) && is(text, last.as_ref(), two);
        table.versioned |= follow("WITH", "SYSTEM") && token.is(text, "VERSIONING");
        table.named |= follow("AS", "ROW") && token.is(text, "END");
        (before, last) = (last, Some(token));
    }
    Some((name, table))
}

/// Whether there is a token and it is this keyword.
fn is(text: &[u8], token: Option<&LexToken>, keyword: &str) -> bool {
    token.is_some_and(|t| t.is(text, keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &[u8] =
        b"/*M!101100 SET @old_system_versioning_insert_history=@@session.system_versioning_insert_history, \
                        @@session.system_versioning_insert_history=1 */";
    const OFF: &[u8] = b"/*M!101100 SET system_versioning_insert_history=@old_system_versioning_insert_history */";

    fn sent(rows: &mut HistoryRows, text: &str, size: usize) -> String {
        rows.begins(text.as_bytes());
        let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
        let out: Vec<u8> =
            pieces.iter().enumerate().flat_map(|(n, p)| rows.piece(p, n + 1 == pieces.len()).into_owned()).collect();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn current_rows_stay_current_and_nothing_else_changes() {
        let mut rows = HistoryRows::new(Some(LastMoment::of("11.8")));
        let text = "INSERT INTO `sv` (`a`, row_start, row_end) VALUES (1,'2026-11-30 11:25:14.634123','2038-01-19 03:14:07.999999'),\n\
                    ('x\\',\\'2038-01-19 03:14:07.999999\\')','2026-11-30 11:25:14.6','2026-11-30 11:25:14.7'),\n\
                    ('2038-01-19 03:14:07.999999','2026-11-30 11:25:14.6','2038-01-19 03:14:07.999999')";
        let wanted = text.replace(",'2038-01-19 03:14:07.999999')", ",'2106-02-07 06:28:15.999999')");
        assert_eq!(sent(&mut rows, text, 50), text, "only between the settings");
        rows.begins(ON);
        for size in 1..200 {
            assert_eq!(sent(&mut rows, text, size), wanted, "in pieces of {size}");
        }
        rows.begins(OFF);
        assert_eq!(sent(&mut rows, text, 50), text);
        // The other way round, for a dump of a newer server.
        let mut back = HistoryRows::new(Some(LastMoment::of("10.11")));
        back.begins(ON);
        assert_eq!(sent(&mut back, &wanted, 50), text);
        assert_eq!(sent(&mut back, text, 50), text);
    }

    #[test]
    fn a_named_period_column_may_be_anywhere() {
        let mut rows = HistoryRows::new(Some(LastMoment::of("12.0")));
        rows.begins(
            b"CREATE TABLE `ex` (\n `e` timestamp(6) GENERATED ALWAYS AS ROW END,\n `a` int) WITH SYSTEM VERSIONING",
        );
        rows.begins(ON);
        let row = |end: &str| format!("INSERT INTO `ex` VALUES\n(1,'{end}',2),('{end}',1,2)");
        assert_eq!(sent(&mut rows, &row("2038-01-19 03:14:07.999999"), 20), row("2106-02-07 06:28:15.999999"));
        rows.begins(b"CREATE TABLE `ex` (\n `a` int) WITH SYSTEM VERSIONING");
        assert_eq!(
            sent(&mut rows, &row("2038-01-19 03:14:07.999999"), 20),
            row("2038-01-19 03:14:07.999999"),
            "only the last column"
        );
    }

    #[test]
    fn rows_of_tables_without_history_never_change() {
        let row = |table: &str, end: &str| format!("INSERT INTO {table} VALUES\n(1,'{end}'),(2,'{end}')");
        let (old, new) = ("2038-01-19 03:14:07.999999", "2106-02-07 06:28:15.999999");
        let mut rows = HistoryRows::new(Some(LastMoment::of("11.8")));
        rows.begins(ON);
        let long = format!("/* {} */", "x".repeat(LONGEST_SETTING));
        for (table, end, changes) in [
            ("`plain`", "", false),
            ("`sv`", " WITH SYSTEM VERSIONING", true),
            ("`sv`", " ENGINE=InnoDB COMMENT='WITH SYSTEM VERSIONING'", false),
            ("`mice`.`sv`", " /*!100301 WITH SYSTEM VERSIONING */", true),
            ("`sv`", ", b int WITHOUT SYSTEM VERSIONING", false),
            ("sv", &format!("{long} WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME"), true),
        ] {
            rows.begins(format!("CREATE TABLE IF NOT EXISTS {table} (a int, t timestamp(6)){end}").as_bytes());
            let wanted = row(table, if changes { new } else { old });
            assert_eq!(sent(&mut rows, &row(table, old), 20), wanted, "{table}{}", end.len());
        }
        assert_eq!(sent(&mut rows, &row("plain", old), 20), row("plain", old), "another table has history");
        assert_eq!(sent(&mut rows, &row("unknown", old), 20), row("unknown", new), "a dump without definitions");
    }
}
