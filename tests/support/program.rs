//! The real program in its own process: `db4sci serve` with its own installation and its own mydb_admin.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;

use super::portal::{ADMIN_PASSWORD, PORTS, ports, prefix, test_dir};
use super::{Client, PATIENCE, docker};

/// A store in the directory `objects` of the installation.
const STORE: &str = "[[target]]\nname = \"local\"\nbucket = \"db4sci-backups\"\nembedded = \"../objects\"\n";
/// The user of the portal's own image.
const UNPRIVILEGED: u32 = 10001;

/// An installation and, while it runs, its process.
pub struct Program {
    /// Its instance id.
    pub instance: String,
    /// Its directory.
    pub dir: PathBuf,
    env: Vec<(String, String)>,
    /// Its URL.
    pub base: String,
    user: Option<u32>,
    /// Whether it runs in the portal's own image with the compose file.
    composed: bool,
    child: Option<Child>,
}

impl Program {
    /// An installation without a store.
    pub fn install() -> Self {
        Self::install_in("")
    }

    /// An installation with a store for backups in its directory `objects`.
    pub fn install_with_store() -> Self {
        Self::install_in(STORE)
    }

    /// The same as a user other than root who owns only the installation's directory, as in the portal's own image.
    /// Databases start from seeds of the given images of the catalog.
    pub fn install_unprivileged(images: &[&str]) -> Self {
        let dev = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dev/config.toml")).expect("settings");
        let replaced: Vec<&str> = dev
            .lines()
            .filter(|l| !l.contains("/postgres:17") && images.iter().any(|i| l.starts_with(&format!("\"{i}\""))))
            .collect();
        let more = format!("{}\n{STORE}", replaced.join("\n"));
        let mut program = Self::install_below(&reachable(&test_dir()), &more);
        program.env.retain(|(name, _)| name != "DB4SCI__DATABASES__PREPARE");
        program.env.push(("DB4SCI__JOBS__PREPARE_SECONDS".to_owned(), "1".to_owned()));
        program.user = rustix::process::geteuid().is_root().then_some(UNPRIVILEGED);
        program
    }

    /// The same in the portal's own image, run with the compose file as shipped.
    pub fn install_composed(images: &[&str]) -> Self {
        let mut program = Self::install_unprivileged(images);
        (program.user, program.composed) = (Some(UNPRIVILEGED), true);
        let home = program.dir.join("home");
        std::fs::rename(program.dir.join("dbconfig"), home.join("dbconfig")).expect("moved");
        program.env.retain(|(name, _)| name != "DB4SCI__CATALOG");
        program.env.push(("DB4SCI__CATALOG".to_owned(), home.join("dbconfig/catalog.toml").display().to_string()));
        let file = home.join("dev/config.toml");
        let given = std::fs::read_to_string(&file).expect("its settings").replace("../objects", "/objects");
        let given = given.replace("\"/objects\"", &format!("\"{}\"", program.dir.join("data/objects").display()));
        let tier = |below: &str| program.dir.join(below).display().to_string();
        let given = given.replace(&tier("tiers/standard"), &tier("data/tiers/standard"));
        std::fs::write(&file, super::compose::settings(&program.env) + given.as_str()).expect("settings");
        std::fs::create_dir_all(program.dir.join("data")).expect("a directory");
        std::fs::create_dir_all(home.join("dev/ssl")).expect("a directory");
        give(&program.dir, UNPRIVILEGED);
        program
    }

    /// Runs docker-compose for it.
    fn compose(&self, arguments: &[&str]) -> String {
        let (home, data) = (self.dir.join("home"), self.dir.join("data"));
        super::compose::compose(&self.instance, &home, &data, UNPRIVILEGED, arguments)
    }

