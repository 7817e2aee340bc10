//! What is so of a kind of job besides its steps: which workers do it, how it may be ended early, and what its failure
//! says about its database.

/// Which workers do a job. Long jobs never take all workers, so that short ones always find one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Done within seconds or minutes: create, start, stop, a new password.
    Short,
    /// As long as the data is large: restore, upgrade, copies.
    Long,
    /// The same; `backups.at_once` bounds them too.
    Backup,
    /// The same; `limits.loads_per_person` bounds them for each person too.
    Load,
}

impl Pool {
    /// Whether its jobs take as long as the data is large.
    pub fn is_long(self) -> bool {
        self != Self::Short
    }
}

/// Until when a job can be cancelled by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// Not at all: it ends by itself, at the latest at its deadline.
    Never,
    /// As long as its row in `backup_log` runs: from then on the backup is true.
    WhileBackingUp,
    /// Until the step of this name begins: what it does can't be halved.
    Before(&'static str),
    /// Until it has ended.
    Always,
}

/// What a failed job says about its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// It is not as it should be: failed.
    Database,
    /// Nothing: what could not be done has left it as it was.
    Nobody,
    /// Nothing, unless it is on its way out.
    IfDeleting,
}

/// The rules of a kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRules {
    /// Which workers do it.
    pub pool: Pool,
    /// Until when it can be cancelled.
    pub cancel: Cancel,
    /// What its failure says about its database.
    pub blame: Blame,
}

impl JobRules {
    /// A job of this pool that can't be cancelled and whose failure is its database's.
    pub const fn of(pool: Pool) -> Self {
        Self { pool, cancel: Cancel::Never, blame: Blame::Database }
    }

    /// With another rule about its early end.
    #[must_use]
    pub const fn cancel(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// With another rule about its failure.
    #[must_use]
    pub const fn blame(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }
}
