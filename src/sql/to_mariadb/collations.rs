//! Maps collations of MySQL 8 that MariaDB does not support, or only since 11.4, to names that all supported versions
//! know.

/// MySQL's language codes and MariaDB's names for them. Other languages get the root collation.
const LANGUAGES: &[(&str, &str)] = &[
    ("cs", "czech"),
    ("da", "danish"),
    ("de_pb", "german2"),
    ("eo", "esperanto"),
    ("es", "spanish"),
    ("es_trad", "spanish2"),
    ("et", "estonian"),
    ("hr", "croatian"),
    ("hu", "hungarian"),
    ("is", "icelandic"),
    ("la", "roman"),
    ("lt", "lithuanian"),
    ("lv", "latvian"),
    ("pl", "polish"),
    ("ro", "romanian"),
    ("sk", "slovak"),
    ("sl", "slovenian"),
    ("sv", "swedish"),
    ("tr", "turkish"),
    ("vi", "vietnamese"),
];

/// The equivalent of a collation in MariaDB; `None` if it is not specific to MySQL 8.
pub fn mapped(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    let (language, kind) = name.strip_prefix("utf8mb4_")?.split_once("0900_")?;
    let language = match language {
        "" => None,
        some => Some(some.strip_suffix('_')?),
    };
    let word = language.and_then(|l| LANGUAGES.iter().find(|(mysql, _)| *mysql == l)).map(|(_, word)| *word);
    let sensitive = match kind {
        "bin" => return Some("utf8mb4_nopad_bin".to_owned()),
        "ai_ci" | "as_ci" | "as_cs" => kind,
        // Japanese, which distinguishes hiragana from katakana.
        "as_cs_ks" => "as_cs",
        _ => return None,
    };
    let word = word.map(|w| format!("{w}_")).unwrap_or_default();
    Some(format!("utf8mb4_uca1400_{word}nopad_{sensitive}"))
}

#[cfg(test)]
mod tests {
    use crate::sql::to_mariadb::collations::*;

    #[test]
    fn every_collation_of_mysql_8_is_mapped() {
        for (name, wanted) in [
            ("utf8mb4_0900_ai_ci", Some("utf8mb4_uca1400_nopad_ai_ci")),
            ("UTF8MB4_0900_AS_CS", Some("utf8mb4_uca1400_nopad_as_cs")),
            ("utf8mb4_es_trad_0900_ai_ci", Some("utf8mb4_uca1400_spanish2_nopad_ai_ci")),
            ("utf8mb4_zh_0900_as_cs", Some("utf8mb4_uca1400_nopad_as_cs")),
            ("utf8mb4_ja_0900_as_cs_ks", Some("utf8mb4_uca1400_nopad_as_cs")),
            ("utf8mb4_0900_bin", Some("utf8mb4_nopad_bin")),
            ("utf8mb4_general_ci", None),
            ("utf8mb4_0900", None),
            ("utf8_0900_ai_ci", None),
        ] {
            assert_eq!(mapped(name.as_bytes()).as_deref(), wanted, "{name}");
        }
    }
}
