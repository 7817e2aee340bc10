//! The structure of the code: reads all imports from the sources and checks them against the layers in
//! `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Pairs of files that may import each other: a facade and its implementation.
const FACADES: [(&str, &str); 2] = [("objects/mod.rs", "objects/s3.rs"), ("storage/mod.rs", "storage/files.rs")];

/// The source files of the library by their path in `src/`, with their module paths and imports.
struct House {
    modules: BTreeMap<Vec<String>, String>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut texts = BTreeMap::new();
        read_below(&root, &root, &mut texts);
        let modules: BTreeMap<_, _> = texts.keys().map(|f| (module(f), f.clone())).collect();
        let mut house = Self { modules, imports: BTreeMap::new() };
        for (file, text) in &texts {
            let own = module(file);
            let found = paths(&code(text)).into_iter().filter_map(|path| house.target(&own, &path));
            let found = found.filter(|target| target != file).collect();
            house.imports.insert(file.clone(), found);
        }
        house
    }

    /// The file that a path in the module `own` refers to, if it is one of these sources.
    fn target(&self, own: &[String], path: &[String]) -> Option<String> {
        let first = path.first()?.as_str();
        let mut at = match first {
            "crate" => Vec::new(),
            "self" | "super" => own.to_vec(),
            // A child of this module, named without a prefix.
            _ if self.modules.contains_key(&[own, &path[..1]].concat()) => [own, &path[..1]].concat(),
            _ => return None,
        };
        for segment in &path[1.min(path.len())..] {
            if segment != "super" && segment != "self" {
                at.push(segment.clone());
            }
        }
        let ups = path.iter().filter(|s| *s == "super").count();
        if ups > 0 {
            let rest = at.split_off(own.len());
            at.truncate(own.len().saturating_sub(ups));
            at.extend(rest);
        }
        while !at.is_empty() {
            if let Some(file) = self.modules.get(&at) {
                return Some(file.clone());
            }
            at.pop();
        }
        None
    }

    /// All files that can be reached from one by imports.
    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let (mut found, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            for next in self.imports.get(file).into_iter().flatten() {
                if !is_facade(file, next) && found.insert(next.as_str()) {
                    left.push(next);
                }
            }
        }
        found
    }
}

fn is_facade(a: &str, b: &str) -> bool {
    FACADES.iter().any(|(x, y)| (a, b) == (*x, *y) || (a, b) == (*y, *x))
}

fn read_below(root: &Path, at: &Path, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(at).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_below(root, &path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root).expect("below src").to_string_lossy().into_owned();
            if name != "main.rs" && name != "lib.rs" && !name.ends_with("tests.rs") {
                into.insert(name, std::fs::read_to_string(&path).expect("a source"));
            }
        }
    }
}

/// `backup/restore/mod.rs` is the module `backup::restore`.
fn module(file: &str) -> Vec<String> {
    let mut parts: Vec<_> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// A source without comments, strings and its own unit tests.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut out = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        // Strings contain no imports; an unpaired quote is a character or belongs to a string of several lines.
        let mut parts = line.split('"');
        out.push_str(parts.next().unwrap_or_default());
        for outside in parts.skip(1).step_by(2) {
            out.push_str("\"\"");
            out.push_str(outside);
        }
        out.push('\n');
    }
    out
}

/// All paths of a source: the leaves of its `use` trees, and the paths in its code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before =
            code[..at].trim_end_matches("pub(crate) ").trim_end_matches("pub(super) ").trim_end_matches("pub ");
        if before.is_empty() || before.ends_with('\n') || before.ends_with(' ') {
            let tree = code[at + 4..].split(';').next().unwrap_or_default();
            leaves(&mut tree.trim(), &mut Vec::new(), &mut found);
        }
    }
    for line in code.lines().filter(|line| !is_use(line)) {
        for piece in line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
            if piece.contains("::") {
                found.push(piece.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect());
            }
        }
    }
    found
}

fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|start| line.starts_with(start))
}

