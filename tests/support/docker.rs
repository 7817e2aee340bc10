//! The container engine's own command line, used to verify independently what the portal did, and to clean up.

use std::net::Ipv4Addr;
use std::process::{Command, Output};

use super::PATIENCE;

/// Exit code of `timeout` if the time is over.
const LATE: i32 = 124;

/// Runs `docker`. The test fails if it does not end.
#[track_caller]
fn run(args: &[&str]) -> Output {
    let limit = format!("{}s", PATIENCE.as_secs());
    let said = Command::new("timeout").args(["--foreground", &limit, "docker"]).args(args).output();
    let said = said.expect("timeout is installed");
    // The cleanup after a test that has failed must not hide why.
    let late = said.status.code() == Some(LATE) && !std::thread::panicking();
    assert!(!late, "docker {args:?} did not end within {limit}");
    said
}

/// Runs `docker` and returns its output; empty if it failed.
#[track_caller]
pub fn docker(args: &[&str]) -> String {
    String::from_utf8_lossy(&run(args).stdout).trim().to_owned()
}

/// The same, but the test fails if `docker` fails: for checks that nothing is there, which no output at all would pass.
#[track_caller]
pub fn docker_ok(args: &[&str]) -> String {
    let said = run(args);
    assert!(said.status.success(), "docker {args:?} failed: {}", String::from_utf8_lossy(&said.stderr).trim());
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// Names of the containers of an instance, running or not.
pub fn containers(instance: &str) -> Vec<String> {
    let filter = format!("label=db4sci.instance={instance}");
    docker_ok(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).lines().map(str::to_owned).collect()
}

/// Removes the containers and the network of an instance, identified by its label. One at a time, because an engine
/// that removes several at once may keep counting one of them in their network.
pub fn sweep(instance: &str) {
    let filter = format!("label=db4sci.instance={instance}");
    for id in docker(&["ps", "-aq", "--filter", &filter]).lines() {
        docker(&["rm", "-fv", id]);
    }
    for id in docker(&["network", "ls", "-q", "--filter", &filter]).lines() {
        docker(&["network", "rm", id]);
    }
}

/// This machine's address in the engine's default network. Until its first restart, Docker 20.10 names only the subnet,
/// of which it is the first address.
pub fn bridge_address() -> Ipv4Addr {
    let config = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}";
    let said = docker_ok(&["network", "inspect", "bridge", "-f", config]);
    let mut words = said.split_whitespace();
    let first = |w: &str| {
        w.split_once('/')
            .and_then(|(subnet, _)| subnet.parse().ok())
            .map(|a: Ipv4Addr| Ipv4Addr::from(u32::from(a) + 1))
    };
    words.find_map(|w| w.parse().ok().or_else(|| first(w))).expect("the address of a network")
}
