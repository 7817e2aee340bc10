//! `db4sci doctor`: checks everything the portal needs and suggests fixes.

mod admin_db;
mod cores;
mod engine;
mod files;
mod network;
pub mod report;

use std::process::ExitCode;

use super::check_config;
use crate::cli::doctor::report::{DoctorReport, Level};
use crate::cli::surroundings::{Surroundings, say};
use crate::clock::Clock;

pub(super) async fn run(at: &Surroundings, json: bool) -> ExitCode {
    let report = examine(at).await;
    if json {
        match serde_json::to_string_pretty(&report.0) {
            Ok(text) => say(&format!("{text}\n")),
            Err(e) => return crate::cli::surroundings::failure(&e.into()),
        }
    } else {
        say(&report.text());
    }
    if report.0.iter().any(|f| f.level == Level::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(at: &Surroundings) -> DoctorReport {
    let mut report = DoctorReport::default();
    for problem in check_config::problems(at) {
        report.fail("configuration", problem.to_string(), "");
    }
    let Ok(config) = at.config() else { return report };
    if report.0.is_empty() {
        report.ok("configuration", format!("mode {}, instance {}", config.mode, config.instance));
    }
    let clock = Clock::system();
    engine::examine(&mut report, at, &config).await;
    cores::examine(&mut report, &config);
    files::examine(&mut report, &config, clock.now());
    network::examine(&mut report, &config);
    admin_db::examine(&mut report, &config, &clock).await;
    report
}
