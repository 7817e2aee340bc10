//! Building blocks of pages: fields, charts, step lists, and the formats of times and sizes.

pub mod chart;
pub mod field;
pub mod format;
pub mod parts;
pub mod steps;
