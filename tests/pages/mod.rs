//! The pages as seen by a browser without scripts.

mod accounts;
mod admin;
mod answers;
mod create;
mod inputs;
mod landing;
mod log;
mod notices;
mod passwords;
mod pauses;
mod people;
mod proxy;
mod rotate;
mod secrets;
mod site;
mod strangers;
mod together;
