//! What separates the columns of a CSV file. Spreadsheets write semicolons where the comma is in numbers.

use csv::ReaderBuilder;

/// Bytes of the beginning of a file that are examined.
pub(super) const HEAD: u64 = 64 * 1024;
/// Rows that are examined.
const ROWS: usize = 100;

/// What separates columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Comma,
    Semicolon,
    Tab,
}

impl Separator {
    /// That of a file with this beginning.
    ///
    /// # Errors
    /// A clause, if the columns are not separated by commas, but it is not certain by what.
    pub(super) fn of(head: &[u8]) -> Result<Self, String> {
        if Self::Comma.columns(head).first().is_none_or(|count| *count > 1) {
            return Ok(Self::Comma);
        }
        let others = [Self::Semicolon, Self::Tab].map(|one| (one, one.columns(head)));
        let mut possible = others.iter().filter(|(_, columns)| columns.first().is_some_and(|count| *count > 1));
        match (possible.next(), possible.next()) {
            (None, _) => Ok(Self::Comma),
            (Some((one, columns)), None) if columns.iter().all(|count| Some(count) == columns.first()) => Ok(*one),
            (Some((one, _)), None) => Err(format!("the columns are separated by {}; use commas", one.name())),
            _ => Err("the columns are separated by semicolons or tabs; use commas".to_owned()),
        }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
        }
    }

    /// The remark about a file.
    pub(super) fn remark(self, file: &str) -> Option<String> {
        (self != Self::Comma).then(|| {
            format!(
                "The columns of {file} are separated by {}. Numbers with a decimal comma were loaded as text.",
                self.name()
            )
        })
    }

    /// The numbers of columns of the first rows. The last row is left out if it may be cut.
    fn columns(self, head: &[u8]) -> Vec<usize> {
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).delimiter(self.byte()).from_reader(head);
        let mut counts: Vec<usize> =
            reader.byte_records().take(ROWS).map_while(Result::ok).map(|row| row.len()).collect();
        if head.len() as u64 == HEAD && counts.len() > 1 && counts.len() < ROWS {
            counts.pop();
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_found_or_the_file_is_refused() {
        for (head, wanted) in [
            ("a,b\n1,2\n", Separator::Comma),
            ("a\n1;2\n", Separator::Comma),
            ("a,b;c\n1,2\n", Separator::Comma),
            ("", Separator::Comma),
            ("\"a;b\"\n1\n", Separator::Comma),
            ("a;b\n1,5;2\n\"x;y\n\";3", Separator::Semicolon),
            ("a;b", Separator::Semicolon),
            ("a\tb\n1;2\t3\n", Separator::Tab),
        ] {
            assert_eq!(Separator::of(head.as_bytes()), Ok(wanted), "{head}");
        }
        let long = format!("a;b\n{}", "1;2\n".repeat(20_000));
        for cut in 2..9 {
            let head = &long.as_bytes()[..usize::try_from(HEAD).unwrap()];
            let wide = format!("a;b\n{};2\n", "x".repeat(usize::try_from(HEAD).unwrap() - 9 + cut));
            assert_eq!(Separator::of(head), Ok(Separator::Semicolon));
            assert_eq!(Separator::of(&wide.as_bytes()[..head.len()]), Ok(Separator::Semicolon), "{cut}");
        }
        for (head, words) in [
            ("a;b\n1\n", "separated by semicolons; use commas"),
            ("note; all\nnone\n", "semicolons"),
            ("a\tb\n1\t2\t3\n", "separated by tabs; use commas"),
            ("a;b\tc\n1;2\t3\n", "semicolons or tabs"),
        ] {
            assert!(Separator::of(head.as_bytes()).unwrap_err().contains(words), "{head}");
        }
    }
}
