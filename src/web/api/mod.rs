//! The JSON API under `/api/v1`, by bearer token. The same nouns and rules as the pages; docs/API.md tells it to its users.

pub mod backups;
pub mod body;
pub mod catalog;
pub mod containers;
pub mod jobs;
pub mod json;
pub mod notices;
pub mod params;
pub mod replace;
pub mod wait;
