//! The pages in a real Chromium: a researcher's workflow with mouse and typing, without scripts, and with the keyboard
//! only.

mod axe;
mod backups;
mod chromium;
mod clones;
mod copy;
pub mod driver;
mod dump;
pub mod fill;
mod five_clicks;
mod keyboard;
mod layout;
mod live;
mod no_script;
mod streams;
mod template;
mod times;
pub mod tour;
mod whole_way;
