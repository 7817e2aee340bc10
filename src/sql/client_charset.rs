//! The character set in which a dump for MySQL or MariaDB is written, as far as it decides where strings end: in some,
//! the second byte of a character can be a backslash.

use crate::sql::sets;

/// Maximum length of a statement that sets it, in bytes.
const LONGEST: usize = 1024;

/// A character set in which the second byte of a character can be a backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ambiguous {
    Sjis,
    Cp932,
    Gbk,
    Big5,
}

impl Ambiguous {
    /// The character set named at the beginning of `text`, which is in capital letters.
    fn named(text: &str) -> Option<Self> {
        match text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default() {
            "SJIS" => Some(Self::Sjis),
            "CP932" => Some(Self::Cp932),
            "GBK" => Some(Self::Gbk),
            "BIG5" => Some(Self::Big5),
            _ => None,
        }
    }

    fn begins_two_bytes(self, b: u8) -> bool {
        match self {
            Self::Sjis | Self::Cp932 => matches!(b, 0x81..=0x9f | 0xe0..=0xfc),
            Self::Gbk | Self::Big5 => matches!(b, 0x81..=0xfe),
        }
    }
}

/// The character set of the statements that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientCharset {
    /// `None`: none of those that matter.
    now: Option<Ambiguous>,
    /// The same after `SET NAMES`.
    usual: Option<Ambiguous>,
}

impl ClientCharset {
    /// Applies a setting in capital letters.
    pub(super) fn learn(&mut self, setting: &str) {
        if let Some(name) = value(setting, "NAMES") {
            self.usual = Ambiguous::named(name);
            self.now = self.usual;
        }
        if let Some(name) = value(setting, "CHARACTER_SET_CLIENT") {
            // A variable contains what was set before.
            self.now = if name.starts_with('@') { self.usual } else { Ambiguous::named(name) };
        }
    }

    /// Applies a statement. If the character set changes, returns the lines with which the client must be told before the
    /// statement, so that it finds the end of a string. The command is one of two that it accepts in binary mode
    /// (<https://mariadb.com/kb/en/mariadb-command-line-client/>). It also does what `SET NAMES` does, which the dump's own
    /// statements then correct.
    pub fn follow(&mut self, statement: &[u8]) -> Option<&'static str> {
        let before = self.now;
        self.learn(&setting(statement)?);
        (self.now != before).then_some(match self.now {
            Some(Ambiguous::Sjis) => "\n\\C sjis\n",
            Some(Ambiguous::Cp932) => "\n\\C cp932\n",
            Some(Ambiguous::Gbk) => "\n\\C gbk\n",
            Some(Ambiguous::Big5) => "\n\\C big5\n",
            None => "\n\\C utf8mb4\n",
        })
    }

    /// Whether a byte begins a character of two bytes whose second byte can be a backslash.
    pub(super) fn begins_two_bytes(self, b: u8) -> bool {
        self.now.is_some_and(|charset| charset.begins_two_bytes(b))
    }
}

/// A statement that sets variables, in capital letters; `None` if it is another statement.
pub(super) fn setting(statement: &[u8]) -> Option<String> {
    let short = statement.len() < LONGEST && sets(statement);
    short.then(|| std::str::from_utf8(statement).ok().map(str::to_ascii_uppercase)).flatten()
}

/// The beginning of the value that a statement in capital letters gives to a setting; `None` if it does not set it.
fn value<'a>(text: &'a str, setting: &str) -> Option<&'a str> {
    let set =
        |at: usize| text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_whitespace() || c == ','));
    let (at, _) = text.match_indices(setting).find(|(at, _)| set(*at))?;
    let rest = text.get(at + setting.len()..)?;
    Some(rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '@'))
}

#[cfg(test)]
mod tests {
    use super::ClientCharset;

    #[test]
    fn the_client_follows_the_character_set_of_a_routine_and_returns() {
        let mut charset = ClientCharset::default();
        for (statement, name) in [
            ("SET NAMES utf8mb4", None),
            ("/*!50003 SET @saved_cs_client      = @@character_set_client */", None),
            ("/*!50003 SET character_set_client  = sjis */", Some("sjis")),
            ("/*!50003 SET character_set_results = sjis */", None),
            ("CREATE PROCEDURE p() SELECT 'SET character_set_client = gbk'", None),
            ("/*!50003 SET character_set_client  = @saved_cs_client */", Some("utf8mb4")),
            ("SET NAMES gbk", Some("gbk")),
            ("SET character_set_client = utf8", Some("utf8mb4")),
            ("SET character_set_client = @saved_cs_client", Some("gbk")),
        ] {
            let command = name.map(|name: &str| format!("\n\\C {name}\n"));
            assert_eq!(charset.follow(statement.as_bytes()).map(str::to_owned), command, "{statement}");
        }
    }
}
