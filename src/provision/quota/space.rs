//! Watches the space on a storage tier while data of unknown size is loaded to it: a small dump can become a large
//! database. What would fill the tier is stopped before the other databases on it cannot write any more.

use std::time::Duration;

use tokio::time::Instant;

use super::tier_limit;
use crate::app::App;
use crate::config::Tier;
use crate::domain::quantity::{ByteSize, MIB};
use crate::queue::step_error::StepError;
use crate::storage::{Capacity, DataDir, measured};

/// Free space in bytes that must remain on a tier for the databases on it.
pub(crate) const RESERVE: i64 = 512 * MIB;

/// Time between two looks at the free space.
const LOOK: Duration = Duration::from_millis(500);
/// Time between two measurements of a directory that may have reached the limit of the tier.
const SOON: Duration = Duration::from_secs(3);
/// The same for one that seems not to have: others may have removed as much as it has grown.
const LATE: Duration = Duration::from_secs(60);

/// A data directory that is being filled.
pub(crate) struct Filling<'a> {
    /// The tier.
    pub(crate) tier: &'a Tier,
    /// The directory.
    pub(crate) dir: &'a DataDir,
    /// The image whose user may read it.
    pub(crate) reference: &'a str,
    /// Whether its size counts towards the limit of the tier. Copies that share blocks do not.
    pub(crate) counts: bool,
    /// What fills it, as the beginning of a sentence.
    pub(crate) what: &'a str,
    /// What to do if there is no room.
    pub(crate) advice: &'a str,
}

/// Fails if a tier has no room for `more` bytes besides the reserve, or would exceed its limit with them.
///
/// # Errors
/// [`StepError::Fail`] with the sizes, followed by `advice`.
pub(crate) async fn check(app: &App, tier: &Tier, more: i64, advice: &str) -> Result<(), StepError> {
    let free = measured(tier.path.clone()).await?.free;
    let needed = more.saturating_add(RESERVE);
    if free < needed {
        return Err(StepError::Fail(format!(
            "Not enough disk space on the storage tier “{}”: {} free, at least {} needed. {advice}",
            tier.label,
            ByteSize(free),
            ByteSize(needed)
        )));
    }
    tier_limit::check(app, tier, more, advice).await
}

impl Filling<'_> {
    /// Does `work`, which fills the directory, and stops it if the tier would become full or exceed its limit.
    ///
    /// # Errors
    /// Those of `work`; [`StepError::Fail`] with how much was used, what is left, and what to do.
    pub(crate) async fn within<T>(
        &self,
        app: &App,
        work: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, StepError> {
        // The work must not fail because the tier cannot be asked at this moment.
        let before = self.look().await.map_or(0, |has| has.free);
        let done = tokio::select! {
            done = work => done,
            full = self.watch(app, before) => return Err(full),
        };
        match done {
            Ok(done) => match self.excess(app).await {
                Ok(Some(why)) => Err(StepError::Fail(why)),
                // What is done is kept if it cannot be measured.
                Ok(None) | Err(_) => Ok(done),
            },
            // A server reports a full disk in its own words, if at all.
            Err(StepError::Fail(why)) => match self.look().await {
                Ok(has) if has.free < RESERVE => {
                    Err(StepError::Fail(format!("{}\n{why}", self.full(app, before, has.free).await)))
                }
                _ => Err(StepError::Fail(why)),
            },
            Err(e) => Err(e),
        }
    }

    async fn look(&self) -> Result<Capacity, StepError> {
        Ok(measured(self.tier.path.clone()).await?)
    }

    /// Returns when the work must stop.
    async fn watch(&self, app: &App, before: i64) -> StepError {
        let (mut at, mut others, mut used) = (None::<Instant>, 0_i64, 0_i64);
        loop {
            tokio::time::sleep(LOOK).await;
            // If the tier or mydb_admin cannot be asked at this moment, they are asked again: the work itself fails if the
            // tier is gone.
            let Ok(has) = self.look().await else { continue };
            if has.free < RESERVE {
                return StepError::Fail(self.full(app, before, has.free).await);
            }
            let Some(limit) = self.tier.limit_bytes().filter(|_| self.counts) else { continue };
            let grown = used.max(before - has.free);
            let wait = if others.saturating_add(grown) > limit { SOON } else { LATE };
            if at.is_some_and(|at| at.elapsed() < wait) {
                continue;
            }
            let (Ok(known), Ok(size)) = (self.others(app).await, self.size(app).await) else { continue };
            (at, others, used) = (Some(Instant::now()), known, size);
            if others.saturating_add(used) > limit {
                return StepError::Fail(self.over(limit, others, used));
            }
        }
    }

    /// Why the directory exceeds the limit of the tier, if it does.
    async fn excess(&self, app: &App) -> Result<Option<String>, StepError> {
        let Some(limit) = self.tier.limit_bytes().filter(|_| self.counts) else { return Ok(None) };
        let (others, used) = (self.others(app).await?, self.size(app).await?);
        Ok((others.saturating_add(used) > limit).then(|| self.over(limit, others, used)))
    }

    async fn others(&self, app: &App) -> Result<i64, StepError> {
        Ok(tier_limit::used_by_others(app, self.tier, self.dir.id).await?)
    }

    async fn size(&self, app: &App) -> Result<i64, StepError> {
        Ok(app.files.usage(self.dir, self.reference).await?)
    }

    async fn full(&self, app: &App, before: i64, free: i64) -> String {
        // What cannot be measured any more has used about what is missing.
        let used = self.size(app).await.unwrap_or(before - free).max(0);
        format!(
            "{} was stopped because the storage tier “{}” was becoming full: its data used {}, {} are free, and {} must \
             remain for the databases there. Nothing of it was kept. {}",
            self.what,
            self.tier.label,
            ByteSize(used),
            ByteSize(free),
            ByteSize(RESERVE),
            self.advice
        )
    }

    fn over(&self, limit: i64, others: i64, used: i64) -> String {
        format!(
            "{} was stopped because the storage tier “{}” has a limit of {}: its data used {}, and only {} were left for it. \
             Nothing of it was kept. {}",
            self.what,
            self.tier.label,
            ByteSize(limit),
            ByteSize(used),
            ByteSize(limit.saturating_sub(others).max(0)),
            self.advice
        )
    }
}