/// Reads one use tree: `a::b::{c, d::{self, e as f}}`.
fn leaves(text: &mut &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let depth = prefix.len();
    loop {
        *text = text.trim_start();
        if let Some(rest) = text.strip_prefix('{') {
            *text = rest;
            loop {
                *text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                if let Some(rest) = text.strip_prefix('}') {
                    *text = rest;
                    break;
                }
                if text.is_empty() {
                    break;
                }
                leaves(text, prefix, found);
            }
            break;
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
        if end == 0 {
            break;
        }
        prefix.push(text[..end].to_owned());
        *text = text[end..].trim_start();
        if let Some(rest) = text.strip_prefix("::") {
            *text = rest;
            continue;
        }
        if let Some(rest) = text.strip_prefix("as ") {
            *text = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        }
        found.push(prefix.clone());
        break;
    }
    prefix.truncate(depth);
}

/// The units of each layer, from the top down, as `docs/ARCHITECTURE.md` lists them.
fn floors() -> Vec<Vec<String>> {
    let map = include_str!("../docs/ARCHITECTURE.md");
    let block =
        map.split("<!-- floors -->").nth(1).and_then(|rest| rest.split("```").nth(1)).expect("a list of floors");
    let lines = block.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect());
    lines.filter(|line: &Vec<String>| !line.is_empty()).collect()
}

/// A folder or file at the top of `src/`.
fn unit(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

#[test]
fn there_are_no_import_cycles() {
    let house = House::read();
    let mut circles = BTreeSet::new();
    for file in house.imports.keys() {
        let reached = house.reached(file);
        if reached.contains(file.as_str()) {
            let circle: Vec<_> = reached
                .iter()
                .filter(|other| house.reached(other).contains(file.as_str()))
                .map(|o| (*o).to_owned())
                .collect();
            circles.insert(circle);
        }
    }
    let mut told = String::new();
    for circle in &circles {
        told += "\n\na circle:";
        for file in circle {
            for to in house.imports[file].iter().filter(|to| circle.contains(to)) {
                told.extend(["\n  ", file, " -> ", to]);
            }
        }
    }
    assert!(circles.is_empty(), "{} circles{told}", circles.len());
}

#[test]
fn imports_lead_only_to_lower_layers() {
    let (house, floors) = (House::read(), floors());
    let floor = |file: &str| floors.iter().position(|units| units.iter().any(|u| u == unit(file)));
    let mut wrong = Vec::new();
    for (file, targets) in &house.imports {
        let Some(own) = floor(file) else {
            wrong.push(format!("{file} is in no layer of docs/ARCHITECTURE.md"));
            continue;
        };
        for target in targets.iter().filter(|t| unit(t) != unit(file)) {
            if floor(target).is_some_and(|there| there <= own) {
                wrong.push(format!("{file} -> {target}"));
            }
        }
    }
    for named in floors.iter().flatten() {
        if !house.imports.keys().any(|file| unit(file) == named) {
            wrong.push(format!("docs/ARCHITECTURE.md lists {named}, which does not exist"));
        }
    }
    assert!(wrong.is_empty(), "imports that lead up:\n{}", wrong.join("\n"));
}

#[test]
fn a_flat_folder_has_at_most_twenty_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut left: Vec<_> = ["src", "tests", "benches", "templates", "static", "dev"].map(|d| root.join(d)).to_vec();
    let mut large = Vec::new();
    while let Some(folder) = left.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").path());
        let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        if files.len() > 20 {
            large.push(format!("{}: {} files", folder.display(), files.len()));
        }
        left.extend(folders);
    }
    assert!(large.is_empty(), "these folders need subfolders: {large:?}");
}

#[test]
fn imports_are_read_from_trees_and_paths() {
    let text = "use crate::a::{self, b::{C, d as e}, f};\npub(crate) use super::g; // use crate::no::x;\nfn h() { crate::i::j(\"crate::k::l\") }\n\n#[cfg(test)]\nmod tests {\n    use crate::m::n;\n}\n";
    let found: Vec<_> = paths(&code(text)).into_iter().map(|p| p.join("::")).collect();
    assert_eq!(found, ["crate::a::self", "crate::a::b::C", "crate::a::b::d", "crate::a::f", "super::g", "crate::i::j"]);
}

#[test]
fn every_source_named_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for document in ["docs/ARCHITECTURE.md", "docs/SECURITY.md", "docs/BACKUPS.md", "docs/API.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root.join(document)).expect("a document");
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split("::").next().unwrap_or_default();
            let is_source = path.contains('/')
                && !path.contains(['<', ' ', '*'])
                && Path::new(path).extension().is_some_and(|e| e == "rs");
            if is_source && !root.join(path).exists() && !root.join("src").join(path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
