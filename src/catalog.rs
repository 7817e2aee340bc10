//! The available engines and images: reads and checks `dbconfig/catalog.toml` once.

use std::path::Path;

use anyhow::Context;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::config::Problem;
use crate::domain::engine::EngineKind;
use crate::domain::quantity::ByteSize;

/// An available image.
#[derive(Debug, Clone)]
pub struct CatalogImage {
    /// The engine that the image contains.
    pub engine: EngineKind,
    /// The reference users know, such as `docker.io/library/postgres:17`.
    pub image: String,
    /// Version of the server, such as `17`.
    pub version: String,
    /// The label in the form, such as `PostgreSQL 17`.
    pub label: String,
    /// Where the data directory is mounted in the container.
    pub volume: String,
    /// The server's own data directory, at or below `volume`.
    pub data: String,
    /// User id of the server's process in the image.
    pub uid: u32,
    /// Group id of the server's process in the image.
    pub gid: u32,
    /// The minimum memory for a container of this image.
    pub min_memory: ByteSize,
    /// A sentence to show in the form.
    pub notes: String,
    /// Whether its containers may connect to this machine, other networks and the internet.
    pub egress: bool,
    /// Day after which its vendor provides no more fixes.
    pub end_of_life: Option<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    image: Vec<toml::Spanned<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    engine: String,
    image: String,
    version: String,
    label: String,
    volume: String,
    data: String,
    uid: u32,
    gid: u32,
    min_memory: String,
    #[serde(default)]
    notes: String,
    #[serde(default)]
    egress: bool,
    end_of_life: Option<String>,
}

/// All available images, in the order of the file.
#[derive(Debug, Clone)]
pub struct Catalog {
    images: Vec<CatalogImage>,
}

impl Catalog {
    /// Reads and checks the catalog.
    pub fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let source = path.display().to_string();
        let problem = |key: String, rule: String| Problem { source: source.clone(), key, rule };
        let text = std::fs::read_to_string(path)
            .map_err(|e| vec![problem("(file)".to_owned(), format!("can't be read: {e}"))])?;
        Self::parse(&text).map_err(|faults| faults.into_iter().map(|(key, rule)| problem(key, rule)).collect())
    }

    /// Parses the catalog's text.
    pub fn parse(text: &str) -> Result<Self, Vec<(String, String)>> {
        let file: File =
            toml::from_str(text).map_err(|e| vec![("(syntax)".to_owned(), e.to_string().trim().replace('\n', " "))])?;
        let mut faults = Vec::new();
        let mut images: Vec<CatalogImage> = Vec::new();
        for (i, item) in file.image.into_iter().enumerate() {
            let line = text.get(..item.span().start).unwrap_or_default().lines().count() + 1;
            let place = |name: &str| format!("image {} (line {line}), {name}", i + 1);
            let entry: Entry = match item.into_inner().try_into() {
                Ok(entry) => entry,
                Err(e) => {
                    faults.push((place("entry"), e.to_string().trim().replace('\n', " ")));
                    continue;
                }
            };
            match check(entry, &images) {
                Ok(image) => images.push(image),
                Err(found) => faults.extend(found.into_iter().map(|(field, rule)| (place(field), rule))),
            }
        }
        if images.is_empty() && faults.is_empty() {
            faults.push(("image".to_owned(), "the catalog is empty".to_owned()));
        }
        if faults.is_empty() { Ok(Self { images }) } else { Err(faults) }
    }

    /// All images, in the order of the file.
    pub fn images(&self) -> &[CatalogImage] {
        &self.images
    }

    /// The image with this reference.
    pub fn find(&self, image: &str) -> Option<&CatalogImage> {
        self.images.iter().find(|i| i.image == image)
    }

    /// The images of one engine; the first is the default.
    pub fn of(&self, engine: EngineKind) -> impl Iterator<Item = &CatalogImage> {
        self.images.iter().filter(move |i| i.engine == engine)
    }

    /// The image of an engine that a user names by its reference or its version.
    pub fn named(&self, engine: EngineKind, text: &str) -> Option<&CatalogImage> {
        self.of(engine).find(|i| i.image == text || i.version == text)
    }

    /// The available engines, in the order of the file.
    pub fn engines(&self) -> Vec<EngineKind> {
        let mut engines = Vec::new();
        for image in &self.images {
            if !engines.contains(&image.engine) {
                engines.push(image.engine);
            }
        }
        engines
    }
}

