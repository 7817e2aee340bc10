//! Shortens the reason of a failure to one line. The failed job or backup keeps the full output, but lists, notices and
//! mails have room for one line, which has to contain the cause.

/// Maximum length of the line; nobody reads more.
const LONGEST: usize = 2000;

/// Endings of the portal's own words before quoted output.
const QUOTES: [&str; 4] = [" said: ", "Its words: ", "Output: ", "began with: "];

/// Lower-case words that mark lines with the cause of an error.
const WRONG: [&str; 17] = [
    "error",
    "fatal",
    "panic",
    "fail",
    "denied",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "not permitted",
    "refused",
    "exception",
    "no space",
    "invalid",
    "not found",
    "no such",
    "does not exist",
];

/// The line of a reason that states the cause: the first line together with what it introduces. If it quotes a program,
/// that is the program's first line that looks like an error, or else its first line with any words.
pub fn line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| says_something(line));
    let Some(first) = lines.next() else { return String::new() };
    let rest: Vec<_> = lines.collect();
    let (head, quoted) = announced(first);
    let mut found = match head {
        None => first.to_owned(),
        Some(head) => {
            let candidates =
                || Some(quoted).into_iter().chain(rest.iter().copied()).filter(|line| says_something(line));
            // A line that quotes nothing is not searched: the portal's own sentences are already in order.
            let best = candidates().find(|line| is_wrong(line)).or_else(|| candidates().next());
            best.map_or_else(|| head.to_owned(), |best| joined(head, best, candidates()))
        }
    };
    if found.len() > LONGEST {
        found.truncate(found.floor_char_boundary(LONGEST));
        found.push('…');
    }
    found
}

/// Joins the heading with the line it introduces and with what that line introduces in turn.
fn joined<'a>(head: &str, best: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let mut found = format!("{head} {best}");
    let mut after = candidates.skip_while(|line| *line != best).skip(1);
    while found.ends_with(':') {
        let Some(next) = after.next() else { break };
        found.push(' ');
        found.push_str(next);
    }
    found
}

/// Splits a line at a colon that introduces something into what precedes it and what follows.
fn announced(line: &str) -> (Option<&str>, &str) {
    if line.ends_with(':') {
        return (Some(line), "");
    }
    for quote in QUOTES {
        if let Some((head, quoted)) = line.split_once(quote) {
            let end = head.len() + quote.trim_end().len();
            return (line.get(..end), quoted);
        }
    }
    // If only a rule or a number follows the last colon, the cause is on a later line.
    match line.rsplit_once(": ") {
        Some((head, last)) if !says_something(last) => (line.get(..=head.len()), ""),
        _ => (None, ""),
    }
}

fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphabetic)
}

fn is_wrong(line: &str) -> bool {
    let lower = line.to_lowercase();
    // "0 errors" is not an error.
    WRONG.iter().any(|word| lower.contains(word)) && !lower.contains("0 errors") && !lower.contains("no error")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "A command in the container exited with code 1. Output: ";

    #[test]
    fn a_heading_is_shown_with_the_line_it_introduces() {
        assert_eq!(
            line("The restored data does not match the backup:\nTable public.t in trial differs.\nAnd 3 more."),
            "The restored data does not match the backup: Table public.t in trial differs."
        );
        assert_eq!(line("\n\n  One sentence.\nMore of it.\n"), "One sentence.");
        assert_eq!(line("The server's own checks found errors:\n---\n"), "The server's own checks found errors:");
        assert_eq!(line(""), "");
    }

    #[test]
    fn the_cause_is_found_in_program_output() {
        let maria = format!(
            "{SAID}--------------\nINSERT INTO t VALUES (1)\n--------------\n\nERROR 1100 (HY000) at line 5: Table 's' was not locked\n"
        );
        assert_eq!(line(&maria), format!("{SAID}ERROR 1100 (HY000) at line 5: Table 's' was not locked"));
        let neo4j =
            format!("{SAID}Done: 36 files, 1.2MiB processed.\nFailed to load database 'neo4j': Not a valid archive\n");
        assert_eq!(line(&neo4j), format!("{SAID}Failed to load database 'neo4j': Not a valid archive"));
        let postgres = format!(
            "{SAID}pg_restore: error: could not execute query: ERROR:  permission denied\nCommand was: CREATE …"
        );
        assert_eq!(
            line(&postgres),
            format!("{SAID}pg_restore: error: could not execute query: ERROR:  permission denied")
        );
        assert_eq!(line(&format!("{SAID}hm\nwell")), format!("{SAID}hm"));
        assert_eq!(
            line(&format!("{SAID}Errors were found:\n----\ntable t is damaged")),
            format!("{SAID}Errors were found: table t is damaged")
        );
        assert_eq!(line("The server exited with code 1.\nLast log lines:\nFATAL: x"), "The server exited with code 1.");
        assert_eq!(line(&format!("{SAID}nothing")), format!("{SAID}nothing"));
    }

    #[test]
    fn a_sentence_without_quoted_output_is_kept() {
        let time = "The backup started at 2026-11-28 10:00 failed: it was cancelled: 12";
        assert_eq!(line(time), time.strip_suffix(" 12").unwrap_or(time));
        let words = "The storage tier “fast” filled up during the restore.\nERROR: x";
        assert_eq!(line(words), "The storage tier “fast” filled up during the restore.");
        assert!(line(&"é".repeat(5000)).len() <= LONGEST + '…'.len_utf8());
    }
}
