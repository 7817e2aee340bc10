//! Everything that is wrong with a typed name, and a name close to it that is valid.

use std::collections::BTreeSet;

/// Which characters a name may consist of.
#[derive(Clone, Copy)]
pub(super) struct Charset {
    /// Those it may begin with.
    pub(super) first: fn(char) -> bool,
    /// Those that may follow.
    pub(super) rest: fn(char) -> bool,
}

/// Maximum number of invalid characters that a message names.
const NAMED: usize = 5;

/// A sentence for each way in which the characters of `raw` are invalid.
pub(super) fn charset_faults(raw: &str, set: Charset) -> Vec<String> {
    let mut faults = Vec::new();
    if raw.chars().any(|c| c.is_ascii_uppercase()) {
        faults.push("Use lower-case letters only.".to_owned());
    }
    let first = raw.chars().next().map(|c| c.to_ascii_lowercase());
    if !first.is_some_and(set.first) {
        faults.push("Start with a lower-case letter (a to z).".to_owned());
    }
    if raw.contains(' ') {
        faults.push("Spaces are not allowed.".to_owned());
    }
    let wrong = |c: &char| *c != ' ' && !c.is_ascii_uppercase() && !(set.rest)(*c);
    let wrong: BTreeSet<char> = raw.chars().filter(wrong).collect();
    let named: Vec<String> = wrong.iter().take(NAMED).map(|c| format!("“{c}”")).collect();
    match (wrong.len(), named.split_last()) {
        (0, _) | (_, None) => {}
        (1, Some((only, _))) => faults.push(format!("The character {only} is not allowed.")),
        (n, Some(_)) if n > NAMED => {
            faults.push(format!("The characters {} and others are not allowed.", named.join(", ")));
        }
        (_, Some((last, others))) => {
            faults.push(format!("The characters {} and {last} are not allowed.", others.join(", ")));
        }
    }
    faults
}

/// The letters and digits of `raw` in lower case, with one `separator` for everything between them. It begins with a
/// letter, preceded by `db` if necessary, and has at most `most` characters. Empty if `raw` has no letters or digits.
pub(super) fn plain(raw: &str, separator: char, most: usize) -> String {
    let words = raw.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut text = words.collect::<Vec<_>>().join(&separator.to_string()).to_ascii_lowercase();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        text.insert_str(0, &format!("db{separator}"));
    }
    text.truncate(most);
    text.truncate(text.trim_end_matches(separator).len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_errors_are_reported_at_once() {
        let lower = |c: char| c.is_ascii_lowercase();
        let set = Charset { first: lower, rest: lower };
        let all = charset_faults("-My Müse!", set).join(" ");
        for piece in ["lower-case letters only", "Start with", "Spaces", "“!”, “-” and “ü”"] {
            assert!(all.contains(piece), "{piece}: {all}");
        }
        assert_eq!(charset_faults("1ab", set).len(), 2);
        assert!(charset_faults("a;b,c.d:e<f>", set).join(" ").contains("and others"));
        assert!(charset_faults("abc", set).is_empty());
    }

    #[test]
    fn the_suggested_name_resembles_the_typed_one() {
        for (raw, wanted) in [
            ("UX, my mice!", "ux-my-mice"),
            ("2024 runs", "db-2024-runs"),
            ("__a--b__", "a-b"),
            ("实验室", ""),
            ("abcdefgh ijk", "abcdefgh"),
        ] {
            let most = if wanted == "abcdefgh" { 9 } else { 40 };
            assert_eq!(plain(raw, '-', most), wanted, "{raw}");
        }
    }
}
