//! `db4sci check-config`: reports all configuration problems at once, or prints the effective settings.

use std::process::ExitCode;

use super::table::table;
use crate::catalog::Catalog;
use crate::cli::surroundings::{Surroundings, print_problems, say};
use crate::config::Problem;
use crate::config::effective::effective;
use crate::preflight;

pub(super) fn run(at: &Surroundings) -> ExitCode {
    let problems = problems(at);
    if !problems.is_empty() {
        print_problems(&problems);
        return ExitCode::FAILURE;
    }
    if let Ok(config) = at.config() {
        let rows: Vec<_> = effective(config.mode, &at.home, &at.env)
            .into_iter()
            .map(|s| vec![s.key.to_owned(), s.source, s.value])
            .collect();
        say(&table(&["setting", "from", "value"], &rows));
        say(&format!("\nThe configuration of mode {} is valid.\n", config.mode));
    }
    ExitCode::SUCCESS
}

/// All problems in settings, catalog, certificates and keys.
pub(super) fn problems(at: &Surroundings) -> Vec<Problem> {
    let config = match at.config() {
        Ok(config) => config,
        // Checks the catalog at its default path, so that its problems are reported in the same run.
        Err(mut problems) => {
            problems.extend(Catalog::load(&at.home.join("dbconfig/catalog.toml")).err().unwrap_or_default());
            return problems;
        }
    };
    match Catalog::load(&config.catalog) {
        Ok(catalog) => preflight::check(&config, &catalog),
        Err(problems) => problems,
    }
}
