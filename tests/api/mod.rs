//! The JSON API, as a script with a token sees it.

mod changes;
mod doors;
mod life;
mod lists;
