//! The container engine as the portal needs it. Only [`docker`] names the real one.

pub mod activity;
pub mod docker;
mod exec;
pub mod fault;
pub mod firewall;
pub mod helper;
pub mod image_states;
mod translate;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Serialize;

use crate::domain::names::InstanceId;
use crate::domain::stream_error::StreamError;
use crate::engine::{ExecSpec, InjectedFile};

/// Label that says which portal a container or network belongs to. Labels can't change while a
/// container runs, so who it is stands in mydb_admin, keyed by the engine's id.
pub const LABEL_INSTANCE: &str = "db4sci.instance";

/// What went wrong in the container engine. Every message is a sentence for the container's page.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not answer at all.
    #[error("The container engine did not respond when asked to {operation}: {cause}")]
    Unreachable {
        /// What was to be done.
        operation: String,
        /// The client's words.
        cause: String,
    },
    /// What was asked for is not there.
    #[error("Could not {operation}, because it does not exist: {cause}")]
    NotFound {
        /// What was to be done.
        operation: String,
        /// The engine's words.
        cause: String,
    },
    /// A container or network of this name exists.
    #[error("The container engine could not {operation}, because the name is already in use: {cause}")]
    Conflict {
        /// What was to be done.
        operation: String,
        /// The engine's words.
        cause: String,
    },
    /// A published port is held by another program.
    #[error("Port {port} is in use by another program.")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The image is not here and can't be fetched.
    #[error("The image {image} is not on this machine and cannot be pulled: {cause}")]
    ImageUnavailable {
        /// Its reference.
        image: String,
        /// The engine's words.
        cause: String,
    },
    /// What a command was to read broke off.
    #[error(transparent)]
    Input(#[from] StreamError),
    /// Anything else the engine refused.
    #[error("The container engine could not {operation}: {cause}")]
    Failed {
        /// What was to be done.
        operation: String,
        /// The engine's words.
        cause: String,
    },
}

impl RuntimeError {
    /// Whether trying again later may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Input(e) => e.may_pass(),
            _ => false,
        }
    }
}

/// What the engine says about itself.
#[derive(Debug, Clone, Serialize)]
pub struct RuntimeInfo {
    /// Product and version.
    pub version: String,
    /// API version in use.
    pub api: String,
    /// Storage driver.
    pub driver: String,
    /// `1` or `2`.
    pub cgroup: String,
    /// Directory of the engine.
    pub root: String,
    /// Cores.
    pub cpus: i64,
    /// Memory in bytes.
    pub memory: i64,
}

/// An image that is present.
#[derive(Debug, Clone, Serialize)]
pub struct ImageInfo {
    /// Content id, or the registry's digest where there is one.
    pub digest: String,
    /// Size in bytes.
    pub size: i64,
}

/// A directory of the host inside a container.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Directory on the host.
    pub source: PathBuf,
    /// Path inside; with `:ro` at its end nothing can be written there.
    pub target: String,
    /// Whether nothing can be changed through it.
    pub read_only: bool,
}

/// A published port.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Address on the host.
    pub address: std::net::IpAddr,
    /// Port on the host.
    pub port: u16,
    /// Port inside.
    pub inside: u16,
}

/// A container to be made.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Name in the engine: the instance, a dash, and the container's.
    pub name: String,
    /// Instance it belongs to.
    pub instance: InstanceId,
    /// Image reference.
    pub image: String,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Replaces the image's entrypoint, for helper containers.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments.
    pub cmd: Vec<String>,
    /// `uid:gid`, or the image's own.
    pub user: Option<String>,
    /// Directories.
    pub mounts: Vec<Mount>,
    /// Ports.
    pub publish: Vec<Publish>,
    /// Network to join; `none` for none.
    pub network: String,
    /// Host names it resolves by itself: (name, address).
    pub hosts: Vec<(String, String)>,
    /// Memory limit in bytes. Swap is not added to it.
    pub memory: i64,
    /// CPU limit in thousandths of a core.
    pub millicpus: i32,
    /// Most processes.
    pub pids: i64,
    /// Size of `/dev/shm` in bytes.
    pub shm: i64,
    /// Capabilities kept; all others are dropped.
    pub capabilities: Vec<String>,
    /// Stop signal.
    pub stop_signal: Option<String>,
    /// Seconds a stop may take.
    pub stop_seconds: Option<u32>,
}

/// A container as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The engine's id.
    pub id: String,
    /// Name, without a leading slash.
    pub name: String,
    /// Instance label.
    pub instance: String,
    /// Whether it runs.
    pub running: bool,
    /// The engine's word: created, running, exited, dead …
    pub status: String,
    /// Exit code of its last run.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// When it was started last.
    pub started_at: Option<DateTime<Utc>>,
    /// Published ports: (inside, host).
    pub ports: Vec<(u16, u16)>,
    /// Memory limit in bytes and CPU limit in thousandths; not in a listing.
    pub limits: Option<(i64, i32)>,
    /// Bytes of `/dev/shm`; not in a listing.
    pub shm: Option<i64>,
}

/// What a command inside a container left.
#[derive(Debug, Clone)]
pub struct ExecOutput {
    /// Exit code.
    pub code: i64,
    /// Standard output, cut at 64 KiB.
    pub stdout: String,
    /// Standard error, cut at 64 KiB.
    pub stderr: String,
}

/// What a command that goes on prints, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecPiece {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// Its exit code; the last piece. A stream that ends without one was cut.
    Ended(i64),
}

/// What a command reads. An `Err` says that the input broke: the command must not be taken as done.
pub type Input = BoxStream<'static, Result<Bytes, StreamError>>;

