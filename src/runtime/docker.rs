//! The [`Runtime`] over a Docker API: Docker itself or a Podman socket, wherever `DOCKER_HOST` points.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerUpdateBody, NetworkCreateRequest};
use bollard::{Docker, query_parameters as query};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use super::{
    ContainerSpec, ImageInfo, Input, LABEL_INSTANCE, LogRequest, Observed, OomKill, Pieces, Progress, Runtime,
    RuntimeError, RuntimeInfo, Stats, exec, translate,
};
use crate::domain::cpu_set::CpuSet;
use crate::domain::names::InstanceId;
use crate::engine::{ExecSpec, InjectedFile};

/// How often to try to pause a container.
const PAUSE_TRIES: u32 = 10;
/// Delay between the attempts.
const PAUSE_AGAIN: Duration = Duration::from_millis(500);

/// Timeout for one response of the engine. It does not apply to streams (logs, exec, pull).
const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to the engine. Cheap to clone; it reconnects automatically for every request.
#[derive(Clone)]
pub struct DockerRuntime {
    docker: Docker,
    /// Serialises the creation of networks: older engines create two of the same name for two simultaneous requests.
    networks: Arc<Mutex<()>>,
}

impl DockerRuntime {
    /// Connects to the engine at `DOCKER_HOST` or the default socket, and negotiates an API version.
    ///
    /// # Errors
    /// [`RuntimeError::Unreachable`] if the engine does not respond.
    pub async fn connect() -> Result<Self, RuntimeError> {
        Self::agree(Docker::connect_with_defaults()).await
    }

    /// The same for the Unix socket at this address.
    ///
    /// # Errors
    /// [`RuntimeError::Unreachable`] if the engine does not respond.
    pub async fn connect_to(address: &str) -> Result<Self, RuntimeError> {
        Self::agree(Docker::connect_with_unix(address, TIMEOUT.as_secs(), bollard::API_DEFAULT_VERSION)).await
    }

    async fn agree(connected: Result<Docker, Error>) -> Result<Self, RuntimeError> {
        let wrong = |e: &Error| translate::error(e, "connect to it");
        let docker = connected.map_err(|e| wrong(&e))?.with_timeout(TIMEOUT);
        // Docker 20.10 in Debian supports API 1.41 and rejects newer clients without this negotiation.
        let docker = docker.negotiate_version().await.map_err(|e| wrong(&e))?;
        Ok(Self { docker, networks: Arc::default() })
    }

    async fn is_paused(&self, id: &str) -> Result<bool, RuntimeError> {
        Ok(self.inspect(id).await?.is_some_and(|found| found.status == "paused"))
    }

