//! Who is asking and what they may see, decided before a handler runs.

pub mod backup_access;
mod container_access;
pub mod identity;
pub mod job_access;
mod request_limit;
pub mod still_allowed;
pub mod template_access;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Public,
    /// Every signed-in user; lists show only their own objects.
    SignedIn,
    /// The owner of a container, and administrators, as decided by `can`; for others it does not exist.
    Owner,
    /// Administrators.
    Admin,
}

/// Maximum size of a request body in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;
