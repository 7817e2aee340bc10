//! Programs that the portal runs beside itself.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A program that leads a process group of its own, with all that it started: they are ended when this is dropped.
pub struct Group(Option<Pid>);

impl Group {
    /// The group of a program that was started with `process_group(0)`.
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The program has ended: what it left at work is its own affair, and its number may be another's by now.
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
