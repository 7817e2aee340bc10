//! The statement in a file of mydumper whose rows are in a separate file. The owner of a database may not make a client
//! read files, so the portal reads the rows itself and sends them as ordinary statements.

/// What the statement says about the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoadData {
    /// The statements before it, such as the character set of the session.
    pub(super) before: String,
    /// The beginning of a statement that inserts such rows: `REPLACE INTO` and the table.
    pub(super) into: String,
    /// The character set of the file.
    pub(super) charset: String,
    /// Ends a field.
    pub(super) terminator: u8,
    /// Surrounds a field, if it can contain anything.
    pub(super) enclosure: Option<u8>,
    /// Whether the first line names the columns.
    pub(super) has_header: bool,
    /// The columns of a row.
    pub(super) columns: Vec<LoadedColumn>,
}

/// A column of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoadedColumn {
    /// Its quoted name.
    pub(super) name: String,
    /// How its values are written.
    pub(super) form: ValueForm,
}

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueForm {
    /// As they are.
    Plain,
    /// In hexadecimal digits.
    Hex,
    /// JSON, which is always UTF-8.
    Json,
}

/// Begins the statement.
const BEGIN: &str = "LOAD DATA LOCAL INFILE";

/// The rest of a statement that is being read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Takes this word, if it is next.
    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.0.trim_start();
        let (next, after) = (rest.get(..word.len())?, rest.get(word.len()..)?);
        next.eq_ignore_ascii_case(word).then(|| self.0 = after)
    }

    /// Takes these words.
    fn words(&mut self, words: &str) -> Option<()> {
        words.split(' ').try_for_each(|word| self.word(word))
    }

    /// Takes a string in single quotes.
    fn literal(&mut self) -> Option<String> {
        let mut text = self.0.trim_start().strip_prefix('\'')?.chars();
        let mut found = String::new();
        loop {
            match text.next()? {
                '\\' => found.push(match text.next()? {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                }),
                '\'' if text.as_str().starts_with('\'') => {
                    text.next();
                    found.push('\'');
                }
                '\'' => break,
                other => found.push(other),
            }
        }
        self.0 = text.as_str();
        Some(found)
    }

    /// Takes a name in backquotes, and returns it with them.
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        rest.strip_prefix('`')?;
        let mut end = 1;
        loop {
            end += rest.get(end..)?.find('`')? + 1;
            match rest.get(end..).is_some_and(|more| more.starts_with('`')) {
                true => end += 1,
                false => break,
            }
        }
        self.0 = rest.get(end..)?;
        rest.get(..end)
    }

    /// Takes the name of a variable.
    fn variable(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start().strip_prefix('@')?;
        let end = rest.find([',', ')', ' '])?;
        self.0 = rest.get(end..)?;
        rest.get(..end)
    }

    /// Takes a word of letters, digits and underscores.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        self.0 = rest.get(end..)?;
        rest.get(..end).filter(|word| !word.is_empty())
    }
}

/// The only character of a text.
fn one(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() { Some(*byte) } else { None }
}

/// Reads the statement. `None` if it is not as mydumper writes it, or describes rows that are written in an unusual way.
pub(super) fn parse(text: &str) -> Option<LoadData> {
    let at = text.find(BEGIN)?;
    let (before, mut rest) = (text.get(..at)?.to_owned(), Rest(text.get(at + BEGIN.len()..)?));
    // The rows are in the file that belongs to this one, whatever is written here.
    rest.literal()?;
    let verb = match (rest.word("REPLACE"), rest.word("IGNORE")) {
        (Some(()), _) => "REPLACE INTO",
        (None, Some(())) => "INSERT IGNORE INTO",
        (None, None) => "INSERT INTO",
    };
    rest.words("INTO TABLE")?;
    let into = format!("{verb} {}", rest.name()?);
    let charset = rest.words("CHARACTER SET").map_or(Some("binary"), |()| rest.plain())?.to_ascii_lowercase();
    let (mut terminator, mut enclosure, mut escape) = ("\t".to_owned(), String::new(), "\\".to_owned());
    if rest.word("FIELDS").is_some() {
        for (words, value) in
            [("TERMINATED BY", &mut terminator), ("ENCLOSED BY", &mut enclosure), ("ESCAPED BY", &mut escape)]
        {
            if rest.words(words).is_some() {
                *value = rest.literal()?;
            }
        }
    }
    rest.word("LINES")?;
    let begin = rest.words("STARTING BY").map_or(Some(String::new()), |()| rest.literal())?;
    let end = rest.words("TERMINATED BY").map_or(Some("\n".to_owned()), |()| rest.literal())?;
    if escape != "\\" || !begin.is_empty() || end != "\n" || enclosure.len() > 1 {
        return None;
    }
    let has_header = rest.words("IGNORE 1 LINES").is_some();
    let columns = columns(&mut rest)?;
    rest.word(";");
    rest.0.trim().is_empty().then_some(())?;
    let enclosure = one(&enclosure);
    Some(LoadData { before, into, charset, terminator: one(&terminator)?, enclosure, has_header, columns })
}