fn check(entry: Entry, before: &[CatalogImage]) -> Result<CatalogImage, Vec<(&'static str, String)>> {
    let mut faults: Vec<(&'static str, String)> = Vec::new();
    let engine = EngineKind::parse(&entry.engine);
    if engine.is_none() {
        let known: Vec<_> = EngineKind::ALL.iter().map(|e| e.as_str()).collect();
        faults.push(("engine", format!("“{}” is not an engine; known engines: {}", entry.engine, known.join(", "))));
    }
    let reference_ok = |c: char| c.is_ascii_alphanumeric() || ".-_/:@".contains(c);
    if entry.image.is_empty() || !entry.image.chars().all(reference_ok) {
        faults.push(("image", format!("“{}” is not an image reference", entry.image)));
    } else if !entry.image.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        faults.push((
            "image",
            format!("“{}” has no tag; “latest” would change the version of existing databases", entry.image),
        ));
    }
    if before.iter().any(|i| i.image == entry.image) {
        faults.push(("image", format!("“{}” is listed twice", entry.image)));
    }
    for (field, path) in [("volume", &entry.volume), ("data", &entry.data)] {
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            faults.push((field, format!("“{path}” must be an absolute path")));
        }
    }
    // With a data directory outside the mounted volume, the data would be in the container's own layer and be lost at
    // the next image change (as happened to users when Postgres 18 changed its layout).
    if !Path::new(&entry.data).starts_with(&entry.volume) {
        faults.push(("data", format!("“{}” must be inside the volume {}", entry.data, entry.volume)));
    }
    if entry.version.is_empty() || entry.label.is_empty() {
        faults.push(("version", "version and label must not be empty".to_owned()));
    }
    if entry.uid == 0 {
        faults.push(("uid", "a server must not run as root".to_owned()));
    }
    let min_memory = ByteSize::parse(&entry.min_memory).map_err(|rule| faults.push(("min_memory", rule)));
    let end_of_life = match entry.end_of_life.as_deref().map(str::parse::<NaiveDate>) {
        None => None,
        Some(Ok(day)) => Some(day),
        Some(Err(_)) => {
            faults.push(("end_of_life", "use a date such as 2029-11-08".to_owned()));
            None
        }
    };
    match (engine, min_memory) {
        (Some(engine), Ok(min_memory)) if faults.is_empty() => Ok(CatalogImage {
            engine,
            image: entry.image,
            version: entry.version,
            label: entry.label,
            volume: entry.volume,
            data: entry.data,
            uid: entry.uid,
            gid: entry.gid,
            min_memory,
            notes: entry.notes,
            egress: entry.egress,
            end_of_life,
        }),
        _ => Err(faults),
    }
}

/// The files of `dbconfig/<engine>/`, by name. They are read again for every container, so that edits apply to the next
/// one.
pub fn config_files(catalog: &Path, engine: EngineKind) -> anyhow::Result<Vec<(String, String)>> {
    let dir = catalog.parent().unwrap_or(Path::new(".")).join(engine.as_str());
    let entries = std::fs::read_dir(&dir).with_context(|| format!("can't read {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && !name.starts_with('.') && name != "README.md" {
            let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
            files.push((name, text));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[image]]
engine = "postgres"
image = "docker.io/library/postgres:17"
version = "17"
label = "PostgreSQL 17"
volume = "/var/lib/postgresql/data"
data = "/var/lib/postgresql/data"
uid = 999
gid = 999
min_memory = "128m"
end_of_life = "2029-11-08"
"#;

    #[test]
    fn the_shipped_catalog_is_sound() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dbconfig/catalog.toml")).unwrap();
        let catalog = Catalog::parse(&text).unwrap();
        for engine in EngineKind::ALL {
            assert!(catalog.of(engine).next().is_some(), "{engine} has an image");
        }
    }

    #[test]
    fn every_catalog_error_names_its_line() {
        let bad = format!(
            "{GOOD}{}",
            GOOD.replace("\"postgres\"", "\"oracle\"")
                .replace("postgres:17", "postgres")
                .replace("data = \"/var/lib/postgresql/data\"", "data = \"/elsewhere\"")
                .replace("uid = 999", "uid = 0")
                .replace("128m", "much")
                .replace("2029-11-08", "soon")
        );
        let faults = Catalog::parse(&bad).unwrap_err();
        let fields: Vec<_> = faults.iter().map(|(k, _)| k.as_str()).collect();
        for field in ["engine", "image", "data", "uid", "min_memory", "end_of_life"] {
            assert!(fields.contains(&format!("image 2 (line 14), {field}").as_str()), "{field} in {fields:?}");
        }
    }

    #[test]
    fn unknown_fields_duplicates_and_an_empty_catalog_are_errors() {
        assert!(Catalog::parse(&GOOD.replace("notes", "x").replace("uid", "user")).is_err());
        assert!(Catalog::parse(&format!("{GOOD}{GOOD}")).is_err());
        assert!(Catalog::parse("image = []").is_err());
        assert!(Catalog::parse("not toml").is_err());
    }
}
