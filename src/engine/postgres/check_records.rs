//! The server-wide records of a PostgreSQL backup: values, one JSON line each. They are validated here, so that only
//! records that this module understands reach a server.

use super::statements;
use crate::engine::postgres::server_record::Record;

/// Parses the server-wide part of a backup, in the current format or in the older one, which consisted of statements.
/// Returns the input of `restore_server_records.sh`.
///
/// # Errors
/// A sentence if a record is not in a format that a portal writes.
pub(super) fn read(older: bool, text: &[u8], admin: &str) -> Result<Vec<u8>, String> {
    let refused = |why: String| {
        format!("The server-wide definitions were rejected: {why}. The backup may come from a compromised server.")
    };
    let text = std::str::from_utf8(text).map_err(|e| refused(e.to_string()))?;
    let records: Vec<Record> = match older {
        true => statements::read(text).map_err(refused)?,
        false => {
            let lines = text.lines().enumerate().map(|(i, line)| {
                serde_json::from_str(line).map_err(|e| refused(format!("line {} cannot be parsed ({e})", i + 1)))
            });
            lines.collect::<Result<_, _>>()?
        }
    };
    let mut out = Vec::new();
    for record in records {
        let record = record.checked(admin).map_err(refused)?;
        serde_json::to_writer(&mut out, &record).map_err(|e| refused(e.to_string()))?;
        out.push(b'\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::server_record::elements;

    fn said(lines: &str) -> Result<String, String> {
        read(false, lines.as_bytes(), "db4sci_admin").map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn list_settings_are_split_like_in_the_server() {
        let of = |text: &str| elements(text);
        let list = |items: &[&str]| Some(items.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("ctgov, public"), list(&["ctgov", "public"]));
        assert_eq!(of("\"\""), list(&[""]));
        assert_eq!(of(""), list(&[""]));
        assert_eq!(of("\"$user\", public"), list(&["$user", "public"]));
        assert_eq!(of("\"a\"\"b, c\" ,d"), list(&["a\"b, c", "d"]));
        assert_eq!(of("x;CREATE/**/ROLE"), list(&["x;CREATE/**/ROLE"]));
        for wrong in ["\"open", "\"a\" b", "a, \"b"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_records_that_a_portal_writes_are_accepted() {
        let setting = r#"{"setting":{"database":"trial","role":null,"name":"search_path","value":"a, b"}}"#;
        assert!(said(setting).unwrap().contains(r#""values":["a","b"]"#));
        let style = r#"{"setting":{"database":"trial","role":null,"name":"DateStyle","value":"ISO, DMY"}}"#;
        assert!(said(style).unwrap().contains(r#""values":["ISO, DMY"]"#));
        for wrong in [
            "CREATE ROLE x SUPERUSER;",
            r#"{"statement":"CREATE ROLE x"}"#,
            r#"{"member":{"of":"db4sci_admin","member":"ada","admin":true,"inherit":null,"set":null}}"#,
            r#"{"setting":{"database":null,"role":"db4sci_admin","name":"search_path","value":"x"}}"#,
            r#"{"setting":{"database":null,"role":"ada","name":"search_path","value":"\"x"}}"#,
            r#"{"inside":{"database":"trial","public":null,"extensions":[],"more":1}}"#,
        ] {
            assert!(said(wrong).unwrap_err().contains("may come from a compromised server"), "{wrong}");
        }
    }
}
