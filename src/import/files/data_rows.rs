//! Reads rows that mydumper wrote to a separate file as statements that insert them.

use std::io::{BufRead, Error, ErrorKind, Read};

use super::load_data::{LoadData, ValueForm};

/// Rows of a statement.
const ROWS: usize = 1000;
/// Bytes of a statement, after which it ends with the row.
const BYTES: usize = 512 * 1024;
/// Maximum bytes of a row.
const LONGEST: usize = 256 * 1024 * 1024;

/// A value of a row; `None` is NULL.
type Value = Option<Vec<u8>>;

/// The rows of a file as statements. Each row is on its own line, so that line numbers stay the same.
pub(super) struct DataRows<R> {
    from: R,
    what: LoadData,
    /// Text that is read next.
    text: std::io::Cursor<Vec<u8>>,
    /// Rows and bytes of the statement that has begun.
    begun: (usize, usize),
    line: u64,
    over: bool,
}

impl<R: BufRead> DataRows<R> {
    pub(super) fn new(what: LoadData, from: R) -> Self {
        Self { from, what, text: std::io::Cursor::default(), begun: (0, 0), line: 0, over: false }
    }

    fn byte(&mut self) -> std::io::Result<Option<u8>> {
        let next = self.from.fill_buf()?.first().copied();
        self.from.consume(usize::from(next.is_some()));
        Ok(next)
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(ErrorKind::InvalidData, format!("line {}: {why}", self.line))
    }

    /// The values of the next row; `None` after the last one.
    fn row(&mut self) -> std::io::Result<Option<Vec<Value>>> {
        let (mut values, mut field, mut bytes) = (Vec::new(), Field::default(), 0);
        let (terminator, enclosure) = (self.what.terminator, self.what.enclosure);
        self.line += 1;
        while let Some(byte) = self.byte()? {
            bytes += 1;
            if bytes > LONGEST {
                return Err(self.wrong("the row is larger than 256 MiB"));
            }
            match byte {
                b'\\' => match self.byte()? {
                    Some(escaped) => field.escaped(escaped),
                    None => return Err(self.wrong("the file ends within a value")),
                },
                _ if Some(byte) == enclosure && field.is_empty() && !field.is_enclosed => field.is_enclosed = true,
                _ if Some(byte) == enclosure && field.is_enclosed && !field.is_closed => {
                    match self.from.fill_buf()?.first() {
                        Some(next) if *next == byte => {
                            self.from.consume(1);
                            field.push(byte);
                        }
                        _ => field.is_closed = true,
                    }
                }
                _ if field.is_open() => field.push(byte),
                b'\n' => {
                    values.push(field.value());
                    return Ok(Some(values));
                }
                _ if byte == terminator => values.push(std::mem::take(&mut field).value()),
                _ => field.push(byte),
            }
        }
        match bytes {
            0 => Ok(None),
            // The last line may lack its end, but not that of a value.
            _ if field.is_open() => Err(self.wrong("the file ends within a value")),
            _ => {
                values.push(field.value());
                Ok(Some(values))
            }
        }
    }

    /// The next line of the statements.
    fn next(&mut self) -> std::io::Result<Vec<u8>> {
        if self.line == 0 && self.what.has_header {
            self.row()?;
            return Ok(b"\n".to_vec());
        }
        let Some(values) = self.row()? else {
            self.over = true;
            return Ok(if self.begun.0 > 0 { b";\n".to_vec() } else { Vec::new() });
        };
        let columns = &self.what.columns;
        if values.len() != columns.len() {
            let why = format!("it has {} columns, but {} are expected", values.len(), columns.len());
            return Err(self.wrong(&why));
        }
        let mut line = match self.begun.0 {
            0 => {
                let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                format!("{} ({}) VALUES (", self.what.into, names.join(",")).into_bytes()
            }
            _ => b",(".to_vec(),
        };
        for (n, (column, value)) in columns.iter().zip(&values).enumerate() {
            if n > 0 {
                line.push(b',');
            }
            write(&mut line, column.form, value.as_deref(), &self.what.charset);
        }
        line.push(b')');
        self.begun = (self.begun.0 + 1, self.begun.1 + line.len());
        if self.begun.0 >= ROWS || self.begun.1 >= BYTES {
            self.begun = (0, 0);
            line.push(b';');
        }
        line.push(b'\n');
        Ok(line)
    }
}

/// A field that is being read.
#[derive(Default)]
struct Field {
    bytes: Vec<u8>,
    /// Whether it consists of `\N` so far.
    is_null: bool,
    is_enclosed: bool,
    is_closed: bool,
}

