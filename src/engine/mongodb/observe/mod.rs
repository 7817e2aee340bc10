//! Conversations that only read, except that the probe initiates the replica set.

mod check_collections;
mod counts;
mod definitions;
mod extended_json;
mod inventory;
mod ready;
mod sessions;
mod survey;

pub(super) use check_collections::CheckCollections;
pub(super) use counts::Counts;
pub(super) use definitions::Definitions;
pub(super) use inventory::InventoryFacts;
pub(super) use ready::Ready;
pub(super) use sessions::CountSessions;
pub(super) use survey::SurveyServer;
