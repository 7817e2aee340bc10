//! `db4sci doctor`: what works, what does not, what to do.

mod admin_db;
mod engine;
mod files;
mod network;

use std::process::ExitCode;

use serde::Serialize;

use super::{Surroundings, check_config, say};
use crate::clock::Clock;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// It works.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// The portal, or a part of it, does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: String,
    #[serde(rename = "finding")]
    text: String,
    advice: Option<String>,
}

/// The report as it is written.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, what: impl Into<String>, finding: impl Into<String>) {
        self.0.push(Finding { level: Level::Ok, what: what.into(), text: finding.into(), advice: None });
    }

    fn warn(&mut self, what: impl Into<String>, finding: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Warn, what, finding, advice);
    }

    fn fail(&mut self, what: impl Into<String>, finding: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Fail, what, finding, advice);
    }

    fn add(&mut self, level: Level, what: impl Into<String>, finding: impl Into<String>, advice: impl Into<String>) {
        let advice = Some(advice.into()).filter(|a| !a.is_empty());
        self.0.push(Finding { level, what: what.into(), text: finding.into(), advice });
    }

    fn text(&self) -> String {
        let line = |f: &Finding| {
            let word = match f.level {
                Level::Ok => "ok  ",
                Level::Warn => "warn",
                Level::Fail => "fail",
            };
            let finding = f.text.trim_end_matches('.');
            let advice = f.advice.as_ref().map(|a| format!(" {a}")).unwrap_or_default();
            format!("{word}  {}: {finding}.{advice}\n", f.what)
        };
        self.0.iter().map(line).collect()
    }
}

pub(super) async fn run(at: &Surroundings, json: bool) -> ExitCode {
    let report = examine(at).await;
    if json {
        match serde_json::to_string_pretty(&report.0) {
            Ok(text) => say(&format!("{text}\n")),
            Err(e) => return super::failure(&e.into()),
        }
    } else {
        say(&report.text());
    }
    if report.0.iter().any(|f| f.level == Level::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(at: &Surroundings) -> Report {
    let mut report = Report::default();
    for problem in check_config::problems(at) {
        report.fail("configuration", problem.to_string(), "");
    }
    let Ok(config) = at.config() else { return report };
    if report.0.is_empty() {
        report.ok("configuration", format!("mode {}, instance {}", config.mode, config.instance));
    }
    let clock = Clock::system();
    engine::examine(&mut report, at, &config).await;
    files::examine(&mut report, &config, clock.now());
    network::examine(&mut report, &config);
    admin_db::examine(&mut report, &config, &clock).await;
    report
}
