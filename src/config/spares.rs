//! The setting `databases.spares`: how many servers are started in advance.

/// How many servers of an image are started in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpareCount {
    /// This number.
    Fixed(u8),
    /// As many databases as were created from it per day lately.
    Auto,
}

/// An entry of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpareRule {
    /// An engine, which stands for its default image, or an image as in the catalog.
    pub image: String,
    /// How many.
    pub count: SpareCount,
}

impl SpareRule {
    /// Largest number for one image.
    pub const MOST: u8 = 50;

    /// Reads `IMAGE=NUMBER` or `IMAGE=auto`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{text}” must be an engine or image, “=”, and a number up to {} or “auto”", Self::MOST);
        let (image, count) = text.rsplit_once('=').ok_or_else(wrong)?;
        let count = match count.trim() {
            "auto" => SpareCount::Auto,
            number => SpareCount::Fixed(number.parse().ok().filter(|n| *n <= Self::MOST).ok_or_else(wrong)?),
        };
        let image = image.trim().to_owned();
        if image.is_empty() { Err(wrong()) } else { Ok(Self { image, count }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_an_image_and_a_number() {
        let rule = |text: &str| SpareRule::parse(text).map(|rule| (rule.image, rule.count));
        assert_eq!(rule("postgres=1"), Ok(("postgres".to_owned(), SpareCount::Fixed(1))));
        assert_eq!(rule("docker.io/library/mongo:6.0 = auto").map(|(_, count)| count), Ok(SpareCount::Auto));
        for wrong in ["postgres", "=1", "postgres=", "postgres=-1", "postgres=51", "postgres=many"] {
            assert!(SpareRule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