/// The columns: names, or variables from which the values of columns are computed.
fn columns(rest: &mut Rest<'_>) -> Option<Vec<LoadedColumn>> {
    let (mut columns, mut variables) = (Vec::new(), Vec::new());
    rest.word("(")?;
    loop {
        match rest.name() {
            Some(name) => columns.push(LoadedColumn { name: name.to_owned(), form: ValueForm::Plain }),
            None => {
                variables.push((columns.len(), rest.variable()?));
                columns.push(LoadedColumn { name: String::new(), form: ValueForm::Plain });
            }
        }
        if rest.word(",").is_none() {
            break;
        }
    }
    rest.word(")")?;
    for (n, (at, variable)) in variables.into_iter().enumerate() {
        rest.word(if n == 0 { "SET" } else { "," })?;
        let column = columns.get_mut(at)?;
        rest.name()?.clone_into(&mut column.name);
        rest.word("=")?;
        column.form = match rest.words("UNHEX (") {
            Some(()) => ValueForm::Hex,
            None => rest.words("CONVERT (").map(|()| ValueForm::Json)?,
        };
        (rest.variable()? == variable).then_some(())?;
        if column.form == ValueForm::Json {
            rest.words("USING UTF8MB4")?;
        }
        rest.word(")")?;
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_data_statement_is_parsed() {
        let text = "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n\
                    LOAD DATA LOCAL INFILE 'shop.t.00000.dat' REPLACE INTO TABLE `t``s` CHARACTER SET binary \
                    FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES STARTING BY '' TERMINATED BY '\\n' \
                    (`id`,@doc,`a,b`,@raw)SET `doc`=CONVERT(@doc USING UTF8MB4),`raw`=UNHEX(@raw);\n";
        let found = parse(text).unwrap();
        assert_eq!(found.before, "/*!40101 SET NAMES binary*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n");
        assert_eq!((found.into.as_str(), found.charset.as_str()), ("REPLACE INTO `t``s`", "binary"));
        assert_eq!((found.terminator, found.enclosure, found.has_header), (b'\t', None, false));
        let columns: Vec<_> = found.columns.iter().map(|c| (c.name.as_str(), c.form)).collect();
        let (plain, json, hex) = (ValueForm::Plain, ValueForm::Json, ValueForm::Hex);
        assert_eq!(columns, [("`id`", plain), ("`doc`", json), ("`a,b`", plain), ("`raw`", hex)]);
        let csv = "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '\\\\' \
                   LINES STARTING BY '' TERMINATED BY '\\n' IGNORE 1 LINES (`id`);";
        let found = parse(csv).unwrap();
        assert_eq!((found.into.as_str(), found.terminator, found.enclosure), ("INSERT INTO `t`", b',', Some(b'"')));
        assert!(found.has_header);
    }

    #[test]
    fn other_load_data_statements_are_rejected() {
        let with = |end: &str| format!("LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` LINES TERMINATED BY '\\n' {end}");
        assert!(parse(&with("(`a`);")).is_some());
        for end in [
            "(`a`); DROP TABLE `t`;",
            "(@a) SET `a` = SLEEP(@a);",
            "(@a) SET `a`=UNHEX(@b);",
            "(@a);",
            "(`a`",
            "(a);",
            "SET `a`=1;",
            "",
        ] {
            assert_eq!(parse(&with(end)), None, "{end}");
        }
        for text in [
            "",
            "INSERT INTO `t` VALUES (1);",
            "LOAD DATA INFILE '/etc/passwd' INTO TABLE `t` LINES TERMINATED BY '\\n' (`a`);",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` FIELDS ESCAPED BY '^' LINES TERMINATED BY '\\n' (`a`);",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` LINES STARTING BY '>' TERMINATED BY '\\n' (`a`);",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` LINES TERMINATED BY '||' (`a`);",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
