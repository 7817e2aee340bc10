//! One Postgres server for the tables of all test portals; each gets a database of its own on it.

use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::docker::docker;
use super::portal::prefix;

/// The URL of the server, without a database. Started once for all tests; the sweep after the run removes it by its label.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let instance = format!("{}-tables", prefix());
        super::docker::sweep(&instance);
        let label = format!("db4sci.instance={instance}");
        let name = format!("{instance}-server");
        // Its data is in memory and not durable: it holds what tests write, for minutes.
        let id = docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            &label,
            "-p",
            "127.0.0.1::5432",
            "--tmpfs",
            "/var/lib/postgresql/data",
            "-e",
            "POSTGRES_PASSWORD=tables",
            "db4sci-dev/postgres:17",
            "postgres",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=400",
        ]);
        assert!(!id.is_empty(), "the server for the tables starts");
        let port = docker(&["port", &name, "5432/tcp"]);
        let url = format!("postgres://postgres:tables@{}", port.lines().next().expect("a published port"));
        let begin = Instant::now();
        while psql(&url, "select 1").is_none_or(|said| said != "1") {
            assert!(begin.elapsed() < Duration::from_secs(60), "the server for the tables answers");
            std::thread::sleep(Duration::from_millis(100));
        }
        url
    })
}

/// Runs a statement with psql; `None` if it failed.
pub fn psql(url: &str, statement: &str) -> Option<String> {
    let said = Command::new("psql").args([url, "-XAtqc", statement]).output().expect("psql is installed");
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Makes an empty database and answers its URL.
pub fn fresh(name: &str) -> String {
    let database = name.replace('-', "_");
    psql(&format!("{}/postgres", server()), &format!("create database {database}")).expect("a fresh database");
    format!("{}/{database}", server())
}
