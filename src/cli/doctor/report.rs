//! The findings of the doctor, one per line.

use serde::Serialize;

/// The report.
#[derive(Debug, Default)]
pub(crate) struct DoctorReport(pub(crate) Vec<DoctorFinding>);

impl DoctorReport {
    pub(crate) fn ok(&mut self, what: impl Into<String>, finding: impl Into<String>) {
        self.0.push(DoctorFinding { level: Level::Ok, what: what.into(), text: finding.into(), advice: None });
    }

    pub(crate) fn warn(&mut self, what: impl Into<String>, finding: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Warn, what, finding, advice);
    }

    pub(crate) fn fail(&mut self, what: impl Into<String>, finding: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Fail, what, finding, advice);
    }

    pub(crate) fn add(
        &mut self,
        level: Level,
        what: impl Into<String>,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let advice = Some(advice.into()).filter(|a| !a.is_empty());
        self.0.push(DoctorFinding { level, what: what.into(), text: finding.into(), advice });
    }

    pub(crate) fn text(&self) -> String {
        let line = |f: &DoctorFinding| {
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

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// It works.
    Ok,
    /// It works, but should be looked at.
    Warn,
    /// The portal or a part of it does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(crate) struct DoctorFinding {
    pub(crate) level: Level,
    pub(crate) what: String,
    #[serde(rename = "finding")]
    pub(crate) text: String,
    pub(crate) advice: Option<String>,
}
