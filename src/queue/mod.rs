//! Jobs as data: the definition of a flow, how it is enqueued, and why a request is rejected. Code that requests slow
//! work needs only this module; the workers are in [`crate::jobs`].

pub(crate) mod cancel_backup;
pub mod context;
pub mod enqueue;
pub mod flow;
pub mod refusal;
pub mod requester;
pub mod step_error;
