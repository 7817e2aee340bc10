//! The HTTP interface: routes with their access levels, layers, pages and the JSON API.

pub mod access;
pub mod api;
pub mod assets;
pub mod connections;
pub mod context;
pub mod download;
pub mod error;
pub mod forms;
pub mod layers;
pub mod live;
pub mod metrics;
pub mod myaas;
pub mod open_requests;
pub mod pages;
pub mod portal;
pub mod read_ahead;
pub mod routes;
pub mod scrape;
pub mod server;
pub mod tabs;
pub mod urls;
pub mod views;