    /// Ids of this instance's networks of exactly this name, the oldest first.
    async fn networks_named(&self, name: &str, instance: &InstanceId) -> Result<Vec<String>, RuntimeError> {
        let filters = HashMap::from([
            ("name".to_owned(), vec![name.to_owned()]),
            ("label".to_owned(), vec![format!("{LABEL_INSTANCE}={instance}")]),
        ]);
        let options = query::ListNetworksOptionsBuilder::default().filters(&filters).build();
        let listed = self.docker.list_networks(Some(options)).await.map_err(failed("look up the network"))?;
        let mut found: Vec<_> = listed
            .into_iter()
            .filter(|n| n.name.as_deref() == Some(name))
            .filter_map(|n| Some((n.created, n.id?)))
            .collect();
        found.sort();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    async fn make_network(&self, name: &str, instance: &InstanceId) -> Result<(), RuntimeError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            // Containers of different users share this network but must not reach each other.
            options: Some(HashMap::from([("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned())])),
            labels: Some(HashMap::from([(LABEL_INSTANCE.to_owned(), instance.to_string())])),
            ..Default::default()
        };
        match self.docker.create_network(request).await {
            Ok(_) => Ok(()),
            Err(e) if translate::status(&e) == Some(409) => Ok(()),
            Err(e) => Err(failed(format!("create the network {name}"))(e)),
        }
    }
}

fn failed(operation: impl Into<String>) -> impl Fn(Error) -> RuntimeError {
    let operation = operation.into();
    move |e| translate::error(&e, &operation)
}

#[async_trait]
impl Runtime for DockerRuntime {
    async fn ping(&self) -> Result<(), RuntimeError> {
        self.docker.ping().await.map(|_| ()).map_err(failed("answer"))
    }

    async fn info(&self) -> Result<RuntimeInfo, RuntimeError> {
        let info = self.docker.info().await.map_err(failed("report its version"))?;
        let version = self.docker.version().await.map_err(failed("report its version"))?;
        Ok(translate::info(info, version))
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(Some(translate::image(image))),
            Err(e) if translate::status(&e) == Some(404) => Ok(None),
            Err(e) => Err(failed(format!("look up the image {reference}"))(e)),
        }
    }

    async fn pullable(&self, reference: &str) -> Result<(), RuntimeError> {
        self.docker
            .inspect_registry_image(reference, None)
            .await
            .map(|_| ())
            .map_err(|e| translate::unavailable(&e, reference))
    }

    async fn pull(&self, reference: &str, progress: Progress<'_>) -> Result<(), RuntimeError> {
        let options = query::CreateImageOptionsBuilder::default().from_image(reference).build();
        let mut stream = self.docker.create_image(Some(options), None, None);
        while let Some(item) = stream.next().await {
            let item = item.map_err(|e| translate::unavailable(&e, reference))?;
            if let Some(said) = translate::progress(&item) {
                progress(said);
            }
        }
        Ok(())
    }

    async fn ensure_network(&self, name: &str, instance: &InstanceId) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.networks.lock().await;
        let mut found = self.networks_named(name, instance).await?;
        if found.is_empty() {
            self.make_network(name, instance).await?;
            found = self.networks_named(name, instance).await?;
        }
        // If another portal made the same request at the same time, both keep the same network: the engine accepts
        // neither of two networks with the same name.
        for extra in found.iter().skip(1) {
            if let Err(e) = self.docker.remove_network(extra).await {
                tracing::warn!(network = name, "Could not remove a duplicate network: {e}");
            }
        }
        Ok(())
    }

    async fn bridge(&self, name: &str, instance: &InstanceId) -> Result<Option<String>, RuntimeError> {
        let Some(id) = self.networks_named(name, instance).await?.into_iter().next() else { return Ok(None) };
        let asked = self.docker.inspect_network(&id, None::<query::InspectNetworkOptions>).await;
        let options = asked.map_err(failed("inspect the network"))?.options.unwrap_or_default();
        // The engine's default name for a bridge without a configured one.
        let made_up = || format!("br-{}", id.chars().take(12).collect::<String>());
        Ok(Some(options.get("com.docker.network.bridge.name").cloned().unwrap_or_else(made_up)))
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let options = query::CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let body: ContainerCreateBody = translate::create_body(spec);
        match self.docker.create_container(Some(options), body).await {
            Ok(made) => Ok(made.id),
            Err(e) if translate::status(&e) == Some(404) => Err(translate::unavailable(&e, &spec.image)),
            Err(e) => Err(failed(format!("create the container {}", spec.name))(e)),
        }
    }

    async fn copy_in(&self, id: &str, files: &[InjectedFile]) -> Result<(), RuntimeError> {
        let wrong = |e: std::io::Error| RuntimeError::Failed {
            operation: "pack the configuration files".to_owned(),
            cause: e.to_string(),
        };
        let archive = translate::archive(files).map_err(wrong)?;
        let options = query::UploadToContainerOptionsBuilder::default().path("/").build();
        self.docker
            .upload_to_container(id, Some(options), bollard::body_full(archive))
            .await
            .map_err(failed("copy the configuration files into the container"))
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        match self.docker.start_container(id, None::<query::StartContainerOptions>).await {
            Ok(()) => Ok(()),
            Err(e) if translate::status(&e) == Some(304) => Ok(()),
            // A paused container counts as running, but its processes are frozen.
            Err(_) if self.is_paused(id).await? => self.unpause(id).await,
            Err(e) => Err(translate::start_error(&e)),
        }
    }

    async fn set_cores(&self, id: &str, cores: &CpuSet) -> Result<(), RuntimeError> {
        let change = ContainerUpdateBody { cpuset_cpus: Some(cores.to_string()), ..Default::default() };
        self.docker.update_container(id, change).await.map_err(failed("change the cores of the container"))
    }

    async fn oom_kills(
        &self,
        instance: &InstanceId,
        since: DateTime<Utc>,
    ) -> Result<BoxStream<'static, Result<OomKill, RuntimeError>>, RuntimeError> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", vec!["oom".to_owned()]),
            ("label", vec![format!("{LABEL_INSTANCE}={instance}")]),
        ]);
        let options =
            query::EventsOptionsBuilder::default().since(&since.timestamp().to_string()).filters(&filters).build();
        let events = self.docker.events(Some(options));
        let kills = events.filter_map(|event| async {
            event.map(translate::oom_kill).map_err(failed("report its events")).transpose()
        });
        Ok(kills.boxed())
    }

    async fn stop(&self, id: &str, seconds: u32) -> Result<(), RuntimeError> {
        let wait = i32::try_from(seconds).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::default().t(wait).build();
        // The response arrives when the container has stopped, so the timeout must exceed the grace period.
        let docker = self.docker.clone().with_timeout(TIMEOUT + Duration::from_secs(seconds.into()));
        match docker.stop_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(e) if matches!(translate::status(&e), Some(304 | 404)) => Ok(()),
            Err(e) => Err(failed("stop the container")(e)),
        }
    }

    async fn pause(&self, id: &str) -> Result<(), RuntimeError> {
        let mut tries = 1;
        loop {
            match self.docker.pause_container(id).await {
                Ok(()) => return Ok(()),
                Err(_) if self.is_paused(id).await? => return Ok(()),
                // On a busy machine, the engine gives up after two seconds ("unable to freeze") and lets all processes run
                // again.
                Err(Error::DockerResponseServerError { status_code: 500, .. }) if tries < PAUSE_TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE_AGAIN).await;
                }
                Err(e) => return Err(failed("pause the container")(e)),
            }
        }
    }

    async fn unpause(&self, id: &str) -> Result<(), RuntimeError> {
        match self.docker.unpause_container(id).await {
            Ok(()) => Ok(()),
            Err(_) if !self.is_paused(id).await? => Ok(()),
            Err(e) => Err(failed("unpause the container")(e)),
        }
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let options = query::RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            // 409: another request is already removing it.
            Err(e) if matches!(translate::status(&e), Some(404 | 409)) => Ok(()),
            Err(e) => Err(failed("remove the container")(e)),
        }
    }

    async fn inspect(&self, id: &str) -> Result<Option<Observed>, RuntimeError> {
        match self.docker.inspect_container(id, None::<query::InspectContainerOptions>).await {
            Ok(found) => Ok(Some(translate::observed(found))),
            Err(e) if translate::status(&e) == Some(404) => Ok(None),
            Err(e) => Err(failed("look up the container")(e)),
        }
    }

    async fn inspect_json(&self, id: &str) -> Result<serde_json::Value, RuntimeError> {
        let found = self.docker.inspect_container(id, None::<query::InspectContainerOptions>).await;
        let mut found = found.map_err(failed("look up the container"))?;
        if let Some(config) = &mut found.config {
            config.env = None;
        }
        serde_json::to_value(found)
            .map_err(|e| RuntimeError::Failed { operation: "describe the container".to_owned(), cause: e.to_string() })
    }

    async fn stats(&self, id: &str) -> Result<Option<Stats>, RuntimeError> {
        // A single reading, because otherwise the engine waits a second to compute a rate.
        let options = query::StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        match self.docker.stats(id, Some(options)).next().await {
            Some(Ok(stats)) => Ok(translate::stats(&stats)),
            Some(Err(e)) if matches!(translate::status(&e), Some(404 | 409)) => Ok(None),
            Some(Err(e)) => Err(failed("read the container's resource use")(e)),
            None => Ok(None),
        }
    }

    async fn list(&self, instance: &InstanceId) -> Result<Vec<Observed>, RuntimeError> {
        let filters = HashMap::from([("label", vec![format!("{LABEL_INSTANCE}={instance}")])]);
        let options = query::ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await.map_err(failed("list the containers"))?;
        Ok(found.into_iter().map(translate::listed).collect())
    }

    async fn exec_stream(&self, id: &str, spec: &ExecSpec, input: Option<Input>) -> Result<Pieces, RuntimeError> {
        exec::run(&self.docker, id, spec, input).await
    }

    async fn wait(&self, id: &str) -> Result<i64, RuntimeError> {
        match self.docker.wait_container(id, None::<query::WaitContainerOptions>).next().await {
            Some(Ok(ended)) => Ok(ended.status_code),
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(e)) => Err(failed("wait for the container")(e)),
            None => Ok(-1),
        }
    }

    async fn logs(
        &self,
        id: &str,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        let options = query::LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .follow(request.follow)
            .tail(&request.tail.to_string())
            .build();
        let stream = self.docker.logs(id, Some(options));
        Ok(stream.map(|piece| piece.map(LogOutput::into_bytes).map_err(failed("read the log"))).boxed())
    }
}
