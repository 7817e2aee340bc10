//! Short-lived containers that perform one task and are removed: file operations for a portal that is not root, or the
//! inspection of an image.

use std::time::Duration;

use super::output::read_log;
use super::{ContainerSpec, LogRequest, Runtime, RuntimeError};
use crate::domain::cpu_set::CpuSet;
use crate::domain::names::InstanceId;

/// Arguments of a helper that idles until it is stopped, so that commands can be run in it.
pub const HOLD: [&str; 3] = ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"];

impl ContainerSpec {
    /// A helper of `instance`: `argv` replaces the image's entrypoint; no network, few resources, no capabilities.
    pub fn helper(instance: &InstanceId, name: &str, image: &str, argv: &[&str]) -> Self {
        let (program, rest) = argv.split_first().unwrap_or((&"true", &[]));
        Self {
            name: format!("{instance}-helper-{name}"),
            instance: instance.clone(),
            image: image.to_owned(),
            env: Vec::new(),
            entrypoint: Some(vec![(*program).to_owned()]),
            cmd: rest.iter().map(|a| (*a).to_owned()).collect(),
            user: None,
            mounts: Vec::new(),
            publish: Vec::new(),
            network: "none".to_owned(),
            hosts: Vec::new(),
            memory: 128 * 1024 * 1024,
            millicpus: 1000,
            reservation: None,
            cores: CpuSet::default(),
            pids: 64,
            shm: 1024 * 1024,
            capabilities: Vec::new(),
            stop_signal: None,
            stop_seconds: Some(1),
        }
    }
}

/// Runs a helper until it exits, removes it, and returns its exit code and output, at most 64 KiB.
///
/// # Errors
/// If the engine fails, or the helper does not exit within `limit`.
pub async fn run(runtime: &dyn Runtime, spec: &ContainerSpec, limit: Duration) -> Result<(i64, String), RuntimeError> {
    // Remove a helper left by a killed portal; whether or not it completed its work, this one repeats it.
    runtime.remove(&spec.name).await?;
    let id = runtime.create(spec).await?;
    let ran = async {
        runtime.start(&id).await?;
        let code = runtime.wait(&id).await?;
        let said = read_log(runtime.logs(&id, LogRequest { tail: 100, follow: false }).await?).await?;
        Ok::<_, RuntimeError>((code, said))
    };
    let outcome = tokio::time::timeout(limit, ran).await;
    runtime.remove(&id).await?;
    outcome.unwrap_or_else(|_| {
        let operation = format!("stop the helper {}", spec.name);
        Err(RuntimeError::Failed { operation, cause: format!("it kept running for {} s", limit.as_secs()) })
    })
}
