//! Jobs as data: what a flow is made of, how one is put into the queue, and why a request is refused. Whoever asks for
//! slow work needs this and no more; the workers stand in [`crate::jobs`].

pub mod context;
pub mod enqueue;
pub mod flow;
pub(crate) mod give_way;
pub mod refusal;
pub mod step_error;
