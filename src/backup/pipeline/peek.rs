//! Reads as much of the beginning of an object as a command needs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::backup::pipeline::reports::Reports;
use crate::backup::pipeline::transfer;
use crate::backup::pipeline::transfer::ObjectSource;
use crate::engine::ExecSpec;
use crate::queue::step_error::StepError;
use crate::runtime::Runtime;

/// Bytes of a dump that are read, and if they are too few, for example for a table of contents with a million entries.
const LOOKS: [usize; 2] = [8 * 1024 * 1024, 256 * 1024 * 1024];

/// Runs a command on the beginning of an object, or on all of a short one; then `DB4SCI_WHOLE` in its environment is 1.
/// If the command fails on the beginning of a longer object, it is run again with more.
pub async fn run(
    runtime: &dyn Runtime,
    from: &ObjectSource<'_>,
    id: &str,
    exec: &ExecSpec,
) -> Result<Reports, StepError> {
    let look = async |most: usize| {
        let whole = from.object.dumped.bytes < most as u64;
        let input = transfer::fetch(from, Arc::default()).await?;
        let mut exec = exec.clone();
        exec.env.push(("DB4SCI_WHOLE".to_owned(), if whole { "1" } else { "0" }.into()));
        transfer::run(runtime, id, &exec, Some(transfer::beginning(input, most)), &AtomicU64::new(0)).await
    };
    let [little, much] = LOOKS;
    match look(little).await {
        Err(StepError::Fail(_)) if from.object.dumped.bytes >= little as u64 => look(much).await,
        seen => seen,
    }
}