/// Most bytes kept of a command's output.
const OUTPUT_LIMIT: usize = 64 * 1024;
/// Most bytes that are read of it. Whatever prints more prints for ever.
const OUTPUT_MOST: u64 = 64 * 1024 * 1024;
/// Most bytes kept of a log whose last lines are asked for.
const LOG_LIMIT: usize = 1024 * 1024;

/// Reads the last lines of a log, or as much of them as is shown: a line may be of any length.
pub async fn read_log(mut pieces: BoxStream<'static, Result<Bytes, RuntimeError>>) -> Result<String, RuntimeError> {
    let mut said = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => said.extend(piece.iter().take(LOG_LIMIT - said.len())),
            Err(e) if said.is_empty() => return Err(e),
            Err(_) => break,
        }
        if said.len() == LOG_LIMIT {
            said.extend_from_slice(b"\n(there is more)");
            break;
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// What a running container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Memory in bytes, without the file cache that can be given back.
    pub memory: i64,
    /// Processor time since its start, in microseconds.
    pub cpu_us: i64,
    /// Bytes that it has sent over its networks since its start.
    pub sent: i64,
}

/// Which lines of a server's log to read.
#[derive(Debug, Clone, Copy)]
pub struct LogRequest {
    /// How many of the last lines.
    pub tail: u32,
    /// Whether to go on as lines are written.
    pub follow: bool,
}

/// A piece of progress while an image is pulled, as a sentence.
pub type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// The container engine.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Succeeds if the engine answers. Quick also while it is busy, as a question about itself is not.
    async fn ping(&self) -> Result<(), RuntimeError>;
    /// What the engine says about itself.
    async fn info(&self) -> Result<RuntimeInfo, RuntimeError>;
    /// The image, if present.
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, RuntimeError>;
    /// Succeeds if a registry has the image.
    async fn pullable(&self, reference: &str) -> Result<(), RuntimeError>;
    /// Fetches the image.
    async fn pull(&self, reference: &str, progress: Progress<'_>) -> Result<(), RuntimeError>;
    /// Makes the instance's network, or finds it made. Containers on it can't reach each other.
    async fn ensure_network(&self, name: &str, instance: &InstanceId) -> Result<(), RuntimeError>;
    /// The interface of the engine's host behind which this network's containers are; `None` where there is no such network.
    async fn bridge(&self, name: &str, instance: &InstanceId) -> Result<Option<String>, RuntimeError>;
    /// Makes a container and answers its id.
    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError>;
    /// Copies files into a container, running or not.
    async fn copy_in(&self, id: &str, files: &[InjectedFile]) -> Result<(), RuntimeError>;
    /// Starts it; a running one is left alone.
    async fn start(&self, id: &str) -> Result<(), RuntimeError>;
    /// Stops it with its own signal, killing it after `seconds`; a stopped one is left alone.
    async fn stop(&self, id: &str, seconds: u32) -> Result<(), RuntimeError>;
    /// Freezes all its processes; a frozen one is left alone.
    async fn pause(&self, id: &str) -> Result<(), RuntimeError>;
    /// Lets them go on; one that is not frozen, or gone, is left alone.
    async fn unpause(&self, id: &str) -> Result<(), RuntimeError>;
    /// Removes it, and the anonymous volumes of its image; one that is gone is fine.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;
    /// The container with this id or name.
    async fn inspect(&self, id: &str) -> Result<Option<Observed>, RuntimeError>;
    /// The engine's whole description of a container, with its environment removed.
    async fn inspect_json(&self, id: &str) -> Result<serde_json::Value, RuntimeError>;
    /// What a running container uses at this moment; `None` where it does not run.
    async fn stats(&self, id: &str) -> Result<Option<Stats>, RuntimeError>;
    /// All containers of an instance.
    async fn list(&self, instance: &InstanceId) -> Result<Vec<Observed>, RuntimeError>;
    /// Runs a command inside a running container, to which `input` goes, or else what `spec` says. What it prints comes
    /// as it prints it; one that nobody reads waits.
    async fn exec_stream(
        &self,
        id: &str,
        spec: &ExecSpec,
        input: Option<Input>,
    ) -> Result<BoxStream<'static, Result<ExecPiece, RuntimeError>>, RuntimeError>;
    /// Runs a command inside a running container to its end.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<ExecOutput, RuntimeError> {
        let mut pieces = self.exec_stream(id, spec, None).await?;
        let (mut stdout, mut stderr, mut code) = (Vec::new(), Vec::new(), -1);
        let append = |text: &mut Vec<u8>, piece: &[u8]| {
            let room = OUTPUT_LIMIT.saturating_sub(text.len());
            text.extend(piece.iter().take(room));
        };
        let mut printed = 0u64;
        while let Some(piece) = pieces.next().await {
            match piece? {
                ExecPiece::Stdout(piece) => {
                    printed += piece.len() as u64;
                    append(&mut stdout, &piece);
                }
                ExecPiece::Stderr(piece) => {
                    printed += piece.len() as u64;
                    append(&mut stderr, &piece);
                }
                ExecPiece::Ended(ended) => code = ended,
            }
            if printed > OUTPUT_MOST {
                let program = spec.argv.first().map_or("", String::as_str);
                return Err(RuntimeError::Failed {
                    operation: format!("run {program} in the container"),
                    cause: "it prints too much".to_owned(),
                });
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(ExecOutput { code, stdout: text(stdout), stderr: text(stderr) })
    }
    /// Waits until a container ends, and answers its exit code.
    async fn wait(&self, id: &str) -> Result<i64, RuntimeError>;
    /// Its log, standard output and error as the server wrote them.
    async fn logs(
        &self,
        id: &str,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError>;
}
