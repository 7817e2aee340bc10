//! Stores: their faults, and copies in a second target.

pub mod faults;
pub mod replicas;
pub mod returning;
