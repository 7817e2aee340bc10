//! `db4sci check-config`: every problem at once, or the settings in force.

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

/// What is wrong with settings, catalog, certificates and keys.
pub(super) fn problems(at: &Surroundings) -> Vec<Problem> {
    let config = match at.config() {
        Ok(config) => config,
        // The catalog's usual place, so that its faults show in the same run.
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
