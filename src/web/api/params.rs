//! Query parameters. Unknown ones are rejected: a mistyped filter must not list everything.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::body::unknown;
use crate::web::error::AppError;
use crate::web::portal::Shared;

/// Longest wait for a job, in seconds.
const LONGEST_WAIT: u64 = 300;
/// Default number of rows of a list.
const ROWS: i64 = 50;
/// Maximum number of rows of a list.
const MOST_ROWS: i64 = 200;

/// Parameters by name; if one is sent several times, the last value counts.
#[derive(Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl FromRequestParts<Shared> for Params {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, AppError> {
        match Query::<Vec<(String, String)>>::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs.into_iter().collect())),
            Err(e) => Err(AppError::BadRequest(format!("The query string cannot be parsed: {}.", e.body_text()))),
        }
    }
}

/// The error for an invalid parameter.
pub fn invalid(name: &str, sentence: impl Into<String>) -> AppError {
    AppError::Invalid(vec![(name.to_owned(), sentence.into())])
}

impl Params {
    /// Rejects all parameters except the known ones.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with all unknown ones.
    pub fn only(&self, known: &[&str]) -> Result<(), AppError> {
        let strange: Vec<_> =
            self.0.keys().filter(|k| !known.contains(&k.as_str())).map(|k| (k.clone(), unknown(known))).collect();
        if strange.is_empty() { Ok(()) } else { Err(AppError::Invalid(strange)) }
    }

    /// The text of a parameter without surrounding whitespace; `None` if it is empty or was not sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// `limit`: maximum number of rows.
    pub fn limit(&self) -> Result<i64, AppError> {
        match self.get("limit") {
            None => Ok(ROWS),
            Some(text) => text
                .parse()
                .ok()
                .filter(|n| (1..=MOST_ROWS).contains(n))
                .ok_or_else(|| invalid("limit", format!("Request between 1 and {MOST_ROWS} rows."))),
        }
    }

    /// `wait`: how long to wait for the job; `None` if the call does not wait.
    pub fn wait(&self) -> Result<Option<Duration>, AppError> {
        let Some(text) = self.get("wait") else { return Ok(None) };
        let seconds = text.parse().ok().filter(|n| (1..=LONGEST_WAIT).contains(n));
        let seconds =
            seconds.ok_or_else(|| invalid("wait", format!("Specify a wait of 1 to {LONGEST_WAIT} seconds.")))?;
        Ok(Some(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(name: &str, value: &str) -> Params {
        Params([(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn limits_and_waits_at_their_bounds() {
        assert_eq!(Params::default().limit().unwrap(), ROWS);
        assert_eq!(params("limit", "200").limit().unwrap(), 200);
        assert_eq!(Params::default().wait().unwrap(), None);
        assert_eq!(params("wait", "300").wait().unwrap(), Some(Duration::from_secs(300)));
        for bad in ["0", "-1", "301", "x", "1.5"] {
            assert!(params("limit", bad).limit().is_err() && params("wait", bad).wait().is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_parameters_are_named() {
        let Err(AppError::Invalid(faults)) = params("stat", "running").only(&["state", "q"]) else {
            panic!("must be refused");
        };
        assert_eq!(faults.first().map(|(name, _)| name.as_str()), Some("stat"));
        assert!(params("q", "x").only(&["q"]).is_ok());
    }
}
