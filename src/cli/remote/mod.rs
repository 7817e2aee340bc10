//! Commands that speak to the interface of a portal, usually on another machine.

mod client;
pub(super) mod db;
pub(super) mod proxy;
