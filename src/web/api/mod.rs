//! The JSON API under `/api/v1`, by bearer token. The same nouns and rules as the pages.

pub mod catalog;
pub mod containers;
pub mod jobs;
