//! Parses psql meta-commands in a dump: the database that `\connect` switches to, and commands that dumps should not
//! contain.

/// A psql meta-command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Switches to this database.
    Connect(String),
    /// `\restrict` or `\unrestrict`, which pg_dump writes around its output.
    Lock,
    /// Sends the statement before it, like a semicolon.
    Send,
    /// Any other command.
    Other,
}

/// Parses the line of a command, starting with its backslash.
pub fn command(line: &[u8]) -> Command {
    let text = String::from_utf8_lossy(line);
    let Some(text) = text.trim_end().strip_prefix('\\') else { return Command::Other };
    let (name, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    match name {
        "connect" | "c" => target(&arguments(rest)).map_or(Command::Other, Command::Connect),
        "restrict" | "unrestrict" => Command::Lock,
        "g" if rest.trim().is_empty() => Command::Send,
        _ => Command::Other,
    }
}

/// The database named by `\connect`, as a word or in a connection string.
fn target(arguments: &[String]) -> Option<String> {
    let name = arguments.iter().find(|a| !a.starts_with("-reuse-previous"))?;
    if let Some((_, rest)) = name.split_once("://") {
        let (_, path) = rest.split_once('/')?;
        let path = path.split('?').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
        return Some(name).filter(|n| !n.is_empty());
    }
    if name.contains('=') {
        return of_string(name);
    }
    (name != "-" && !name.is_empty()).then(|| name.clone())
}

/// The value of `dbname` in a connection string such as `dbname='my mice' host=x`.
fn of_string(text: &str) -> Option<String> {
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (mut value, mut chars) = (String::new(), after.trim_start().char_indices());
        let quoted = after.trim_start().starts_with('\'');
        if quoted {
            chars.next();
        }
        let mut end = after.trim_start().len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => value.extend(chars.next().map(|(_, c)| c)),
                '\'' if quoted => {
                    end = at + 1;
                    break;
                }
                c if c.is_whitespace() && !quoted => {
                    end = at;
                    break;
                }
                c => value.push(c),
            }
        }
        if key.trim() == "dbname" {
            return Some(value).filter(|v| !v.is_empty());
        }
        rest = after.trim_start().get(end..).unwrap_or_default().trim_start();
    }
    None
}

/// A word of a command's arguments.
#[derive(Default)]
struct Word {
    text: String,
    /// Bytes at its end that are outside quotes.
    plain: usize,
    /// Whether it has begun; it may be an empty text in quotes.
    begun: bool,
}

impl Word {
    fn push(&mut self, c: char) {
        self.text.push(c);
        self.plain += c.len_utf8();
        self.begun = true;
    }

    /// The word. psql ignores semicolons at the end of a word, outside quotes.
    fn end(&mut self, found: &mut Vec<String>) {
        let Self { mut text, mut plain, begun } = std::mem::take(self);
        while plain > 0 && text.ends_with(';') {
            text.pop();
            plain -= 1;
        }
        if begun {
            found.push(text);
        }
    }
}

/// Splits a command's arguments into words, in which quotes of both kinds keep whitespace together.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), Word::default(), None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(q) if c == q && chars.peek() == Some(&q) => {
                word.text.push(q);
                chars.next();
            }
            Some(q) if c == q => (quote, word.plain) = (None, 0),
            Some('\'') if c == '\\' => word.text.extend(chars.next()),
            Some(_) => word.text.push(c),
            None if c == '\'' || c == '"' => (quote, word.begun) = (Some(c), true),
            None if c.is_whitespace() => word.end(&mut found),
            None => word.push(c),
        }
    }
    word.end(&mut found);
    found
}

#[cfg(test)]
mod tests {
    use crate::sql::connect::*;

    #[test]
    fn every_way_to_name_a_database_is_understood() {
        let to = |name: &str| Command::Connect(name.to_owned());
        for (line, wanted) in [
            ("\\connect mice", to("mice")),
            ("\\c mice lab localhost 5432\r\n", to("mice")),
            ("\\connect \"Big \"\"Mice\"", to("Big \"Mice")),
            ("\\connect \"mice\";", to("mice")),
            ("\\c mice;;", to("mice")),
            ("\\c \"mice;\";", to("mice;")),
            ("\\c mi;ce;\r\n", to("mi;ce")),
            ("\\connect ;", Command::Other),
            (r#"\connect -reuse-previous=on "dbname='big mice'""#, to("big mice")),
            (r#"\connect -reuse-previous=on "dbname='it\\'s' host=x""#, to("it\\")),
            (r#"\connect -reuse-previous=on "dbname='it\'s a \\'""#, to("it's a \\")),
            ("\\c host=evil dbname=mice", Command::Other),
            ("\\c 'host=evil dbname = mice'", to("mice")),
            ("\\c postgresql://u:p@host:1/my%20mice?x=y", to("my mice")),
            ("\\connect - lab", Command::Other),
            ("\\connect", Command::Other),
            ("\\restrict abc", Command::Lock),
            ("\\unrestrict abc", Command::Lock),
            ("\\g", Command::Send),
            ("\\g |touch x", Command::Other),
            ("\\! touch x", Command::Other),
            ("\\copy t from '/etc/passwd'", Command::Other),
        ] {
            assert_eq!(command(line.as_bytes()), wanted, "{line}");
        }
    }
}
