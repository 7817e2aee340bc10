//! The life of a container: which states there are and what leads from one to another.

use std::fmt;

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "container_state", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// The form was accepted; nothing exists outside mydb_admin.
    Requested,
    /// Its job is making it.
    Provisioning,
    /// It should be running.
    Running,
    /// It should not be running; its data is kept.
    Stopped,
    /// A step failed; the reason is beside it.
    Failed,
    /// Its job is moving it to the trash.
    Deleting,
    /// In the trash: stopped, its data kept until the purge.
    Trashed,
    /// Gone. The row in `container` remains as history.
    Purged,
}

impl ContainerState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Provisioning,
        Self::Running,
        Self::Stopped,
        Self::Failed,
        Self::Deleting,
        Self::Trashed,
        Self::Purged,
    ];

    /// The state's word, as in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Trashed => "trashed",
            Self::Purged => "purged",
        }
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its create job begins, or begins again after a failure.
    Provision,
    /// The server answers and the accounts are set.
    Up,
    /// The server was stopped on purpose.
    Down,
    /// A step failed for good.
    Fail,
    /// Deletion begins.
    Delete,
    /// Deletion is taken back before anything was stopped: it runs on.
    Keep,
    /// The same, and it is stopped as before.
    KeepStopped,
    /// It lies in the trash.
    Trash,
    /// It came back from the trash, stopped.
    Undelete,
    /// Its data is gone.
    Purge,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 10] = [
        Self::Provision,
        Self::Up,
        Self::Down,
        Self::Fail,
        Self::Delete,
        Self::Keep,
        Self::KeepStopped,
        Self::Trash,
        Self::Undelete,
        Self::Purge,
    ];
}

/// The state that `event` leads to from `from`, or `None` where it makes no sense.
///
/// An event that finds its work already done leads to the same state, because a job that was
/// killed runs its last step again.
pub fn transition(from: ContainerState, event: Event) -> Option<ContainerState> {
    use ContainerState as S;
    use Event as E;
    Some(match (event, from) {
        (E::Provision, S::Requested | S::Provisioning | S::Failed) => S::Provisioning,
        (E::Up, S::Provisioning | S::Running | S::Stopped | S::Failed) | (E::Keep, S::Deleting | S::Running) => {
            S::Running
        }
        (E::Down, S::Running | S::Stopped | S::Failed)
        | (E::Undelete, S::Trashed | S::Stopped)
        | (E::KeepStopped, S::Deleting | S::Stopped) => S::Stopped,
        (E::Fail, S::Requested | S::Provisioning | S::Running | S::Stopped | S::Failed | S::Deleting | S::Trashed) => {
            S::Failed
        }
        (E::Delete, S::Requested | S::Running | S::Stopped | S::Failed | S::Deleting) => S::Deleting,
        (E::Trash, S::Deleting | S::Trashed) => S::Trashed,
        (E::Purge, S::Deleting | S::Trashed | S::Failed | S::Purged) => S::Purged,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let mut lines = Vec::new();
        for from in ContainerState::ALL {
            for event in Event::ALL {
                if let Some(to) = transition(from, event) {
                    lines.push(format!("{from} --{event:?}--> {to}"));
                }
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn purged_is_final_and_only_the_trash_or_a_failure_leads_there() {
        for event in Event::ALL {
            let to = transition(ContainerState::Purged, event);
            assert!(to.is_none() || to == Some(ContainerState::Purged));
        }
        assert_eq!(transition(ContainerState::Running, Event::Purge), None);
        assert_eq!(transition(ContainerState::Stopped, Event::Purge), None);
    }
}
