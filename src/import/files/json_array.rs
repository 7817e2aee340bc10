//! The elements of a JSON array, one after the other, so that only one is in memory.

use std::io::BufRead;

/// What has been read of an array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Nothing.
    Start,
    /// Its opening bracket.
    Elements,
    /// Its closing bracket.
    End,
}

/// Reads an array. Only its structure is examined, not its elements.
pub(super) struct JsonArray<R> {
    from: R,
    /// Maximum bytes of an element.
    most: u64,
    line: u64,
    reached: Reached,
}

impl<R: BufRead> JsonArray<R> {
    pub(super) fn new(from: R, most: u64) -> Self {
        Self { from, most, line: 1, reached: Reached::Start }
    }

    /// Reads the next element into `text`. Returns the line on which it begins; `None` at the end of the file.
    ///
    /// # Errors
    /// The line, and a clause, if the array is broken.
    pub(super) fn next(&mut self, text: &mut Vec<u8>) -> Result<Option<u64>, (u64, String)> {
        text.clear();
        let (mut depth, mut inside, mut escaped, mut begins) = (0_u64, false, false, None);
        while let Some(byte) = self.byte()? {
            match self.reached {
                _ if byte.is_ascii_whitespace() && begins.is_none() => continue,
                Reached::Start if byte == b'[' => {
                    self.reached = Reached::Elements;
                    continue;
                }
                Reached::Start => return Err((self.line, "it does not begin with “[”".to_owned())),
                Reached::End => return Err((self.line, "there is more after the end of the array".to_owned())),
                Reached::Elements => {}
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = inside,
                b'"' => inside = !inside,
                _ if inside => {}
                b'[' | b'{' => depth += 1,
                b',' if depth == 0 && begins.is_none() => {
                    return Err((self.line, "there is nothing before a comma of the array".to_owned()));
                }
                b',' if depth == 0 => return Ok(begins),
                b']' if depth == 0 => {
                    self.reached = Reached::End;
                    if begins.is_some() {
                        return Ok(begins);
                    }
                    continue;
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            begins = begins.or(Some(self.line));
            text.push(byte);
            if text.len() as u64 >= self.most {
                return Err((self.line, format!("the document is longer than {} MiB", self.most >> 20)));
            }
        }
        match self.reached {
            Reached::End => Ok(None),
            _ => Err((self.line, "the array does not end. The file may be truncated: create it again".to_owned())),
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, (u64, String)> {
        let ready = self.from.fill_buf().map_err(|e| (self.line, e.to_string()))?;
        let Some(byte) = ready.first().copied() else { return Ok(None) };
        self.from.consume(1);
        if byte == b'\n' {
            self.line += 1;
        }
        Ok(Some(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Result<Vec<(u64, String)>, (u64, String)> {
        let (mut array, mut found, mut element) = (JsonArray::new(text.as_bytes(), 40), Vec::new(), Vec::new());
        while let Some(line) = array.next(&mut element)? {
            found.push((line, String::from_utf8_lossy(element.trim_ascii()).into_owned()));
        }
        Ok(found)
    }

    #[test]
    fn elements_are_separated() {
        let text = " [\n{\"a\": [1, {\"b\": \"]},\\\"\"}]}\n, {\"c\":\n2},7]\n\n";
        let wanted = [(2, "{\"a\": [1, {\"b\": \"]},\\\"\"}]}"), (3, "{\"c\":\n2}"), (4, "7")];
        assert_eq!(elements(text), Ok(wanted.map(|(line, text)| (line, text.to_owned())).into()));
        assert_eq!((elements("[]"), elements("[ {} ,\n]")), (Ok(vec![]), Ok(vec![(1, "{}".to_owned())])));
        for cut in (1..text.trim_end().len()).filter(|cut| text.is_char_boundary(*cut)) {
            assert!(elements(&text[..cut]).unwrap_err().1.contains("does not end"), "{}", &text[..cut]);
        }
    }

    #[test]
    fn broken_arrays_are_rejected_with_their_line() {
        for (text, line, words) in [
            ("[{},\n,{}]", 2, "nothing before a comma"),
            ("[{}]\n[{}]", 2, "more after the end"),
            ("[{\"a\":\"01234567890123456789012345678901234567890\"}]", 1, "longer than"),
            ("[{}\n}", 2, "does not end"),
        ] {
            let said = elements(text).unwrap_err();
            assert!(said.0 == line && said.1.contains(words), "{text}: {said:?}");
        }
    }
}
