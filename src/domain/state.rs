//! The life cycle of a container: its states and the transitions between them.

use std::fmt;

/// The state of a container in its life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "container_state", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// The request was accepted; nothing exists outside mydb_admin yet.
    Requested,
    /// A job is creating it.
    Provisioning,
    /// It should be running.
    Running,
    /// It should not be running; its data is kept.
    Stopped,
    /// A step failed; the reason is stored with the state.
    Failed,
    /// A job is moving it to the trash.
    Deleting,
    /// In the trash: stopped, with its data kept until permanent deletion.
    Trashed,
    /// Deleted permanently. The row in `container` remains as history.
    Purged,
}

impl ContainerState {
    /// Every state, in life cycle order.
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

    /// The state's word in the database and in JSON.
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

/// An event in the life cycle of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its create job starts, or starts again after a failure.
    Provision,
    /// The server responds and the accounts are set up.
    Up,
    /// The server was stopped on purpose.
    Down,
    /// A step failed permanently.
    Fail,
    /// Deletion begins.
    Delete,
    /// Deletion is cancelled before anything was stopped: the server keeps running.
    Keep,
    /// Deletion is cancelled; the server stays stopped.
    KeepStopped,
    /// It has been moved to the trash.
    Trash,
    /// It was restored from the trash, stopped.
    Undelete,
    /// Its data has been removed.
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

/// The state that `event` leads to from `from`, or `None` if the transition is not allowed.
///
/// An event whose work is already done leads to the same state, because a killed job runs its last step again.
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
    fn purged_is_final_and_reached_only_from_the_trash_or_a_failure() {
        for event in Event::ALL {
            let to = transition(ContainerState::Purged, event);
            assert!(to.is_none() || to == Some(ContainerState::Purged));
        }
        assert_eq!(transition(ContainerState::Running, Event::Purge), None);
        assert_eq!(transition(ContainerState::Stopped, Event::Purge), None);
    }
}
