//! Converts between the portal's types and those of the Docker API.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStatsResponse, ContainerSummary, CreateImageInfo,
    EventMessage, HostConfig, HostConfigLogConfig, ImageInspect, PortBinding, SystemInfo, SystemVersion,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{ContainerSpec, ImageInfo, LABEL_INSTANCE, Observed, OomKill, RuntimeError, RuntimeInfo, Stats};
use crate::domain::cpu_set::CpuSet;
use crate::engine::{InjectedFile, file_bytes};

/// The HTTP status of an error response.
pub(super) fn status(e: &Error) -> Option<u16> {
    match e {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

fn words(e: &Error) -> String {
    match e {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

/// Messages of engines about a container in which no command can run.
const NOT_RUNNING: [&str; 5] = [
    "is not running",
    "is restarting",
    "is paused",
    "cannot exec in a stopped",
    "cannot exec a container that has stopped",
];

/// Adds the operation to an error, and distinguishes an unresponsive engine from one that rejects the request.
pub(super) fn error(e: &Error, operation: &str) -> RuntimeError {
    let (operation, cause) = (operation.to_owned(), words(e));
    match (status(e), e) {
        // Before the codes: the same one says that a name is in use, and a container that ends while a command starts in
        // it is an internal error.
        (Some(_), _) | (None, Error::DockerStreamError { .. }) if NOT_RUNNING.iter().any(|s| cause.contains(s)) => {
            RuntimeError::NotRunning { operation }
        }
        (Some(404), _) => RuntimeError::NotFound { operation, cause },
        (Some(409), _) => RuntimeError::Conflict { operation, cause },
        (Some(_), _) | (None, Error::DockerStreamError { .. } | Error::JsonDataError { .. }) => {
            RuntimeError::Failed { operation, cause }
        }
        _ => RuntimeError::Unreachable { operation, cause },
    }
}

/// The error for an unavailable image.
pub(super) fn unavailable(e: &Error, image: &str) -> RuntimeError {
    match (status(e), e) {
        (Some(_), _) | (None, Error::DockerStreamError { .. }) => {
            RuntimeError::ImageUnavailable { image: image.to_owned(), cause: words(e) }
        }
        _ => error(e, &format!("look for the image {image}")),
    }
}

/// The error of a failed start. A port in use is reported separately, because another port can be taken.
pub(super) fn start_error(e: &Error) -> RuntimeError {
    let said = words(e);
    let taken = said.contains("port is already allocated") || said.contains("address already in use");
    match taken.then(|| port_in(&said)).flatten() {
        Some(port) => RuntimeError::PortTaken { port },
        None => error(e, "start the container"),
    }
}

/// The host port in messages such as `listen tcp4 127.0.0.1:41001: bind: …` and `Bind for 0.0.0.0:41001 failed`.
fn port_in(said: &str) -> Option<u16> {
    let marker = ["Bind for ", "listen tcp4 ", "listen tcp6 ", "listen tcp "]
        .iter()
        .find_map(|m| said.rfind(m).map(|at| at + m.len()))?;
    let address = said.get(marker..)?.split_whitespace().next()?;
    address.trim_end_matches(':').rsplit(':').next()?.parse().ok()
}

pub(super) fn info(info: SystemInfo, version: SystemVersion) -> RuntimeInfo {
    RuntimeInfo {
        version: info.server_version.unwrap_or_default(),
        api: version.api_version.unwrap_or_default(),
        driver: info.driver.unwrap_or_default(),
        cgroup: info.cgroup_version.map(|v| v.to_string()).unwrap_or_default(),
        root: info.docker_root_dir.unwrap_or_default(),
        cpus: info.ncpu.unwrap_or_default(),
        memory: info.mem_total.unwrap_or_default(),
    }
}

pub(super) fn image(image: ImageInspect) -> ImageInfo {
    let digest = image.repo_digests.into_iter().flatten().next();
    ImageInfo { digest: digest.or(image.id).unwrap_or_default(), size: image.size.unwrap_or_default() }
}

/// One line of a pull's progress, without the byte counts of layers, of which there are hundreds.
pub(super) fn progress(item: &CreateImageInfo) -> Option<String> {
    let status = item.status.as_deref()?;
    let quiet = ["Downloading", "Extracting", "Waiting", "Pulling fs layer", "Verifying Checksum"];
    (!quiet.contains(&status)).then(|| match &item.id {
        Some(id) => format!("{status} {id}"),
        None => status.to_owned(),
    })
}

/// Host name of a container without a network.
const ALONE: &str = "sealed";

pub(super) fn create_body(spec: &ContainerSpec) -> ContainerCreateBody {
    let bindings = spec.publish.iter().map(|p| {
        let binding = PortBinding { host_ip: Some(p.address.to_string()), host_port: Some(p.port.to_string()) };
        (format!("{}/tcp", p.inside), Some(vec![binding]))
    });
    let binds = spec.mounts.iter().map(|m| {
        let how = if m.read_only { ":ro" } else { "" };
        format!("{}:{}{how}", m.source.display(), m.target)
    });
    // A server without a network must still resolve its own host name.
    let alone = spec.network == "none";
    let own = alone.then(|| format!("{ALONE}:127.0.0.1"));
    let host = HostConfig {
        binds: Some(binds.collect()),
        port_bindings: Some(bindings.collect()),
        network_mode: Some(spec.network.clone()),
        extra_hosts: Some(spec.hosts.iter().map(|(name, address)| format!("{name}:{address}")).chain(own).collect()),
        memory: Some(spec.memory),
        // Equal to the memory limit: no swap, so that a database never seems alive while it thrashes.
        memory_swap: Some(spec.memory),
        memory_reservation: spec.reservation,
        cpuset_cpus: (!spec.cores.is_empty()).then(|| spec.cores.to_string()),
        nano_cpus: Some(i64::from(spec.millicpus) * 1_000_000),
        pids_limit: Some(spec.pids),
        shm_size: Some(spec.shm),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.clone()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        // Limit the log, so that a verbose server does not fill the host's disk.
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        ..Default::default()
    };
    ContainerCreateBody {
        hostname: alone.then(|| ALONE.to_owned()),
        image: Some(spec.image.clone()),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        entrypoint: spec.entrypoint.clone(),
        cmd: Some(spec.cmd.clone()),
        user: spec.user.clone(),
        labels: Some(HashMap::from([(LABEL_INSTANCE.to_owned(), spec.instance.to_string())])),
        exposed_ports: Some(spec.publish.iter().map(|p| format!("{}/tcp", p.inside)).collect()),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_seconds.map(i64::from),
        host_config: Some(host),
        ..Default::default()
    }
}

/// A tar archive of the files, to be unpacked at `/`. Only directories that belong to the portal get an entry.
pub(super) fn archive(files: &[InjectedFile]) -> std::io::Result<Bytes> {
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let content = file_bytes(file);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid.into());
        header.set_gid(file.gid.into());
        tar.append_data(&mut header, file.path.trim_start_matches('/'), content)?;
    }
    Ok(Bytes::from(tar.into_inner()?))
}

fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text?).ok()?.to_utc();
    // The engine uses the year 1 for "never".
    (at.timestamp() > 0).then_some(at)
}

