//! Generates the settings reference in `docs/OPERATIONS.md` from the table of settings.

use std::fmt::Write as _;

use super::settings;
use super::settings::TABLES;
use super::{dev, prod};

/// The reference as a Markdown table.
pub fn markdown() -> String {
    let mut out = String::from("| setting | type | prod | dev | meaning |\n| --- | --- | --- | --- | --- |\n");
    for setting in settings::all() {
        let of = |class: &[(&str, &str)]| {
            let own = class.iter().find(|(k, _)| *k == setting.key).map(|(_, v)| *v);
            match own.or(setting.default) {
                None => "–".to_owned(),
                Some("") => "(empty)".to_owned(),
                Some(text) => format!("`{text}`"),
            }
        };
        let secret = if setting.secret { " Secret; can also be set as `…_file`." } else { "" };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {}{secret} |",
            setting.key,
            setting.kind.as_str(),
            of(prod::DEFAULTS),
            of(dev::DEFAULTS),
            setting.doc,
        );
    }
    out.push_str("\nTables:\n\n");
    for (_, doc) in TABLES {
        let _ = writeln!(out, "- {doc}");
    }
    out
}
