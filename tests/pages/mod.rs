//! The pages, as a researcher's browser without scripting sees them.

mod admin;
mod answers;
mod create;
mod inputs;
mod log;
mod passwords;
mod pauses;
mod people;
mod rotate;
mod secrets;
mod strangers;
mod together;
