//! The JSON API as used by a script with a token.

mod changes;
mod doors;
mod life;
mod lists;
mod reference;
