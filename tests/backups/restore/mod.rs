//! Restores: into new databases, in place, in part; and their comparison with the backup.

pub mod altered_manifests;
pub mod definitions;
pub mod definitions_others;
pub mod in_place;
mod owner_settings;
pub mod partial;
pub mod partial_second_attempt;
pub mod postgres_cases;
mod replaced_object;
pub mod restore_script;
