//! Commands that speak to the interface of a portal, usually on another machine.

mod check;
mod client;
pub(super) mod db;
pub(super) mod proxy;
