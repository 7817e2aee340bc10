//! Passwords of databases and accounts.

use secrecy::{ExposeSecret, SecretString};

use crate::secrets::Random;

/// Minimum length of a typed password, in characters.
pub const MIN_CHARS: usize = 8;
/// Maximum length in bytes of UTF-8. Every supported engine accepts this length.
pub const MAX_BYTES: usize = 256;
/// Characters of generated passwords: no look-alikes, and none that needs escaping in a URL, a shell or SQL.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 24 characters out of 56 have 139 bits.
const GENERATED_CHARS: usize = 24;

/// A password that complies with the rules. Its text is never printed.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Checks a typed password. Every printable character is allowed, including quotes, backslashes and emoji. Control
    /// characters are not, because forms and files cannot transfer them reliably.
    ///
    /// # Errors
    /// A sentence that states the violated rule. It never contains the password.
    pub fn parse(raw: &str) -> Result<Self, String> {
        if raw.chars().any(char::is_control) {
            return Err("A password cannot contain control characters such as tabs or line breaks.".to_owned());
        }
        let chars = raw.chars().count();
        if chars < MIN_CHARS {
            return Err(format!("Use at least {MIN_CHARS} characters; this password has {chars}."));
        }
        if raw.len() > MAX_BYTES {
            return Err(format!("Use at most {MAX_BYTES} bytes; this password has {}.", raw.len()));
        }
        Ok(Self(SecretString::from(raw)))
    }

    /// Generates a password of 139 random bits.
    pub fn generate(random: &Random) -> Self {
        let mut text = String::with_capacity(GENERATED_CHARS);
        while text.len() < GENERATED_CHARS {
            for byte in random.bytes::<32>() {
                // The remainder of any byte would favour the first letters, so larger bytes are discarded.
                let limit = 256 - 256 % ALPHABET.len();
                if usize::from(byte) < limit
                    && let Some(c) = ALPHABET.get(usize::from(byte) % ALPHABET.len())
                    && text.len() < GENERATED_CHARS
                {
                    text.push(char::from(*c));
                }
            }
        }
        Self(SecretString::from(text))
    }

    /// The password as a secret.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The password's text, for the code that has to send it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_characters_are_accepted_and_control_characters_rejected() {
        let printable: String = (' '..='~').collect();
        for good in [printable.as_str(), "quotes'\"\\$`", "emoji 🐘🐘🐘", "пароль-пароль"] {
            assert!(Password::parse(good).is_ok());
        }
        for bad in ["short", "tab\tinside", "line\nend-here", "nul\0nul-nul", "del\u{7f}del-del", ""] {
            assert!(Password::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(Password::parse(&"x".repeat(MAX_BYTES)).is_ok());
        assert!(Password::parse(&"x".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn generated_passwords_are_unique_and_valid() {
        let random = Random::system();
        let (a, b) = (Password::generate(&random), Password::generate(&random));
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), GENERATED_CHARS);
        assert!(Password::parse(a.expose()).is_ok());
    }

    #[test]
    fn debug_output_hides_the_text() {
        let said = Password::parse("correct horse").map(|p| format!("{p:?}"));
        assert!(!said.unwrap_or_default().contains("horse"));
    }
}
