//! Recognises restores that fail because the machine runs out of disk space or memory, not because of their data.

use std::sync::atomic::AtomicU64;

use crate::backup::dump::store_parts::tell;
use crate::backup::restore::source::BackupSource;
use crate::config::Tier;
use crate::domain::quantity::MIB;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::measured;

/// Free space in bytes below which a tier counts as full: a server cannot extend a file then.
const FULL: i64 = 32 * MIB;

/// The operating system's message for a full disk, which every engine repeats.
const NO_ROOM: &str = "No space left on device";

/// Whether a server failed because the machine ran out of disk space or memory, or because the server itself ended.
/// Such a failure says nothing about the object being restored, so a second attempt must not skip that object.
pub(super) fn is_resource_failure(why: &str) -> bool {
    const WORDS: [&str; 8] = [
        NO_ROOM,
        "could not extend file",
        "out of memory",
        "server closed the connection",
        "terminating connection",
        "Lost connection to server",
        "server has gone away",
        "' is full",
    ];
    WORDS.iter().any(|words| why.contains(words))
}

/// Fills a server whose data is on `tier` from a backup, and shows the progress: `passed` counts the bytes.
pub(super) async fn filled(
    w: &StepContext,
    tier: &Tier,
    source: &BackupSource<'_>,
    passed: &AtomicU64,
    work: impl Future<Output = Result<(), StepError>>,
) -> Result<(), StepError> {
    let expected = i64::try_from(source.manifest.bytes()).ok();
    tokio::select! {
        done = work => match done {
            Ok(()) => Ok(()),
            Err(e) => Err(explain_full_tier(tier, e).await),
        },
        () = tell(w, passed, expected) => Ok(()),
    }
}

/// Adds that the tier is full, if it is: servers report a full disk in many different ways.
async fn explain_full_tier(tier: &Tier, e: StepError) -> StepError {
    let StepError::Fail(why) = e else { return e };
    let full = why.contains(NO_ROOM) || measured(tier.path.clone()).await.is_ok_and(|has| has.free < FULL);
    if !full {
        return StepError::Fail(why);
    }
    StepError::Fail(format!(
        "The storage tier “{}” filled up during the restore, so nothing was kept. Free up space, then restore \
         again.\n{why}",
        tier.label
    ))
}

#[cfg(test)]
mod tests {
    use crate::backup::restore::resources::*;

    #[test]
    fn failures_of_the_machine_are_recognised() {
        for why in
            ["psql: error: server closed the connection unexpectedly", "ERROR 1114 (HY000): The table 't' is full"]
        {
            assert!(is_resource_failure(why), "{why}");
        }
        for why in ["ERROR:  function f() does not exist", "ERROR 1146 (42S02): Table 'full' doesn't exist"] {
            assert!(!is_resource_failure(why), "{why}");
        }
    }
}
