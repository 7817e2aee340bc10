//! The JSON API as used by a script with a token.

mod changes;
mod commands;
mod doors;
mod life;
mod lists;
mod reference;
