//! The portal's terms as types. Nothing in this module performs I/O.

pub mod audit;
pub mod cron_line;
pub mod engine;
pub mod job_kind;
pub mod names;
pub mod password;
pub mod policy;
pub mod quantity;
pub mod reason;
pub mod retention;
pub mod state;
pub mod stream_error;
pub mod user;
pub mod version;
pub mod wall_clock;
pub mod work;
