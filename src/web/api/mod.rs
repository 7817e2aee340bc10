//! The JSON API under `/api/v1`, authenticated by bearer token. It has the same terms and rules as the pages;
//! docs/API.md describes it for users.

pub mod backups;
pub mod body;
pub mod catalog;
pub mod containers;
pub mod copies;
pub mod jobs;
pub mod json;
pub mod notices;
pub mod openapi;
pub mod params;
pub mod replace;
pub mod templates;
pub mod wait;