    /// What the portal has logged.
    fn log(&self) -> String {
        if self.composed {
            return self.compose(&["logs", "--tail", "40"]);
        }
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn install_in(more: &str) -> Self {
        Self::install_below(&test_dir(), more)
    }

    fn install_below(base: &Path, more: &str) -> Self {
        let instance = format!("{}-{}", prefix(), hex::encode(mydb::secrets::Random::system().bytes::<3>()));
        let dir = base.join(&instance);
        std::fs::create_dir_all(dir.join("home/dev")).expect("a home");
        let copied =
            Command::new("cp").arg("-r").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/dbconfig")).arg(&dir).status();
        assert!(copied.is_ok_and(|c| c.success()), "the catalog is copied");
        let settings = format!(
            "[[storage]]\nname = \"standard\"\nlabel = \"Standard\"\npath = \"{}\"\n[images.replace]\n\
             \"docker.io/library/postgres:17\" = \"db4sci-dev/postgres:17\"\n{more}",
            dir.join("tiers/standard").display()
        );
        std::fs::write(dir.join("home/dev/config.toml"), settings).expect("settings");
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let first = ports();
        let env = [
            ("DB4SCI_MODE", "dev".to_owned()),
            ("DB4SCI_HOME", dir.join("home").display().to_string()),
            ("DB4SCI_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
            ("DB4SCI__INSTANCE", instance.clone()),
            ("DB4SCI__DATA_DIR", dir.join("data").display().to_string()),
            ("DB4SCI__CATALOG", dir.join("dbconfig/catalog.toml").display().to_string()),
            ("DB4SCI__SERVER__LISTEN", format!("127.0.0.1:{free}")),
            ("DB4SCI__SERVER__REDIRECT_LISTEN", String::new()),
            ("DB4SCI__DATABASES__PORT_MIN", first.to_string()),
            ("DB4SCI__DATABASES__PORT_MAX", (first + PORTS - 1).to_string()),
            // These tests count databases; seeds have their own tests.
            ("DB4SCI__DATABASES__PREPARE", "false".to_owned()),
            ("DB4SCI__DATABASES__SPARES", String::new()),
            ("DB4SCI__MYAAS__LISTEN", String::new()),
            ("DB4SCI__LIMITS__MEMORY_DEFAULT", "256m".to_owned()),
            ("DB4SCI__JOBS__LEASE_SECONDS", "30".to_owned()),
            ("DB4SCI__ADMIN_DB__PATIENCE_SECONDS", "30".to_owned()),
            ("DB4SCI__JOBS__RETRY_SECONDS", "1".to_owned()),
            ("DB4SCI__JOBS__RECONCILE_SECONDS", "1".to_owned()),
            // It would interfere with counts in tests.
            ("DB4SCI__BACKUPS__ADMIN_DB_SECONDS", "0".to_owned()),
        ];
        let env = env.map(|(k, v)| (k.to_owned(), v)).to_vec();
        Self { instance, dir, env, base: format!("https://localhost:{free}"), user: None, composed: false, child: None }
    }

    /// The program with these arguments and the installation's settings, as the user who owns the installation.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_db4sci"));
        let mut command = match self.user {
            None => Command::new(binary),
            Some(user) => {
                give(&self.dir, user);
                let mut command = Command::new("setpriv");
                let socket = std::fs::metadata("/var/run/docker.sock").map_or(0, |m| m.gid());
                command.args([format!("--reuid={user}"), format!("--regid={user}"), format!("--groups={socket}")]);
                // As strict as an administrator's umask may be: files the servers need must not depend on it.
                command.args(["--", "sh", "-c", "umask 027; exec \"$@\"", "sh"]).arg(runnable(&binary, &self.dir));
                command
            }
        };
        command.args(arguments).env_clear().envs(self.env.clone()).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Starts the portal.
    pub fn spawn(&mut self) {
        if self.composed {
            self.compose(&["up", "-d", "--no-build"]);
            return;
        }
        let log = File::options().create(true).append(true).open(self.dir.join("log")).expect("a log");
        let mut command = self.command(&["serve"]);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// Sends SIGKILL, and expires the leases of its jobs.
    pub fn kill(&mut self) {
        self.end();
        if let Some(url) = self.made_tables().filter(|_| !self.composed) {
            // Nothing else uses its mydb_admin, which may not be ready or not have its tables yet.
            let expired = "update job set lease_until = now() - interval '1 second' where status = 'running'";
            let _ = super::admin_db::psql(&url, expired);
        }
    }

    fn end(&mut self) {
        if self.composed {
            self.compose(&["down", "-t", "5"]);
            return;
        }
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it has exited");
        }
    }

    /// Sends SIGTERM; returns the exit status and how long it took.
    pub async fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begin = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM).expect("a signal");
        loop {
            if let Some(status) = child.try_wait().expect("its status") {
                return (status, begin.elapsed());
            }
            assert!(begin.elapsed() < PATIENCE, "the program did not exit after SIGTERM");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it responds.
    pub async fn ready(&mut self) {
        let begin = Instant::now();
        let http = super::http().tls_danger_accept_invalid_certs(true).build().expect("a client");
        let ready = async || http.get(format!("{}/readyz", self.base)).send().await.is_ok_and(|r| r.status() == 200);
        while !ready().await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("its status"));
            assert!(ended.is_none() && begin.elapsed() < PATIENCE, "{ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A client signed in as the first administrator.
    pub async fn admin(&self) -> Client {
        let client = Client::nobody(&self.base);
        let made = std::fs::read_to_string(self.dir.join("data/admin-password"));
        let password = if self.composed { made.expect("the portal made one") } else { ADMIN_PASSWORD.to_owned() };
        client.sign_in("admin", password.trim()).await;
        client
    }

    /// The URL of its tables.
    pub fn tables(&self) -> String {
        self.made_tables().expect("it was made")
    }

    fn made_tables(&self) -> Option<String> {
        let home = self.dir.join("home");
        let config = mydb::config::Config::load_mode(mydb::config::Mode::Dev, &home, &self.env).expect("its settings");
        let url = mydb::bootstrap::existing_url(&config, &mydb::secrets::Random::system());
        url.ok().flatten().map(|url| url.expose_secret().to_owned())
    }

    /// Mounts an empty disk as its tier.
    pub fn new_disk(&self) {
        std::fs::create_dir_all(self.tier()).expect("a disk");
        if let Some(user) = self.user {
            std::os::unix::fs::chown(self.tier(), Some(user), Some(user)).expect("it is given away");
        }
    }

    /// Its only tier.
    pub fn tier(&self) -> PathBuf {
        self.dir.join("tiers/standard")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.dir.join("log")).unwrap_or_default());
        }
        if self.composed {
            let filter = format!("label=com.docker.compose.project={}", self.instance);
            for id in docker::docker(&["ps", "-aq", "--filter", &filter]).lines() {
                if std::thread::panicking() {
                    eprintln!("{}", docker::docker(&["logs", id]));
                }
                docker::docker(&["rm", "-fv", id]);
            }
        } else {
            self.end();
        }
        docker::sweep(&self.instance);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Whether a user without privileges can traverse all of these directories.
fn open_to_all(path: &Path) -> bool {
    path.ancestors().all(|p| p.metadata().is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

/// Returns `dir`, or another directory if a user other than root cannot reach it.
fn reachable(dir: &Path) -> PathBuf {
    std::fs::create_dir_all(dir).expect("a directory");
    if open_to_all(dir) { dir.to_owned() } else { std::env::temp_dir() }
}

/// The path of the program that a user other than root can run.
fn runnable(binary: &Path, dir: &Path) -> PathBuf {
    if open_to_all(binary) {
        return binary.to_owned();
    }
    let copy = dir.join("db4sci");
    if !copy.exists() {
        std::fs::copy(binary, &copy).expect("the program is copied");
    }
    copy
}

/// Gives the initial files of an installation to its user; files created later belong to whoever creates them.
fn give(dir: &Path, user: u32) {
    let chown = |path: &Path| std::os::unix::fs::chown(path, Some(user), Some(user)).expect("it is given away");
    for below in ["", "data", "home", "home/dev", "home/dev/config.toml", "home/dev/ssl"] {
        let path = dir.join(below);
        if path.exists() {
            chown(&path);
        }
    }
}