fn port_number(key: &str) -> Option<u16> {
    key.split('/').next()?.parse().ok()
}

pub(super) fn observed(c: ContainerInspectResponse) -> Observed {
    let state = c.state.unwrap_or_default();
    let running = state.running.unwrap_or_default();
    let host = c.host_config.unwrap_or_default();
    let millicpus = i32::try_from(host.nano_cpus.unwrap_or_default() / 1_000_000).unwrap_or_default();
    let limits = Some((host.memory.unwrap_or_default(), millicpus));
    let shm = host.shm_size;
    let reservation = Some(host.memory_reservation.unwrap_or_default());
    // A list that cannot be parsed counts as none and is replaced.
    let cores = Some(host.cpuset_cpus.and_then(|text| CpuSet::parse(&text).ok()).unwrap_or_default());
    let bindings = host.port_bindings.unwrap_or_default();
    let ports = bindings.into_iter().filter_map(|(inside, hosts)| {
        let host = hosts?.into_iter().next()?.host_port?;
        Some((port_number(&inside)?, host.parse().ok()?))
    });
    Observed {
        id: c.id.unwrap_or_default(),
        name: c.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        instance: c.config.and_then(|c| c.labels).and_then(|mut l| l.remove(LABEL_INSTANCE)).unwrap_or_default(),
        running,
        status: state.status.map(|s| s.to_string()).unwrap_or_default(),
        exit_code: state.exit_code.filter(|_| !running),
        oom_killed: state.oom_killed.unwrap_or_default(),
        started_at: time(state.started_at.as_deref()),
        ports: ports.collect(),
        limits,
        shm,
        reservation,
        cores,
    }
}

