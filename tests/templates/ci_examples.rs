//! The examples for GitHub Actions and GitLab CI in the documentation: their commands are run as those services run them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::ci::{PASSWORD, free_port, reachable};
use super::{Scripts, sql, update, write};
use crate::support::docker::docker;
use crate::support::{TestPortal, compose};

/// Image with a client, in which the programs of the jobs run.
const CLIENT: &str = "db4sci-dev/mariadb:11.8";

/// The code block of the documentation that begins like this, without its fences.
fn example(beginning: &str) -> String {
    let file = format!("{}/docs/user/templates.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).expect("the documentation");
    let blocks = text.split("```\n").skip(1).step_by(2);
    let mut found = blocks.filter(|block| block.trim_start().starts_with(beginning));
    found.next().unwrap_or_else(|| panic!("there is an example that begins with {beginning}")).to_owned()
}

/// Removes containers and networks that a failed test leaves.
struct Leftovers(Vec<String>, Vec<String>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        for name in &self.0 {
            docker(&["rm", "-f", name]);
        }
        for name in &self.1 {
            docker(&["network", "rm", name]);
        }
    }
}

/// A portal with the template of the examples, an address and a token for jobs, and a directory for their programs.
async fn prepared() -> (TestPortal, String, String, PathBuf) {
    let (portal, url) = reachable().await;
    let api = portal.token(&portal.admin().await).await;
    let token = portal.token_secret(&portal.user("ada").await).await;
    write(
        &portal,
        "shop.sql",
        sql("create table kept (`key` varchar(80) primary key, `value` longtext) engine=InnoDB;\n\
             insert into kept values ('word', 'from the dump');\n"),
    );
    update(&portal, &api).await;
    let dir = portal.dir.join("job");
    std::fs::create_dir_all(&dir).expect("a directory");
    (portal, url, token, dir)
}

/// Writes the tests of the job: a program that asks the server at this address.
fn run_tests(dir: &Path, command: &str) {
    let path = dir.join("run-tests");
    std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{command}\n")).expect("a program");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("permissions");
}

fn asks(host: &str, port: u16) -> String {
    format!(
        "mariadb -h {host} -P {port} --protocol=tcp -u shop --password={PASSWORD} --skip-ssl-verify-server-cert -N shop \
         -e 'select value from kept'"
    )
}

/// What a shell printed; it must succeed.
async fn shell(command: &str, dir: &Path, env: &[(&str, &str)]) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-e", "-c", command]).current_dir(dir).envs(env.iter().copied());
    let done = tokio::task::spawn_blocking(move || shell.output().expect("bash runs")).await.expect("it ends");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{command}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_github_actions_runs() {
    let (portal, url, token, dir) = prepared().await;
    let steps = example("- run: docker run");
    let steps: Vec<&str> = steps.lines().filter_map(|line| line.strip_prefix("- run: ")).collect();
    assert!(steps.contains(&"./run-tests") && steps.len() >= 4, "{steps:?}");
    let port = free_port();
    let in_client = format!("docker run --rm --network host {CLIENT} {}", asks("127.0.0.1", port));
    run_tests(&dir, &in_client);
    let id = format!("{}-github", portal.instance);
    let _left = Leftovers(vec![format!("db4sci-{id}")], Vec::new());
    let image = compose::image();
    let env = [
        ("DB4SCI_URL", url.as_str()),
        ("DB4SCI_TOKEN", token.as_str()),
        ("GITHUB_RUN_ID", &id),
        ("DB4SCI_IMAGE", image),
    ];
    let scripts = Scripts::at(&url, Some(&token));
    for step in steps {
        // Port 3306 of the machine may be in use.
        let said = shell(&step.replace("3306:3306", &format!("127.0.0.1:{port}:3306")), &dir, &env).await;
        if step == "./run-tests" {
            assert!(said.contains("from the dump"), "{said}");
            assert_eq!(scripts.get("/db").await["databases"][0]["name"], json!(format!("ci-{id}")));
        }
    }
    assert_eq!(
        scripts.get("/db").await,
        json!({ "databases": [] }),
        "the proxy deletes its database when it is stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_gitlab_runs() {
    let (portal, url, token, dir) = prepared().await;
    let job = example("test:\n  services:");
    let value = |key: &str| {
        let found = job.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(&format!("{key}: ")));
        found.unwrap_or_else(|| panic!("{key}: {job}")).to_owned()
    };
    let id = format!("{}-gitlab", portal.instance);
    let expand = |text: &str| text.replace("$DB4SCI_IMAGE", compose::image()).replace("$CI_JOB_ID", &id);
    let (image, alias) = (expand(&value("name")), value("alias"));
    let command: Vec<String> = serde_json::from_str(&value("command")).expect("a list");
    let variables = job.split_once("variables:\n").and_then(|(_, rest)| rest.split_once("  script:\n"));
    let (variables, script) = variables.expect("variables and a script");
    let variables: Vec<String> = variables
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(k, v)| format!("{k}={}", expand(v)))
        .collect();
    let script: Vec<&str> = script.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    assert_eq!(script.last(), Some(&"./run-tests"), "{job}");

    // As a runner does: a network with the service under its alias, all variables for it, and the job in its own container.
    let (network, service) = (format!("{id}-network"), format!("{id}-service"));
    let _left = Leftovers(vec![service.clone()], vec![network.clone()]);
    docker(&["network", "create", &network]);
    let (url_of, token_of) = (format!("DB4SCI_URL={url}"), format!("DB4SCI_TOKEN={token}"));
    let mut run = vec!["run", "-d", "--name", &service, "--network", &network, "--network-alias", &alias];
    run.extend(["-e", url_of.as_str(), "-e", token_of.as_str()]);
    run.extend(variables.iter().flat_map(|variable| ["-e", variable.as_str()]));
    run.push(&image);
    run.extend(command.iter().map(String::as_str));
    assert!(!docker(&run).is_empty(), "the service starts");
    run_tests(&dir, &asks(&alias, 3306));
    let volume = format!("{}:/job:ro", dir.display());
    let mut job =
        vec!["docker", "run", "--rm", "--network", &network, "-v", &volume, "-w", "/job", CLIENT, "bash", "-e", "-c"];
    let lines = script.join("\n");
    job.push(&lines);
    let quoted: Vec<String> = job.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let said = shell(&quoted.join(" "), &dir, &[]).await;
    assert!(said.contains("from the dump"), "{said}");
    let scripts = Scripts::at(&url, Some(&token));
    assert_eq!(scripts.get("/db").await["databases"][0]["name"], json!(format!("ci-{id}")));
    // A runner removes its services when the job ends; the time to live is for those that it kills.
    docker(&["stop", "-t", "60", &service]);
    assert_eq!(scripts.get("/db").await, json!({ "databases": [] }));
}
