//! The portal's terms as types. Nothing in this module performs I/O.

pub mod audit;
pub mod backup_schedule;
pub mod copy_method;
pub mod cpu_set;
pub mod cron_line;
pub mod duration;
pub mod engine;
pub mod expiry;
pub mod job_kind;
pub mod job_rules;
pub mod names;
pub mod object_keys;
pub mod password;
pub mod quantity;
pub mod retention;
pub mod short_reason;
pub mod state;
pub mod stream_error;
pub mod ttl;
pub mod user;
pub mod version;
pub mod wall_clock;
