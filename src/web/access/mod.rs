//! Who asks, and what they may see: decided before a handler runs.

pub mod backup_access;
pub mod identity;
pub mod job_access;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Everybody who is signed in; lists show only what is theirs.
    SignedIn,
    /// A container's owner and admins, decided by `can`; to others it does not exist.
    Owner,
    /// Admins.
    Admin,
}

/// Most bytes of a request's body.
pub const BODY_LIMIT: usize = 64 * 1024;
