//! Compares restored data with the backup: counts, fingerprints of the content, and definitions.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use super::definitions::{Closeness, differences};
use crate::app::App;
use crate::backup::pipeline::transfer;
use crate::backup::server_handle::ServerHandle;
use crate::engine::definition::Definition;
use crate::engine::part::Count;
use crate::manifest::Manifest;
use crate::queue::step_error::StepError;

/// Maximum number of differences that are listed.
const MOST: usize = 50;

/// Result of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Number of counts.
    pub counts: usize,
    /// Whether they were counted at the moment of the dump; only then are they compared.
    pub exact: bool,
    /// Number of definitions compared, and how closely; `None` if the backup has none.
    pub definitions: Option<(usize, Closeness)>,
    /// Differences in counts and content.
    pub content: Vec<String>,
    /// Differences in definitions.
    pub defined: Vec<String>,
}

impl Comparison {
    /// All differences, up to `MOST`.
    pub fn differences(&self) -> Vec<String> {
        limited(self.content.iter().chain(&self.defined).cloned().collect())
    }

    /// What was compared, for people.
    pub fn sentence(&self) -> String {
        let counts = match self.exact {
            true => format!("{} counts match the backup", self.counts),
            false => {
                "The rows could not be compared, because they were not counted at the moment of the dump".to_owned()
            }
        };
        match self.definitions {
            None => format!("{counts}; no schema definitions were recorded to compare"),
            Some((n, Closeness::Text)) => format!("{counts}; {n} schema definitions match the backup"),
            Some((n, Closeness::Name)) => format!(
                "{counts}; the names of {n} schema definitions match it too, but not their wording, which differs \
                 between server versions"
            ),
        }
    }

    /// Fails if there is any difference.
    pub fn equal(&self) -> Result<(), StepError> {
        refused(&self.differences())
    }

    /// Fails if counts or content differ.
    pub fn same_content(&self) -> Result<(), StepError> {
        refused(&limited(self.content.clone()))
    }
}

/// The first differences, and the number of the others.
pub(super) fn limited(mut found: Vec<String>) -> Vec<String> {
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("And {more} more."));
    }
    found
}

fn refused(differences: &[String]) -> Result<(), StepError> {
    if differences.is_empty() {
        return Ok(());
    }
    Err(StepError::Fail(format!("The restored data does not match the backup: {}", differences.join("\n"))))
}

/// Compares the content of a server with the manifest.
pub async fn compare(
    app: &App,
    manifest: &Manifest,
    server: &ServerHandle<'_>,
    fingerprints: bool,
) -> Result<Comparison, StepError> {
    let mut counts = Vec::new();
    let databases = manifest.databases();
    for exec in server.engine.count_all(&server.spec, &databases, fingerprints && manifest.fingerprints) {
        counts.extend(transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?.counts);
    }
    let content = content(manifest, &counts);
    let mut comparison =
        Comparison { counts: counts.len(), exact: manifest.exact_counts, content, ..Comparison::default() };
    drop(counts);
    if manifest.definitions.is_empty() {
        return Ok(comparison);
    }
    // The same image may be a newer build of the same version by now, which reports definitions in the same way.
    let closeness = if manifest.container.image == server.spec.image.image { Closeness::Text } else { Closeness::Name };
    let server_wide = manifest.wanted.is_none().then_some(None);
    let mut compared = 0;
    let all: Vec<_> = server_wide.into_iter().chain(databases.into_iter().map(Some)).collect();
    let defined: BTreeSet<_> = manifest.definitions.iter().map(|d| d.database.as_str()).collect();
    // One command at a time, so that memory need not hold the definitions of all databases.
    for command in server.engine.definitions_all(&server.spec, &all) {
        let mut now = transfer::definitions(app.runtime.as_ref(), server.id, &command.exec, command.split).await?;
        let of = |d: &&Definition| command.databases.iter().any(|name| d.database == name.unwrap_or_default());
        let then: Vec<_> = manifest.definitions.iter().filter(of).cloned().collect();
        // The definitions of a database that was altered during its dump are not in the manifest.
        now.retain(|d| manifest.exact_counts || d.database.is_empty() || defined.contains(d.database.as_str()));
        comparison.defined.extend(differences(&then, &now, closeness));
        compared += then.len();
    }
    comparison.definitions = (compared > 0).then_some((compared, closeness));
    Ok(comparison)
}

/// Differences between counts and those of the manifest.
fn content(manifest: &Manifest, counts: &[Count]) -> Vec<String> {
    // If the counts are from a moment before or after the dump, a difference says nothing about the restore.
    if manifest.exact_counts { manifest.differences(counts) } else { Vec::new() }
}

/// Compares counts with those of the manifest and returns how many there are.
pub(super) fn matching(manifest: &Manifest, counts: &[Count]) -> Result<usize, StepError> {
    refused(&limited(content(manifest, counts)))?;
    Ok(counts.len())
}