/// Converts a reading. Containers that are not running have none.
pub(super) fn stats(s: &ContainerStatsResponse) -> Option<Stats> {
    let memory = s.memory_stats.as_ref()?;
    let used = memory.usage?;
    // The names used by the two versions of control groups.
    let cache = memory.stats.as_ref().and_then(|m| m.get("total_inactive_file").or_else(|| m.get("inactive_file")));
    let used = used.saturating_sub(cache.copied().unwrap_or_default());
    let cpu = s.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let sent = s.networks.iter().flatten().map(|(_, network)| network.tx_bytes.unwrap_or_default()).sum();
    Some(Stats { memory: number(used), cpu_us: number(cpu / 1000), sent: number(sent) })
}

pub(super) fn listed(c: ContainerSummary) -> Observed {
    let status = c.state.map(|s| s.to_string()).unwrap_or_default();
    let name = c.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    Observed {
        id: c.id.unwrap_or_default(),
        name: name.trim_start_matches('/').to_owned(),
        instance: c.labels.unwrap_or_default().remove(LABEL_INSTANCE).unwrap_or_default(),
        running: status == "running",
        status,
        exit_code: None,
        oom_killed: false,
        started_at: None,
        ports: Vec::new(),
        limits: None,
        shm: None,
        reservation: None,
        cores: None,
    }
}

/// The container and time of an event.
pub(super) fn oom_kill(event: EventMessage) -> Option<OomKill> {
    let nanos = event.time_nano.or_else(|| event.time?.checked_mul(1_000_000_000))?;
    Some(OomKill { id: event.actor?.id?, at: DateTime::from_timestamp_nanos(nanos) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occupied_port_is_distinguished_from_other_failures() {
        let refused = |message: &str| {
            start_error(&Error::DockerResponseServerError { status_code: 500, message: message.to_owned() })
        };
        for said in [
            "driver failed programming external connectivity on endpoint x (abc): Error starting userland proxy: \
             listen tcp4 127.0.0.1:41001: bind: address already in use",
            "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:41001 failed: \
             port is already allocated",
        ] {
            assert!(matches!(refused(said), RuntimeError::PortTaken { port: 41001 }), "{said}");
        }
        assert!(matches!(refused("no space left on device"), RuntimeError::Failed { .. }));
    }

    #[test]
    fn an_ended_container_is_distinguished_from_a_name_in_use() {
        let told = |status_code, message: &str| {
            let message = message.to_owned();
            error(&Error::DockerResponseServerError { status_code, message }, "run sh in the container")
        };
        for (code, said) in [
            (409, "Container 9c91 is not running"),
            (500, "Container 9c91 is not running: Exited (1) Less than a second ago"),
            (500, "OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown"),
            (409, "Container 9c91 is restarting, wait until the container is running"),
        ] {
            assert!(matches!(told(code, said), RuntimeError::NotRunning { .. }), "{code} {said}");
        }
        let used = told(409, "Conflict. The container name \"/lab\" is already in use");
        assert!(matches!(used, RuntimeError::Conflict { .. }) && used.is_container_down());
        assert!(!told(500, "no space left on device").is_container_down());
    }
}
