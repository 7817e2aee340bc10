//! The real program at rest: how soon it is ready, and what it takes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{self, Client};
use super::table::{Bar, Table};

/// The portal's process, ended with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is left of an instance.
struct Sweep(mydb::config::Config);

impl Drop for Sweep {
    fn drop(&mut self) {
        support::docker::sweep(self.0.instance.as_str());
        let _ = std::fs::remove_dir_all(&self.0.data_dir);
    }
}

/// Starts the program beside a mydb_admin that answers, and waits until it says that it is ready.
async fn start(config: &mydb::config::Config, tables: &str, port: u16) -> (Process, Duration) {
    let data = config.data_dir.clone();
    let set = |key: &str| format!("DB4SCI__{key}");
    let child = Command::new(env!("CARGO_BIN_EXE_db4sci"))
        .arg("serve")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("DB4SCI_MODE", "dev")
        .env("DB4SCI_ADMIN_PASSWORD", "administrator")
        .env(set("INSTANCE"), config.instance.as_str())
        .env(set("DATA_DIR"), &data)
        .env(set("SERVER__LISTEN"), format!("127.0.0.1:{port}"))
        .env(set("SERVER__REDIRECT_LISTEN"), "")
        .env(set("SERVER__CERT"), data.join("ssl/fullchain.pem"))
        .env(set("SERVER__KEY"), data.join("ssl/privkey.pem"))
        .env(set("SECRETS__KEY_FILE"), data.join("seal.key"))
        .env(set("ADMIN_DB__URL"), tables)
        .env(set("LOG__LEVEL"), "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the portal starts");
    let (process, begin) = (Process(child), Instant::now());
    loop {
        // Connecting is tried, not counted upon: a refused connection is no answer yet.
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            && Client::nobody(&format!("https://localhost:{port}")).get("/readyz").await.status == 200
        {
            return (process, begin.elapsed());
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the portal gets ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Resident memory in MiB.
fn resident(process: &Process) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).expect("its status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

pub async fn measure(table: &mut Table) {
    let (config, tables) = support::portal::configuration(false);
    let sweep = Sweep(config);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("its number").port();
    drop(free);

    let (mut process, first) = start(&sweep.0, &tables, port).await;
    table.add("ready, first start: makes tables, keys and certificates", first.as_secs_f64(), "s", &Bar::None);
    let mut again = Vec::new();
    for _ in 0..3 {
        // One at a time: the port and the lease of the jobs are the same.
        drop(process);
        let took;
        (process, took) = start(&sweep.0, &tables, port).await;
        again.push(took.as_secs_f64());
    }
    let again = super::table::quantile(&mut again, 0.5);
    table.add("ready after the start of the process, mydb_admin answering (median of 3)", again, "s", &Bar::Most(1.0));
    tokio::time::sleep(Duration::from_secs(10)).await;
    table.add("idle portal, resident after 10 s", resident(&process), "MiB", &Bar::Most(64.0));
}
