//! The container engine as a trait. Only [`docker`] uses the real engine.

pub mod activity;
pub mod docker;
pub mod error;
mod exec;
pub mod fault;
pub mod firewall_state;
pub mod helper;
pub mod image_states;
pub mod output;
mod relay;
pub mod topology;
mod translate;
pub mod waiting_shell;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde::Serialize;

use crate::domain::cpu_set::CpuSet;
use crate::domain::names::InstanceId;
use crate::engine::{ExecSpec, InjectedFile};
pub use crate::runtime::error::RuntimeError;
pub use crate::runtime::output::{ExecOutput, ExecPiece, Input, Pieces};

/// Label that identifies the portal a container or network belongs to. Labels cannot change while a container runs, so
/// all other facts are stored in mydb_admin under the engine's id.
pub const LABEL_INSTANCE: &str = "db4sci.instance";

/// Version and resources of the engine.
#[derive(Debug, Clone, Serialize)]
pub struct RuntimeInfo {
    /// Product and version.
    pub version: String,
    /// API version in use.
    pub api: String,
    /// Storage driver.
    pub driver: String,
    /// Version of control groups: `1` or `2`.
    pub cgroup: String,
    /// Root directory of the engine's data.
    pub root: String,
    /// Number of cores.
    pub cpus: i64,
    /// Memory in bytes.
    pub memory: i64,
}

/// An image that is present on this machine.
#[derive(Debug, Clone, Serialize)]
pub struct ImageInfo {
    /// The registry's digest or, without one, the content id.
    pub digest: String,
    /// Size in bytes.
    pub size: i64,
}

/// A host directory mounted into a container.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Directory on the host.
    pub source: PathBuf,
    /// Path inside the container; read-only if it ends with `:ro`.
    pub target: String,
    /// Whether the mount is read-only.
    pub read_only: bool,
}

/// A published port.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Address on the host.
    pub address: std::net::IpAddr,
    /// Port on the host.
    pub port: u16,
    /// Port inside the container.
    pub inside: u16,
}

/// A container to create.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Name in the engine: the instance, a dash, and the container's name.
    pub name: String,
    /// The instance it belongs to.
    pub instance: InstanceId,
    /// Image reference.
    pub image: String,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Replaces the image's entrypoint, for helper containers.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments.
    pub cmd: Vec<String>,
    /// `uid:gid`, or the image's default.
    pub user: Option<String>,
    /// Mounted directories.
    pub mounts: Vec<Mount>,
    /// Published ports.
    pub publish: Vec<Publish>,
    /// Network to join; `none` for no network.
    pub network: String,
    /// Additional host names: (name, address).
    pub hosts: Vec<(String, String)>,
    /// Memory limit in bytes, including swap.
    pub memory: i64,
    /// CPU limit in thousandths of a core.
    pub millicpus: i32,
    /// Memory in bytes that the kernel leaves to it when the machine runs short of memory, if any.
    pub reservation: Option<i64>,
    /// The cores it may use; empty for all.
    pub cores: CpuSet,
    /// Maximum number of processes.
    pub pids: i64,
    /// Size of `/dev/shm` in bytes.
    pub shm: i64,
    /// Capabilities to keep; all others are dropped.
    pub capabilities: Vec<String>,
    /// Stop signal.
    pub stop_signal: Option<String>,
    /// Grace period for a stop, in seconds.
    pub stop_seconds: Option<u32>,
}

/// The state of a container in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The engine's id.
    pub id: String,
    /// Name, without a leading slash.
    pub name: String,
    /// Instance label.
    pub instance: String,
    /// Whether it is running.
    pub running: bool,
    /// The engine's status: created, running, exited, dead …
    pub status: String,
    /// Exit code of its last run.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it because of its memory limit.
    pub oom_killed: bool,
    /// When it was last started.
    pub started_at: Option<DateTime<Utc>>,
    /// Published ports: (inside, host).
    pub ports: Vec<(u16, u16)>,
    /// Memory limit in bytes and CPU limit in thousandths; absent in lists.
    pub limits: Option<(i64, i32)>,
    /// Size of `/dev/shm` in bytes; absent in lists.
    pub shm: Option<i64>,
    /// Reserved memory in bytes, 0 for none; absent in lists.
    pub reservation: Option<i64>,
    /// The cores it may use, none for all; absent in lists.
    pub cores: Option<CpuSet>,
}

