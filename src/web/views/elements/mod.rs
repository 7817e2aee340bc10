//! What pages are made of: fields, charts, lists of steps, and how times and sizes are written.

pub mod chart;
pub mod field;
pub mod format;
pub mod parts;
pub mod steps;
