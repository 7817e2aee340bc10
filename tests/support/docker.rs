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

/// Removes an instance's containers and network, by its own label only.
pub fn sweep(instance: &str) {
    let filter = format!("label=db4sci.instance={instance}");
    for (list, remove) in [
        (["ps", "-aq", "--filter", &filter].as_slice(), ["rm", "-fv"].as_slice()),
        (["network", "ls", "-q", "--filter", &filter].as_slice(), ["network", "rm"].as_slice()),
    ] {
        let found = docker(list);
        if !found.is_empty() {
            docker(&[remove, &found.lines().collect::<Vec<_>>()].concat());
        }
    }
}