/// The kernel ended a process of a container that exceeded its memory limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OomKill {
    /// The engine's id of the container.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Resource usage of a running container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Memory in bytes, without reclaimable file cache.
    pub memory: i64,
    /// CPU time since its start, in microseconds.
    pub cpu_us: i64,
    /// Bytes sent over its networks since its start.
    pub sent: i64,
}

/// Selects lines of a server's log.
#[derive(Debug, Clone, Copy)]
pub struct LogRequest {
    /// Number of lines from the end.
    pub tail: u32,
    /// Whether to continue with new lines as they are written.
    pub follow: bool,
}

/// Receives the progress of pulling an image, as sentences.
pub type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// The container engine.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Succeeds if the engine responds. Fast even while the engine is busy, unlike [`Runtime::info`].
    async fn ping(&self) -> Result<(), RuntimeError>;
    /// Version and resources of the engine.
    async fn info(&self) -> Result<RuntimeInfo, RuntimeError>;
    /// The image, if present on this machine.
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, RuntimeError>;
    /// Succeeds if a registry has the image.
    async fn pullable(&self, reference: &str) -> Result<(), RuntimeError>;
    /// Pulls the image.
    async fn pull(&self, reference: &str, progress: Progress<'_>) -> Result<(), RuntimeError>;
    /// Creates the instance's network unless it exists. Containers in it cannot reach each other.
    async fn ensure_network(&self, name: &str, instance: &InstanceId) -> Result<(), RuntimeError>;
    /// The host interface of this network's bridge; `None` if the network does not exist.
    async fn bridge(&self, name: &str, instance: &InstanceId) -> Result<Option<String>, RuntimeError>;
    /// Creates a container and returns its id.
    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError>;
    /// Copies files into a container, whether it is running or not.
    async fn copy_in(&self, id: &str, files: &[InjectedFile]) -> Result<(), RuntimeError>;
    /// Starts a container; does nothing if it is running.
    async fn start(&self, id: &str) -> Result<(), RuntimeError>;
    /// Changes the cores that an existing container may use, also while it runs. The set must not be empty: engines
    /// cannot lift the restriction of a container, only extend it to all cores.
    async fn set_cores(&self, id: &str, cores: &CpuSet) -> Result<(), RuntimeError>;
    /// Stops a container with its own signal and kills it after `seconds`; does nothing if it is stopped.
    async fn stop(&self, id: &str, seconds: u32) -> Result<(), RuntimeError>;
    /// Pauses all processes of a container; does nothing if it is paused.
    async fn pause(&self, id: &str) -> Result<(), RuntimeError>;
    /// Resumes the processes; does nothing if the container is not paused or does not exist.
    async fn unpause(&self, id: &str) -> Result<(), RuntimeError>;
    /// Removes a container and the anonymous volumes of its image; a missing one is not an error.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;
    /// The container with this id or name.
    async fn inspect(&self, id: &str) -> Result<Option<Observed>, RuntimeError>;
    /// The engine's complete description of a container, without its environment.
    async fn inspect_json(&self, id: &str) -> Result<serde_json::Value, RuntimeError>;
    /// Current resource usage of a container; `None` if it is not running.
    async fn stats(&self, id: &str) -> Result<Option<Stats>, RuntimeError>;
    /// All containers of an instance.
    async fn list(&self, instance: &InstanceId) -> Result<Vec<Observed>, RuntimeError>;
    /// Runs a command inside a running container. Its input is `input` or, without it, the input in `spec`. Output is
    /// streamed as it is printed; if the caller does not read it, the command waits.
    async fn exec_stream(&self, id: &str, spec: &ExecSpec, input: Option<Input>) -> Result<Pieces, RuntimeError>;
    /// Runs a command inside a running container until it exits.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<ExecOutput, RuntimeError> {
        let program = spec.argv.first().map_or("", String::as_str);
        output::collect(program, self.exec_stream(id, spec, None).await?).await
    }
    /// Containers of an instance in which the kernel ended a process because of the memory limit: those since a time
    /// that the engine remembers, and then as it happens.
    async fn oom_kills(
        &self,
        instance: &InstanceId,
        since: DateTime<Utc>,
    ) -> Result<BoxStream<'static, Result<OomKill, RuntimeError>>, RuntimeError>;
    /// Waits until a container exits, and returns its exit code.
    async fn wait(&self, id: &str) -> Result<i64, RuntimeError>;
    /// The container's log: standard output and error as the server wrote them.
    async fn logs(
        &self,
        id: &str,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError>;
}
