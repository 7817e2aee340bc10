//! Fault injection: a [`Runtime`] that forwards everything to another one and fails where a test requests it.
//!
//! It wraps the real engine and never replaces it, so everything that succeeds is real.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::{
    ContainerSpec, ExecOutput, ExecPiece, ImageInfo, Input, LogRequest, Observed, OomKill, Pieces, Progress, Runtime,
    RuntimeError, RuntimeInfo, Stats,
};
use crate::domain::cpu_set::CpuSet;
use crate::domain::names::InstanceId;
use crate::engine::{ExecSpec, InjectedFile};

/// When a fault occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTiming {
    /// Instead of the operation.
    Before,
    /// After the operation was performed, so the caller does not learn of its success.
    After,
}

/// A fault to be injected.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method's name: `create`, `start`, `exec` …
    pub operation: &'static str,
    /// Instead of the operation or after it.
    pub strike: FaultTiming,
    /// How many times the fault occurs.
    pub times: u32,
    /// Whether the engine seems unreachable (worth a retry) or rejects the request (not worth one).
    pub transient: bool,
}

/// A runtime with injected faults.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Runtime>,
    faults: Arc<Mutex<Vec<Fault>>>,
    cut: Arc<Mutex<Option<usize>>>,
}

impl Faulty {
    /// Wraps `inner`, initially without faults.
    pub fn new(inner: Arc<dyn Runtime>) -> Self {
        Self { inner, faults: Arc::default(), cut: Arc::default() }
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// How often faults will still occur.
    pub fn left(&self) -> u64 {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|f| u64::from(f.times)).sum()
    }

    /// Removes all faults that have not occurred yet.
    pub fn heal(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Cuts the standard output of the next command after this many bytes, although the command succeeds.
    pub fn cut_output(&self, bytes: usize) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    fn cut(&self) -> Option<usize> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn strikes(&self, operation: &'static str, strike: FaultTiming) -> Result<(), RuntimeError> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let due = faults.iter_mut().find(|f| f.operation == operation && f.strike == strike && f.times > 0);
        let Some(fault) = due else { return Ok(()) };
        fault.times -= 1;
        let (operation, cause) = (operation.to_owned(), "injected fault".to_owned());
        Err(if fault.transient {
            RuntimeError::Unreachable { operation, cause }
        } else {
            RuntimeError::Failed { operation, cause }
        })
    }
}

/// Drops a command's standard output after `most` bytes.
fn cut(whole: Pieces, most: usize) -> Pieces {
    let mut left = most;
    whole
        .map(move |piece| match piece {
            Ok(ExecPiece::Stdout(mut bytes)) => {
                bytes.truncate(left);
                left -= bytes.len();
                Ok(ExecPiece::Stdout(bytes))
            }
            other => other,
        })
        .boxed()
}

macro_rules! pass_on {
    ($self:ident . $name:ident ( $($arg:expr),* )) => {{
        $self.strikes(stringify!($name), FaultTiming::Before)?;
        let done = $self.inner.$name($($arg),*).await?;
        $self.strikes(stringify!($name), FaultTiming::After)?;
        Ok(done)
    }};
}

#[async_trait]
impl Runtime for Faulty {
    async fn ping(&self) -> Result<(), RuntimeError> {
        pass_on!(self.ping())
    }
    async fn info(&self) -> Result<RuntimeInfo, RuntimeError> {
        pass_on!(self.info())
    }
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        pass_on!(self.image(reference))
    }
    async fn pullable(&self, reference: &str) -> Result<(), RuntimeError> {
        pass_on!(self.pullable(reference))
    }
    async fn pull(&self, reference: &str, progress: Progress<'_>) -> Result<(), RuntimeError> {
        pass_on!(self.pull(reference, progress))
    }
    async fn bridge(&self, name: &str, instance: &InstanceId) -> Result<Option<String>, RuntimeError> {
        pass_on!(self.bridge(name, instance))
    }
    async fn ensure_network(&self, name: &str, instance: &InstanceId) -> Result<(), RuntimeError> {
        pass_on!(self.ensure_network(name, instance))
    }
    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        pass_on!(self.create(spec))
    }
    async fn copy_in(&self, id: &str, files: &[InjectedFile]) -> Result<(), RuntimeError> {
        pass_on!(self.copy_in(id, files))
    }
    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        pass_on!(self.start(id))
    }
    async fn set_cores(&self, id: &str, cores: &CpuSet) -> Result<(), RuntimeError> {
        pass_on!(self.set_cores(id, cores))
    }
    async fn oom_kills(
        &self,
        instance: &InstanceId,
        since: DateTime<Utc>,
    ) -> Result<BoxStream<'static, Result<OomKill, RuntimeError>>, RuntimeError> {
        pass_on!(self.oom_kills(instance, since))
    }
    async fn stop(&self, id: &str, seconds: u32) -> Result<(), RuntimeError> {
        pass_on!(self.stop(id, seconds))
    }
    async fn pause(&self, id: &str) -> Result<(), RuntimeError> {
        pass_on!(self.pause(id))
    }
    async fn unpause(&self, id: &str) -> Result<(), RuntimeError> {
        pass_on!(self.unpause(id))
    }
    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        pass_on!(self.remove(id))
    }
    async fn stats(&self, id: &str) -> Result<Option<Stats>, RuntimeError> {
        pass_on!(self.stats(id))
    }
    async fn inspect(&self, id: &str) -> Result<Option<Observed>, RuntimeError> {
        pass_on!(self.inspect(id))
    }
    async fn inspect_json(&self, id: &str) -> Result<serde_json::Value, RuntimeError> {
        pass_on!(self.inspect_json(id))
    }
    async fn list(&self, instance: &InstanceId) -> Result<Vec<Observed>, RuntimeError> {
        pass_on!(self.list(instance))
    }
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<ExecOutput, RuntimeError> {
        pass_on!(self.exec(id, spec))
    }
    async fn exec_stream(&self, id: &str, spec: &ExecSpec, input: Option<Input>) -> Result<Pieces, RuntimeError> {
        self.strikes("exec_stream", FaultTiming::Before)?;
        let whole = self.inner.exec_stream(id, spec, input).await?;
        self.strikes("exec_stream", FaultTiming::After)?;
        match self.cut() {
            Some(most) => Ok(cut(whole, most)),
            None => Ok(whole),
        }
    }
    async fn wait(&self, id: &str) -> Result<i64, RuntimeError> {
        pass_on!(self.wait(id))
    }
    async fn logs(
        &self,
        id: &str,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        pass_on!(self.logs(id, request))
    }
}
