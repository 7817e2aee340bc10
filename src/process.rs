//! External programs that the portal runs.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A program that leads its own process group. Dropping this value kills the whole group.
pub struct Group(Option<Pid>);

impl Group {
    /// The process group of a program started with `process_group(0)`.
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Disarms the kill after the program has exited: processes it left running are not the portal's concern, and the
    /// process id may have been reused.
    pub fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
