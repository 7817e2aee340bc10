//! Checks that everything the documentation names exists: files, Makefile targets, settings and commands of the
//! program, and tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Documents outside `docs/`.
const AT_THE_ROOT: [&str; 4] = ["README.md", "CONTRIBUTING.md", "prod/ssl/README.md", "dev/images/README.md"];

/// Folders whose files must exist if a document names them.
const FOLDERS: [&str; 8] = ["docs/", "dev/", "prod/", "dbconfig/", "tests/", "static/", "migrations/", "benches/"];

/// Parts of paths that are created later and are missing from a fresh checkout.
const CREATED: [&str; 3] = ["/secrets/", "dev/ssl/", "prod/ssl/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found: Vec<PathBuf> = AT_THE_ROOT.iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "docs/user"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("a folder of documents");
        found.extend(entries.map(|e| e.expect("an entry").path()).filter(|p| p.extension().is_some_and(|e| e == "md")));
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// Inline code, and each line of code blocks.
fn quoted(text: &str) -> Vec<&str> {
    let (mut found, mut in_block) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

#[test]
fn every_link_and_path_in_the_documents_leads_to_a_file() {
    let mut missing = Vec::new();
    for (document, text) in documents() {
        let beside = document.parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            // Links in help pages lead to pages of the portal; `web/pages/docs.rs` checks those.
            let is_file = !file.is_empty() && !file.starts_with('/') && !file.contains("://");
            if is_file && !beside.join(file).exists() {
                missing.push(format!("{}: {target}", name_of(&document)));
            }
        }
        for piece in quoted(&text).into_iter().flat_map(str::split_whitespace) {
            let path = piece.trim_matches(|c: char| !c.is_alphanumeric() && c != '/').split("::").next().unwrap_or("");
            let named = FOLDERS.iter().any(|f| path.starts_with(f)) && !CREATED.iter().any(|part| path.contains(part));
            if named && !path.contains(['<', '*', '…', '|']) && !root().join(path).exists() {
                missing.push(format!("{}: {path}", name_of(&document)));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_make_target_in_the_documents_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let targets: BTreeSet<&str> = makefile.lines().filter_map(|l| l.split_once(": ##")).map(|(t, _)| t).collect();
    assert!(targets.contains("run") && targets.contains("test"), "{targets:?}");
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for target in quoted(&text).into_iter().filter_map(|q| q.strip_prefix("make ")) {
            let target = target.split([' ', ',']).next().unwrap_or_default();
            if !targets.contains(target) {
                wrong.push(format!("{}: make {target}", name_of(&document)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_setting_in_the_documents_exists() {
    let table = std::fs::read_to_string(root().join("docs/OPERATIONS.md")).expect("the table");
    let settings: BTreeSet<&str> =
        table.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).filter(|k| k.contains('.')).collect();
    let sections: BTreeSet<&str> = settings.iter().filter_map(|key| key.split('.').next()).collect();
    assert!(settings.contains("backups.copies") && sections.len() > 5, "{sections:?}");
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for key in quoted(&text).into_iter().filter_map(|q| q.split([' ', '=']).next()) {
            let Some((section, rest)) = key.split_once('.') else { continue };
            let is_file = ["rs", "md", "conf", "toml", "sig", "sql", "json"].contains(&rest);
            // A table such as `backups.keep` contains settings.
            let is_table = settings.iter().any(|s| s.starts_with(&format!("{key}.")));
            if sections.contains(section) && is_word(rest) && !is_file && !is_table && !settings.contains(key) {
                wrong.push(format!("{}: {key}", name_of(&document)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut commands = BTreeSet::new();
    for (document, text) in documents() {
        for line in quoted(&text) {
            let Some((before, rest)) = line.split_once("db4sci ") else { continue };
            // The program comes first, or after environment variables or `docker compose exec portal`.
            if !before.is_empty() && !before.ends_with(' ') {
                continue;
            }
            let is_word = |w: &&str| w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !w.starts_with('-');
            let words: Vec<&str> = rest.split_whitespace().take_while(is_word).take(2).collect();
            if let Some(first) = words.first() {
                let deep = ["admin-db", "backup", "container", "target", "token", "user"].contains(first);
                let words = if deep { &words[..] } else { &words[..1] };
                commands.insert((words.join(" "), name_of(&document)));
            }
        }
    }
    assert!(commands.iter().any(|(c, _)| c == "backup find"), "{commands:?}");
    let fails = |command: &str| {
        let asked = Command::new(env!("CARGO_BIN_EXE_db4sci")).args(command.split(' ')).arg("--help").output();
        !asked.expect("the program runs").status.success()
    };
    let wrong: Vec<_> = commands.iter().filter(|(command, _)| fails(command)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The sources that may contain a test with this path: `engines::seeds::NAME` is in `tests/`, `domain::ttl::tests::NAME`
/// in `src/`, beside the code or in its own file.
fn sources_of(modules: &[&str]) -> Vec<PathBuf> {
    let (folder, modules, own) = match modules {
        [code @ .., "tests"] => ("src", code, true),
        all => ("tests", all, false),
    };
    let base = root().join(folder).join(modules.join("/"));
    let mut found = vec![base.with_extension("rs"), base.join("mod.rs")];
    if own {
        found.extend([base.join("tests.rs"), root().join(format!("src/{}_tests.rs", modules.join("/")))]);
    }
    found
}

/// The names of the tests in a source, including those that a macro makes of lines such as `NAME 0;`.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let (mut found, mut is_test) = (BTreeSet::new(), false);
    for line in source.lines().map(str::trim_start) {
        let attribute = line.strip_prefix("$(").unwrap_or(line);
        if attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            found.extend(rest.split('(').next().filter(|_| is_test));
            is_test = false;
        }
    }
    if found.contains("$name") {
        found.extend(source.lines().filter_map(|line| {
            let (name, number) = line.trim().split_once(' ')?;
            number.strip_suffix(';')?.parse::<u8>().is_ok().then_some(name)
        }));
    }
    found
}

/// Whether a test with this path exists.
fn is_a_test(path: &str) -> bool {
    let modules: Vec<&str> = path.split("::").collect();
    let Some((name, modules)) = modules.split_last().filter(|(_, modules)| !modules.is_empty()) else { return false };
    let read = sources_of(modules).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    read.into_iter().any(|source| tests_in(&source).contains(name))
}

#[test]
fn every_feature_has_a_test_that_exists_or_says_why_not() {
    let table = std::fs::read_to_string(root().join("docs/FEATURES.md")).expect("the table");
    let (mut wrong, mut named) = (Vec::new(), 0);
    let is_head = |row: &&str| row.starts_with("| feature ") || row.starts_with("| --- ");
    for row in table.lines().filter(|line| line.starts_with('|')).filter(|row| !is_head(row)) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [feature, here, proof] = cells.as_slice() else {
            wrong.push(format!("not three columns: {row}"));
            continue;
        };
        let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        let says_why = ["not yet", "not yet tested", "deliberately not"].contains(proof);
        if feature.is_empty() || here.is_empty() || tests.is_empty() != says_why {
            wrong.push(format!("neither a test nor the reason why there is none: {row}"));
        }
        named += tests.len();
        wrong.extend(tests.into_iter().filter(|test| !is_a_test(test)).map(|test| format!("no such test: {test}")));
    }
    assert!(named > 100, "{named} tests are named");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn tests_are_found_where_their_paths_say() {
    for path in [
        "documents::tests_are_found_where_their_paths_say",
        "engines::seeds::databases_of_every_engine_start_from_prepared_data",
        "engines::contract::mariadb_11_8_keeps_the_contract",
        "config::tests::a_mode_is_required",
        "domain::ttl::tests::any_text_is_parsed_or_rejected_with_a_sentence",
        "cli::tests::the_command_line_is_consistent",
    ] {
        assert!(is_a_test(path), "{path} is a test");
    }
    for path in [
        "documents::is_a_test",
        "documents::nothing",
        "seeds::databases_of_every_engine_start_from_prepared_data",
        "domain::ttl::any_text_is_parsed_or_rejected_with_a_sentence",
        "engines::contract::contract",
        "tests_are_found_where_their_paths_say",
        "",
    ] {
        assert!(!is_a_test(path), "{path} is not a test");
    }
}
