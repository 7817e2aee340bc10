//! The real program in its own process, and the system's figures about it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mydb::config::Config;

use super::support::{self, Client};

/// The portal's process, killed when this is dropped.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The containers and directories of an instance, removed when this is dropped.
pub struct Sweep(pub Config);

impl Drop for Sweep {
    fn drop(&mut self) {
        support::docker::sweep(self.0.instance.as_str());
        let _ = std::fs::remove_dir_all(&self.0.data_dir);
    }
}

/// A port that is not in use.
pub fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("its number").port()
}

/// Starts the program with a running mydb_admin, and waits until it reports that it is ready. `more` are additional
/// settings, by their names in the environment.
pub async fn start(config: &Config, tables: &str, port: u16, more: &[(&str, String)]) -> (Process, Duration) {
    let data = config.data_dir.clone();
    let set = |key: &str| format!("DB4SCI__{key}");
    let child = Command::new(env!("CARGO_BIN_EXE_db4sci"))
        .arg("serve")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("DB4SCI_MODE", "dev")
        .env("DB4SCI_ADMIN_PASSWORD", support::portal::ADMIN_PASSWORD)
        .env(set("INSTANCE"), config.instance.as_str())
        .env(set("DATA_DIR"), &data)
        .env(set("SERVER__LISTEN"), format!("127.0.0.1:{port}"))
        .env(set("SERVER__REDIRECT_LISTEN"), "")
        .env(set("SERVER__CERT"), data.join("ssl/fullchain.pem"))
        .env(set("SERVER__KEY"), data.join("ssl/privkey.pem"))
        .env(set("SECRETS__KEY_FILE"), data.join("seal.key"))
        .env(set("ADMIN_DB__URL"), tables)
        // They would be counted as idle databases.
        .env(set("DATABASES__SPARES"), "")
        .env(set("MYAAS__LISTEN"), "")
        .env(set("LOG__LEVEL"), "warn")
        .envs(more.iter().map(|(name, value)| (*name, value)))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the portal starts");
    let (process, begin) = (Process(child), Instant::now());
    loop {
        // Check the connection first: the client would panic if it were refused.
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            && Client::nobody(&format!("https://localhost:{port}")).get("/readyz").await.status == 200
        {
            return (process, begin.elapsed());
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the portal becomes ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

/// Resident memory of a process in MiB.
pub fn resident(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Processor time that a process has used, in seconds.
pub fn processor_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("its state");
    // The name, before this, may contain blanks.
    let (_, rest) = stat.rsplit_once(')').expect("its name");
    let ticks = rest.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().expect("a number"));
    // Linux counts in hundredths of a second here, whatever the frequency of its own clock.
    ticks.sum::<f64>() / 100.0
}

/// The peak of a process's resident memory while this exists, in MiB.
pub struct Peak {
    highest: std::sync::Arc<std::sync::Mutex<f64>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Peak {
    /// Starts sampling, fifty times per second.
    pub fn of(id: u32) -> Self {
        let highest = std::sync::Arc::new(std::sync::Mutex::new(resident(id)));
        let seen = highest.clone();
        let watching = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let now = resident(id);
                let mut highest = seen.lock().expect("it is free");
                *highest = highest.max(now);
            }
        });
        Self { highest, watching }
    }

    /// Stops sampling and returns the peak.
    pub fn done(self) -> f64 {
        self.watching.abort();
        *self.highest.lock().expect("it is free")
    }
}
