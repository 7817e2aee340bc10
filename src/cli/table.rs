//! Plain-text tables on the terminal.

use chrono::{DateTime, Utc};

/// Formats rows in columns padded to their widest cell, below a header. Names and reasons come from others, so control
/// characters are replaced: the terminal must not interpret them.
pub(super) fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let plain = |cell: &String| cell.replace(|c: char| c.is_control(), " ");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(titles.get(column).map(|t| t.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: &[String]| {
        let padded: Vec<_> = cells.iter().enumerate().map(|(i, cell)| format!("{cell:<w$}", w = width(i))).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let titles: Vec<String> = titles.iter().map(|t| t.to_uppercase()).collect();
    std::iter::once(line(&titles)).chain(rows.iter().map(|row| line(row))).collect()
}

/// A time to the minute; a dash if there is none.
pub(super) fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_without_trailing_spaces() {
        let rows = [vec!["zoë".to_owned(), "1".to_owned()], vec!["anna-lena".to_owned(), String::new()]];
        assert_eq!(table(&["name", "n"], &rows), "NAME       N\nzoë        1\nanna-lena\n");
        assert_eq!(table(&["name"], &[]), "NAME\n");
        assert_eq!(table(&["name"], &[vec!["a\u{1b}[2J\nb".to_owned()]]), "NAME\na [2J b\n");
    }
}
