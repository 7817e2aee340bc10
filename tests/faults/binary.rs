//! The real program with real signals, from its very first start on: `db4sci serve` and a mydb_admin of its own.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;

use super::{Dice, Place, rounds, sign_in, until};
use crate::support::portal::{PORTS, ports, prefix, test_dir};
use crate::support::{ADMIN_PASSWORD, Client, docker};

/// An installation and, while it runs, its process.
pub(super) struct Program {
    pub(super) instance: String,
    pub(super) dir: PathBuf,
    env: Vec<(String, String)>,
    base: String,
    child: Option<Child>,
}

impl Program {
    fn install() -> Self {
        Self::install_in("")
    }

    /// An installation with a store for backups, in the directory `objects` of its own.
    pub(super) fn install_with_store() -> Self {
        Self::install_in("[[target]]\nname = \"local\"\nbucket = \"db4sci-backups\"\nembedded = \"../objects\"\n")
    }

    fn install_in(more: &str) -> Self {
        let instance = format!("{}-{}", prefix(), hex::encode(mydb::secrets::Random::system().bytes::<3>()));
        let dir = test_dir().join(&instance);
        std::fs::create_dir_all(dir.join("home/dev")).expect("a home");
        let settings = format!(
            "[[storage]]\nname = \"standard\"\nlabel = \"Standard\"\npath = \"{}\"\n[images.replace]\n\
             \"docker.io/library/postgres:17\" = \"db4sci-dev/postgres:17\"\n{more}",
            dir.join("tiers/standard").display()
        );
        std::fs::write(dir.join("home/dev/config.toml"), settings).expect("settings");
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let first = ports();
        let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/dbconfig/catalog.toml");
        let env = [
            ("DB4SCI_MODE", "dev".to_owned()),
            ("DB4SCI_HOME", dir.join("home").display().to_string()),
            ("DB4SCI_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
            ("DB4SCI__INSTANCE", instance.clone()),
            ("DB4SCI__DATA_DIR", dir.join("data").display().to_string()),
            ("DB4SCI__CATALOG", catalog.to_owned()),
            ("DB4SCI__SERVER__LISTEN", format!("127.0.0.1:{free}")),
            ("DB4SCI__SERVER__REDIRECT_LISTEN", String::new()),
            ("DB4SCI__DATABASES__PORT_MIN", first.to_string()),
            ("DB4SCI__DATABASES__PORT_MAX", (first + PORTS - 1).to_string()),
            // What these tests count are databases; preparing has tests of its own.
            ("DB4SCI__DATABASES__PREPARE", "false".to_owned()),
            ("DB4SCI__LIMITS__MEMORY_DEFAULT", "256m".to_owned()),
            ("DB4SCI__JOBS__LEASE_SECONDS", "3".to_owned()),
            ("DB4SCI__JOBS__RETRY_SECONDS", "1".to_owned()),
            ("DB4SCI__JOBS__RECONCILE_SECONDS", "1".to_owned()),
            // It would come between what tests count.
            ("DB4SCI__BACKUPS__ADMIN_DB_SECONDS", "0".to_owned()),
        ];
        let env = env.map(|(k, v)| (k.to_owned(), v)).to_vec();
        Self { instance, dir, env, base: format!("https://localhost:{free}"), child: None }
    }

    pub(super) fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.dir.join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_db4sci"));
        command.arg("serve").env_clear().envs(self.env.clone()).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it is gone");
        }
    }

    /// SIGTERM, and how it ended.
    async fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begin = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM).expect("a signal");
        loop {
            if let Some(status) = child.try_wait().expect("its status") {
                return (status, begin.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn ready(&mut self) {
        let begin = Instant::now();
        let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().expect("a client");
        let ready = async || http.get(format!("{}/readyz", self.base)).send().await.is_ok_and(|r| r.status() == 200);
        while !ready().await {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            let ended = self.child.as_mut().expect("it runs").try_wait().expect("its status");
            assert!(ended.is_none() && begin.elapsed() < Duration::from_secs(60), "{ended:?}\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn admin(&self) -> Client {
        let client = Client::nobody(&self.base);
        client.sign_in("admin", ADMIN_PASSWORD).await;
        client
    }

    pub(super) fn place(&self) -> Place {
        let home = self.dir.join("home");
        let config = mydb::config::Config::load_mode(mydb::config::Mode::Dev, &home, &self.env).expect("its settings");
        let url = mydb::admin_db::bootstrap::existing_url(&config, &mydb::secrets::Random::system());
        let tables = url.expect("its connection").expect("it was made").expose_secret().to_owned();
        Place { instance: self.instance.clone(), tables, tier: self.dir.join("tiers/standard") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.dir.join("log")).unwrap_or_default());
        }
        self.kill();
        docker::sweep(&self.instance);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_instants_from_the_very_first_start() {
    let mut dice = Dice::new();
    let mut program = Program::install();
    for _ in 0..rounds(20, 4) {
        program.spawn();
        tokio::time::sleep(dice.time(Duration::from_millis(2500))).await;
        program.kill();
    }
    program.spawn();
    program.ready().await;
    let own = docker::containers(&program.instance);
    assert_eq!(own, [format!("{}-mydb_admin", program.instance)], "one mydb_admin, and nothing else");
    let place = program.place();
    let rounds = rounds(30, 5);
    for round in 0..rounds {
        let admin = program.admin().await;
        admin.submit_create(&format!("db{round}"), &[]).await.expect(303);
        if let Some(old) = round.checked_sub(1).map(|r| format!("db{r}")) {
            admin.post(&format!("/containers/{old}/delete"), &[("confirm", &old)]).await.expect(303);
        }
        tokio::time::sleep(dice.time(Duration::from_millis(2500))).await;
        program.kill();
        program.spawn();
        program.ready().await;
    }
    place.all_is_right().await;
    assert_eq!(place.sql("select count(*) from job where status <> 'succeeded'"), "0");
    assert_eq!(place.sql("select count(*) from container"), rounds.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_in_the_middle_of_a_create_it_exits_soon_and_the_databases_stay() {
    let mut program = Program::install();
    program.spawn();
    program.ready().await;
    let (admin, place) = (program.admin().await, program.place());
    admin.create("lab", &[]).await;
    let port = place.sql("select port from port").parse().expect("a port");
    let user = sign_in(port).await.expect("the user signs in");
    admin.submit_create("second", &[]).await.expect(303);
    until("the second is being made", || place.sql("select count(*) from job where status = 'running'") == "1").await;
    let (status, took) = program.terminate().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    user.query_one("select 1", &[]).await.expect("even an open connection stays");
    assert_eq!(place.sql("select count(*) from job where status = 'running'"), "0");
    program.spawn();
    program.ready().await;
    program.admin().await.wait_for("second", "running").await;
    place.all_is_right().await;
}
