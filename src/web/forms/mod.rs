//! Reads submitted forms: their fields by name, with a specific error for each way a form can be malformed.

pub mod copies;
pub mod cores;
pub mod create;
pub mod dump;
pub mod edit;
pub mod extensions;
pub mod partial_fields;
pub mod templates;
pub mod ttl;

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;

use crate::web::error::AppError;
use crate::web::portal::Shared;

/// Fields by name. If one is sent several times, the last value counts, unless all are requested.
#[derive(Debug, Clone, Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

impl Fields {
    /// The text of a field without surrounding whitespace; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The text of a field as sent: for passwords, in which whitespace counts.
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    /// All values of a field that may be sent several times, such as a group of checkboxes.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether the field was sent.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.0.entry(name).or_default().push(value);
        }
        fields
    }
}

impl FromRequest<Shared> for Fields {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, AppError> {
        match Form::<Vec<(String, String)>>::from_request(request, state).await {
            Ok(Form(pairs)) => Ok(pairs.into_iter().collect()),
            Err(FormRejection::InvalidFormContentType(_)) => Err(AppError::UnsupportedMedia),
            Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(AppError::TooLarge),
            Err(e) => Err(AppError::BadRequest(format!("The form cannot be read: {}.", e.body_text()))),
        }
    }
}
