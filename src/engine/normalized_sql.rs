//! Removes from SQL what a server may write differently after parsing its own text: parentheses, casts and whitespace.
//! Quoted text is left unchanged.

/// Types whose names consist of several words: the first word, and what may follow it.
const WORDS: [(&str, &[&str]); 5] = [
    ("character", &[" varying"]),
    ("double", &[" precision"]),
    ("bit", &[" varying"]),
    ("timestamp", &[" without time zone", " with time zone"]),
    ("time", &[" without time zone", " with time zone"]),
];

/// The text without parentheses, casts and whitespace.
pub fn loosened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' | '"' => quoted(rest, first),
            '$' => dollar_quoted(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => {
                rest = rest.get(2..).unwrap_or_default();
                rest = rest.get(type_name(rest)..).unwrap_or_default();
                continue;
            }
            '(' | ')' => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            c if c.is_whitespace() => {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            c => c.len_utf8(),
        };
        let (copied, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.push_str(copied);
        rest = after;
    }
    out
}

/// Length in bytes of a quoted text at the beginning, including its quotes. A doubled quote is read as two texts, which
/// gives the same result.
fn quoted(text: &str, quote: char) -> usize {
    text.get(1..).and_then(|t| t.find(quote)).map_or(text.len(), |end| end + 2)
}

/// Length in bytes of a text between `$tag$` and `$tag$`, including both.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = text.get(1..)?.find('$')? + 2;
    let mark = text.get(..tag)?;
    let inside = mark.get(1..tag - 1)?;
    if inside.starts_with(|c: char| c.is_ascii_digit()) || !inside.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = text.get(tag..)?.find(mark)?;
    Some(tag + end + tag)
}

/// Length in bytes of a type name at the beginning.
fn type_name(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += match rest.chars().next() {
            Some('"') => quoted(rest, '"'),
            _ => rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len()),
        };
        if !text.get(at..).is_some_and(|t| t.starts_with('.')) {
            break;
        }
        at += 1;
    }
    let word = text.get(..at).unwrap_or_default();
    let more = WORDS.iter().find(|(first, _)| *first == word).map_or(&[][..], |(_, more)| more);
    at += following(text.get(at..), more);
    at += modifier(text.get(at..));
    at += following(text.get(at..), more);
    while text.get(at..).is_some_and(|t| t.starts_with("[]")) {
        at += 2;
    }
    at
}

fn following(text: Option<&str>, more: &[&str]) -> usize {
    more.iter().find(|m| text.is_some_and(|t| t.starts_with(**m))).map_or(0, |m| m.len())
}

/// Length in bytes of a length or precision in parentheses.
fn modifier(text: Option<&str>) -> usize {
    let Some(inside) = text.and_then(|t| t.strip_prefix('(')) else { return 0 };
    let digits = inside.find(|c: char| !(c.is_ascii_digit() || c == ',' || c == '-')).unwrap_or(inside.len());
    if digits > 0 && inside.get(digits..).is_some_and(|t| t.starts_with(')')) { digits + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_spellings_are_normalised_to_one() {
        let first = "CHECK (((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))";
        let again =
            "CHECK (((kind)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))";
        assert_eq!(loosened(first), loosened(again));
        let typed =
            "x::timestamp(3) without time zone, y::numeric(10,2)[], z::\"My\".\"Type\"[][], w::double precision";
        assert_eq!(loosened(typed), "x,y,z,w");
    }

    #[test]
    fn quoted_text_is_unchanged() {
        for text in ["'(a)::b '", "\"c (d)::e\"", "$x$ (f)::g $x$", "$$ (h) $$", "'it''s ( '"] {
            assert_eq!(loosened(text), text);
        }
        assert_ne!(loosened("kind = 'a'::text"), loosened("kind = 'b'::text"));
        assert_ne!(loosened("a = 1::int"), loosened("a = 2::int"));
    }

    #[test]
    fn truncated_text_is_accepted() {
        for text in ["'", "\"", "$", "$a", "$a$", "::", "::\"", "::x(", "::x(1", "(", "é::é", "::é.ü[]"] {
            let _ = loosened(text);
        }
        assert_eq!(loosened("'open (text"), "'open (text");
    }
}
