//! Runs the commands shown on the page of the API and beside a new token, unchanged.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::TestPortal;

/// Runs a script that reads a token, and returns its output.
fn run(script: &str, token: &str, dir: &Path) -> String {
    let mut shell = Command::new("bash")
        .args(["-euc", script])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash is installed");
    let mut input = shell.stdin.take().expect("a pipe");
    writeln!(input, "{token}").expect("written");
    drop(input);
    let done = shell.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_command_works() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let dir = portal.dir.join("commands");
    std::fs::create_dir(&dir).expect("made");
    let items = |said: &str| {
        let said: serde_json::Value = serde_json::from_str(said).unwrap_or_else(|e| panic!("{e}: {said}"));
        assert!(said["items"].is_array(), "{said}");
    };

    let reply = ada.post("/account/tokens", &[("name", "mine"), ("days", "1")]).await.expect(200);
    let shown: Vec<_> = reply.all("pre").iter().map(|text| text.trim().to_owned()).collect();
    let token = shown.iter().find(|text| text.len() == 64).expect("the token");
    let read = shown.iter().find(|text| text.starts_with("read ")).expect("a command that reads it");
    let call = shown.iter().find(|text| text.starts_with("curl ")).expect("a command that uses it");
    items(&run(&format!("{read}\n{call}"), token, &dir));

    std::fs::remove_file(dir.join("ca.pem")).expect("it was fetched");
    let blocks = ada.get("/docs/api").await.expect(200).all("pre");
    let [first, second, ..] = blocks.as_slice() else { panic!("{blocks:?}") };
    items(&run(&format!("{first}\n{second}\napi \"$PORTAL/api/v1/containers\""), token, &dir));
    let examples: Vec<_> = blocks.iter().filter(|text| text.starts_with("api ")).collect();
    assert!(examples.len() > 30, "{}", examples.len());
    for example in examples {
        // A function that prints its arguments replaces the command: the shell reads the line as it is shown.
        let said = run(
            &format!("read -rs TOKEN; PORTAL=https://portal; api() {{ printf '%s\\n' \"$@\"; }}\n{example}"),
            token,
            &dir,
        );
        assert!(said.contains("https://portal/api/v1/"), "{example}: {said}");
        for body in said.lines().filter(|line| line.starts_with('{')) {
            serde_json::from_str::<serde_json::Value>(body).unwrap_or_else(|e| panic!("{example}: {e}"));
        }
    }
}
