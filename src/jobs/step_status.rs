//! Records which steps of a job have run. This is shown to people, and tells the next run where to continue.

use crate::admin_db::jobs;
use crate::admin_db::jobs::StepStatus;
use crate::queue::context::StepContext;

/// The number of a step in mydb_admin, given its index.
pub(crate) fn number(i: usize) -> i16 {
    i16::try_from(i + 1).unwrap_or(i16::MAX)
}

/// Records the status of a step, which is only shown to people: if that fails, the job continues, and after a crash the
/// step is repeated. Nothing is written if another worker owns the job by now.
pub(crate) async fn set_step(work: &StepContext, seq: i16, status: StepStatus, detail: Option<&str>) {
    let done = async {
        let mut db = work.app.db.acquire().await?;
        jobs::set_step(&mut db, work.job.id, &work.lease, seq, status, detail).await
    };
    if let Err(e) = done.await {
        tracing::debug!("Could not record the status of a step: {e}");
    }
}
