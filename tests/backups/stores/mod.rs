//! Stores: their faults, the settings of a target, and copies in a second target.

pub mod faults;
pub mod replicas;
pub mod returning;
pub mod settings;
