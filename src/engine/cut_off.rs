//! Parses the lines in which scripts print what they are about to switch off in a copy of another database's data.

/// The beginning of such a line, followed by a kind and two names in hexadecimal digits, each after an `x`.
const BEGIN: &str = "off ";
/// Maximum number of sentences to keep.
const MOST: usize = 50;
/// Maximum length of a name, in characters.
const LONGEST: usize = 80;

/// Sentences about what is going to be switched off or removed. Anything else that the scripts printed is ignored.
pub fn found(printed: &str) -> Vec<String> {
    let mut sentences = printed.lines().filter_map(sentence);
    let mut found: Vec<String> = sentences.by_ref().take(MOST).collect();
    match sentences.count() {
        0 => {}
        more => found.push(format!("{more} more")),
    }
    found
}

fn sentence(line: &str) -> Option<String> {
    let mut words = line.strip_prefix(BEGIN)?.split(' ');
    let kind = words.next()?;
    let (name, place) = (name(words.next()?)?, name(words.next()?)?);
    Some(match kind {
        "subscription" => format!("Subscription “{name}” in database “{place}”: switched off"),
        "mapping" => format!("Logins to the foreign server “{name}” in database “{place}”: removed"),
        "cron" => format!("Job {name} of pg_cron in database “{place}”: switched off"),
        "unlogged" => {
            format!("Unlogged table {name} in database “{place}”: empty, as in every copy of a running server")
        }
        "slot" => format!("Replication slot “{name}”: removed"),
        "role" => format!("Password of “{name}”: removed"),
        "account" => format!("Account “{name}”: locked"),
        "event" => format!("Event “{name}” in database “{place}”: switched off"),
        "replica" if name.is_empty() => "Replication from another server: ended".to_owned(),
        "replica" => format!("Replication “{name}” from another server: ended"),
        _ => return None,
    })
}

/// A name as it can be shown: owners choose names, also with characters that cannot.
fn name(hex: &str) -> Option<String> {
    let bytes = hex::decode(hex.strip_prefix('x')?).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let shown = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    Some(shown.take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn lines_become_sentences_and_anything_else_is_ignored() {
        let line = |kind: &str, name: &str, place: &str| {
            format!("off {kind} x{} x{}\n", hex::encode(name), hex::encode(place))
        };
        let printed = [
            "NOTICE: something\noff unknown x61 x62\noff event 61 62\noff event x6 x62\n".to_owned(),
            line("subscription", "my sub", "trial"),
            line("event", "a\nb", "t"),
            line("replica", "", ""),
            line("unlogged", "public.t", "trial"),
        ]
        .concat();
        assert_eq!(
            found(&printed),
            [
                "Subscription “my sub” in database “trial”: switched off",
                "Event “a\u{fffd}b” in database “t”: switched off",
                "Replication from another server: ended",
                "Unlogged table public.t in database “trial”: empty, as in every copy of a running server",
            ]
        );
        let many = found(&line("slot", "s", "").repeat(53));
        assert_eq!((many.len(), many.last().map(String::as_str)), (51, Some("3 more")));
    }
}