impl Field {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_null
    }

    /// Whether it is enclosed and has not ended yet.
    fn is_open(&self) -> bool {
        self.is_enclosed && !self.is_closed
    }

    fn push(&mut self, byte: u8) {
        if std::mem::take(&mut self.is_null) {
            self.bytes.push(b'N');
        }
        self.bytes.push(byte);
    }

    /// Takes the character after a backslash.
    fn escaped(&mut self, byte: u8) {
        match byte {
            b'N' if self.is_empty() && !self.is_enclosed => self.is_null = true,
            b'0' => self.push(0),
            b'b' => self.push(8),
            b'n' => self.push(b'\n'),
            b'r' => self.push(b'\r'),
            b't' => self.push(b'\t'),
            b'Z' => self.push(26),
            other => self.push(other),
        }
    }

    fn value(self) -> Value {
        (!self.is_null).then_some(self.bytes)
    }
}

/// Writes a value of a statement.
fn write(line: &mut Vec<u8>, form: ValueForm, value: Option<&[u8]>, charset: &str) {
    let Some(value) = value else { return line.extend_from_slice(b"NULL") };
    let (before, after) = match form {
        ValueForm::Plain => (format!("_{charset}'"), "'"),
        ValueForm::Hex => ("UNHEX('".to_owned(), "')"),
        ValueForm::Json => (format!("CONVERT(_{charset}'"), "' USING utf8mb4)"),
    };
    line.extend_from_slice(before.as_bytes());
    for byte in value {
        match byte {
            0 => line.extend_from_slice(b"\\0"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            26 => line.extend_from_slice(b"\\Z"),
            b'\'' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            other => line.push(*other),
        }
    }
    line.extend_from_slice(after.as_bytes());
}

impl<R: BufRead> Read for DataRows<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let n = self.text.read(out)?;
            if n > 0 || self.over || out.is_empty() {
                return Ok(n);
            }
            self.text = std::io::Cursor::new(self.next()?);
            if self.over {
                return self.text.read(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::files::load_data::parse;

    fn statements(how: &str, columns: &str, rows: &[u8]) -> Result<String, String> {
        let text = format!("LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` CHARACTER SET binary {how} {columns};");
        let mut read = DataRows::new(parse(&text).unwrap(), rows);
        let mut text = Vec::new();
        read.read_to_end(&mut text).map_err(|e| e.to_string())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    const TABS: &str = "FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'";
    const COMMAS: &str = "FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'";

    #[test]
    fn each_row_becomes_one_line_of_a_statement() {
        assert_eq!(
            statements(TABS, "(`a`,`b`)", b"1\tone\n2\t\\N\n\\N\ttwo\\nlines, a \\\\ and a 'quote\\t'\n").unwrap(),
            "INSERT INTO `t` (`a`,`b`) VALUES (_binary'1',_binary'one')\n,(_binary'2',NULL)\n\
             ,(NULL,_binary'two\\nlines, a \\\\ and a \\'quote\t\\'')\n;\n"
        );
        assert_eq!(
            statements(COMMAS, "(`a`,`b`)", b"1,\"a, \"\"b\"\" \\\"c\\\"\nd\"\n2,\"\"\n3,\\N").unwrap(),
            "INSERT INTO `t` (`a`,`b`) VALUES (_binary'1',_binary'a, \"b\" \"c\"\\nd')\n,(_binary'2',_binary'')\n\
             ,(_binary'3',NULL)\n;\n"
        );
        let forms = "(@a,@b)SET `a`=UNHEX(@a),`b`=CONVERT(@b USING UTF8MB4)";
        assert_eq!(
            statements(TABS, forms, b"00FF\t{\\\"a\\\": 1}\n").unwrap(),
            "INSERT INTO `t` (`a`,`b`) VALUES (UNHEX('00FF'),CONVERT(_binary'{\"a\": 1}' USING utf8mb4))\n;\n"
        );
        assert_eq!(statements(TABS, "(`a`)", b"").unwrap(), "");
        let header = format!("{TABS} IGNORE 1 LINES");
        assert_eq!(
            statements(&header, "(`a`)", b"a\n1\n").unwrap(),
            "\nINSERT INTO `t` (`a`) VALUES (_binary'1')\n;\n"
        );
        // Statements end, so that none is too long for the server.
        let many = statements(TABS, "(`a`)", "7\n".repeat(2500).as_bytes()).unwrap();
        assert_eq!((many.matches("INSERT INTO").count(), many.lines().count()), (3, 2501));
    }

    #[test]
    fn an_invalid_row_is_reported_with_its_line() {
        for (how, rows, why) in [
            (TABS, &b"1\t2\n3\n"[..], "line 2: it has 1 columns, but 2 are expected"),
            (TABS, b"1\t2\n3\t4\t5\n", "line 2: it has 3 columns, but 2 are expected"),
            (TABS, b"1\t2\\", "line 1: the file ends within a value"),
            (COMMAS, b"1,\"two", "line 1: the file ends within a value"),
        ] {
            assert_eq!(statements(how, "(`a`,`b`)", rows).unwrap_err(), why);
        }
    }
}
