//! The rules of each kind of job besides its steps: which workers run it, until when it can be cancelled, and what its
//! failure means for its database.

/// The workers that run a job. Long jobs never occupy all workers, so that short ones always find a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Takes seconds or minutes: create, start, stop, new password.
    Short,
    /// Takes time in proportion to the size of the data: restore, upgrade, copies.
    Long,
    /// Like `Long`, and limited by `backups.at_once`.
    Backup,
    /// Like `Long`, and limited for each user by `limits.loads_per_person`.
    Load,
}

impl Pool {
    /// Whether the duration of its jobs depends on the size of the data.
    pub fn is_long(self) -> bool {
        self != Self::Short
    }
}

/// Until when a user can cancel a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// Never: the job ends by itself, at the latest at its deadline.
    Never,
    /// As long as its row in `backup_log` says running: after that, the backup is valid.
    WhileBackingUp,
    /// Until the step of this name starts: its work cannot be interrupted halfway.
    Before(&'static str),
    /// Until the job has ended.
    Always,
}

/// What a failed job means for its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The database is marked as failed.
    Database,
    /// Nothing: the failed job left the database unchanged.
    Nobody,
    /// Nothing, unless the database is being deleted.
    IfDeleting,
}

/// The rules of a kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRules {
    /// The workers that run it.
    pub pool: Pool,
    /// Until when a user can cancel it.
    pub cancel: Cancel,
    /// What its failure means for its database.
    pub blame: Blame,
}

impl JobRules {
    /// Rules for jobs of this pool that cannot be cancelled and whose failure marks the database as failed.
    pub const fn of(pool: Pool) -> Self {
        Self { pool, cancel: Cancel::Never, blame: Blame::Database }
    }

    /// Replaces the rule for cancellation.
    #[must_use]
    pub const fn cancel(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// Replaces the rule for failure.
    #[must_use]
    pub const fn blame(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }
}
