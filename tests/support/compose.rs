//! A portal in its own image, run with the compose file as shipped. The image is built from the program under test.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::portal::prefix;

/// The checkout.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The portal's image, built on first use.
pub fn image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let tag = format!("db4sci:{}", prefix());
        let made =
            Command::new(format!("{ROOT}/dev/image-portal.sh")).args([&tag, env!("CARGO_BIN_EXE_db4sci")]).output();
        let made = made.expect("the script runs");
        let said = String::from_utf8_lossy(&[made.stdout, made.stderr].concat()).into_owned();
        assert!(made.status.success(), "the portal's image was not built: {said}");
        tag
    })
}

/// Converts settings from environment variables to a configuration file: compose does not pass the environment on.
pub fn settings(env: &[(String, String)]) -> String {
    let (mut top, mut tables) = (Vec::new(), Vec::new());
    for (name, value) in env {
        let Some(key) = name.strip_prefix("DB4SCI__") else { continue };
        let key = key.to_lowercase();
        let bare = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
        let value = match (bare, key.as_str()) {
            (true, _) => value.clone(),
            // A list is text with commas in the environment and an array in a file.
            (_, "databases__spares") => format!("{:?}", value.split(',').filter(|v| !v.is_empty()).collect::<Vec<_>>()),
            _ => format!("{value:?}"),
        };
        match key.split_once("__") {
            Some((table, key)) => tables.push(format!("{table}.{key} = {value}\n")),
            // The compose file sets these paths inside the container.
            None if matches!(key.as_str(), "data_dir" | "catalog") => {}
            None => top.push(format!("{key} = {value}\n")),
        }
    }
    [top, tables].concat().concat()
}

/// Runs `docker-compose` for the portal of `instance`, whose compose file is in `home`; returns what it printed.
pub fn compose(instance: &str, home: &Path, data: &Path, user: u32, arguments: &[&str]) -> String {
    std::fs::copy(format!("{ROOT}/docker-compose.yml"), home.join("docker-compose.yml")).expect("the compose file");
    let group = std::fs::metadata("/var/run/docker.sock").map_or(0, |m| m.gid());
    let mut command = Command::new("docker-compose");
    command.args(["-p", instance]).args(arguments).current_dir(home);
    command.env("DB4SCI_IMAGE", image()).env("DB4SCI_MODE", "dev").env("DB4SCI_DATA", data);
    command.env("DB4SCI_USER", user.to_string()).env("DOCKER_GID", group.to_string());
    let done = command.output().expect("docker-compose is installed");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{arguments:?}: {said}");
    said
}
