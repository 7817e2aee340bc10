//! Rows of system-versioned tables with their history. The end of a current row is the last moment that the server can
//! represent: in 2038 before MariaDB 11.5, in 2106 since then. Another server would take that for the end of a historical
//! row, and hide the row: <https://mariadb.com/kb/en/system-versioned-tables/>.

use std::borrow::Cow;

use crate::domain::version::numbers;

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

/// Replaces the ends of current rows in a dump with history.
#[derive(Debug)]
pub struct HistoryRows {
    to: Option<LastMoment>,
    /// Whether the rows that follow have a beginning and an end.
    within: bool,
    /// Whether the table names the column with the end, which may then be anywhere in a row. Otherwise it is the last one.
    named: bool,
    /// The end of the last piece, where a value may have been cut.
    tail: Vec<u8>,
}

impl HistoryRows {
    /// For a server with this last moment; without one, nothing is changed.
    pub fn new(to: Option<LastMoment>) -> Self {
        Self { to, within: false, named: false, tail: Vec::new() }
    }

    /// Looks at the beginning of a statement.
    pub fn begins(&mut self, text: &[u8]) {
        const SETTING: &[u8] = b"system_versioning_insert_history=";
        if self.to.is_none() || text.len() > 128 * 1024 {
            return;
        }
        if find(text.get(..64).unwrap_or(text), b"CREATE TABLE").is_some() {
            self.named = find(text, b"AS ROW END").is_some();
        }
        // mariadb-dump first keeps the setting in a variable, and later sets it to that.
        if let Some(at) = text.windows(SETTING.len()).rposition(|w| w.eq_ignore_ascii_case(SETTING)) {
            self.within = text.get(at + SETTING.len()) == Some(&b'1');
        }
    }

    /// A piece of a statement, which may be kept back in part until the last one.
    pub fn piece<'a>(&mut self, text: &'a [u8], last: bool) -> Cow<'a, [u8]> {
        let Some(to) = self.to.filter(|_| self.within) else { return Cow::Borrowed(text) };
        let mut whole = std::mem::take(&mut self.tail);
        whole.extend_from_slice(text);
        let (from, mut at) = (to.other().text(), 0);
        while let Some(found) = whole.get(at..).and_then(|rest| rest.windows(from.len()).position(|w| w == from)) {
            let (begin, end) = (at + found, at + found + from.len());
            let byte = |at: usize| whole.get(at).copied();
            let first = self.named && begin >= 2 && byte(begin - 2) == Some(b'(');
            let before = begin >= 2 && (first || byte(begin - 2) == Some(b',')) && byte(begin - 1) == Some(b'\'');
            let after = byte(end) == Some(b'\'')
                && (byte(end + 1) == Some(b')') || (self.named && byte(end + 1) == Some(b',')));
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

/// Position of `what` in `text`, in either case.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w.eq_ignore_ascii_case(what))
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
        rows.begins(b"CREATE TABLE `ex` (\n `e` timestamp(6) GENERATED ALWAYS AS ROW END,\n `a` int)");
        rows.begins(ON);
        let row = |end: &str| format!("INSERT INTO `ex` VALUES\n(1,'{end}',2),('{end}',1,2)");
        assert_eq!(sent(&mut rows, &row("2038-01-19 03:14:07.999999"), 20), row("2106-02-07 06:28:15.999999"));
        rows.begins(b"CREATE TABLE `sv` (\n `a` int)");
        rows.begins(ON);
        assert_eq!(sent(&mut rows, &row("2038-01-19 03:14:07.999999"), 20), row("2038-01-19 03:14:07.999999"));
    }
}
