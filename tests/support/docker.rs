//! The engine's own command line: the test's second opinion on what the portal did, and its broom.

use std::process::Command;

/// Runs `docker` and answers what it printed; an empty text where it failed.
pub fn docker(args: &[&str]) -> String {
    let said = Command::new("docker").args(args).output().expect("docker is installed");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// Names of an instance's containers, running or not.
pub fn containers(instance: &str) -> Vec<String> {
    let filter = format!("label=db4sci.instance={instance}");
    docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).lines().map(str::to_owned).collect()
}

/// Removes an instance's containers and network, by its own label only. One after the other: an engine that removes several
/// at once may go on counting one of them in their network.
pub fn sweep(instance: &str) {
    let filter = format!("label=db4sci.instance={instance}");
    for id in docker(&["ps", "-aq", "--filter", &filter]).lines() {
        docker(&["rm", "-fv", id]);
    }
    for id in docker(&["network", "ls", "-q", "--filter", &filter]).lines() {
        docker(&["network", "rm", id]);
    }
}
