//! What CI jobs use: the command line, the proxy, and the example for Docker Compose.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use mydb::domain::engine::EngineKind;
use secrecy::SecretString;
use serde_json::json;

use super::{Scripts, settings, sql, update, write};
use crate::engines::{Place, sign_in};
use crate::support::docker::bridge_address;
use crate::support::portal::Options;
use crate::support::{PATIENCE, TestPortal, compose};

/// The password that programs in CI jobs expect.
pub const PASSWORD: &str = "password-of-ci-jobs";

/// The program with these arguments and environment, and no other environment but the path.
pub fn program(arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_db4sci"));
    command.args(arguments).env_clear().envs(env.iter().copied()).stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// What a command printed; it must succeed.
fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{} {}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

async fn run(arguments: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = program(arguments, env);
    let output = tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends");
    printed(&output)
}

/// A port of this machine that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// A portal that containers can reach, and the address of the interface.
pub async fn reachable() -> (TestPortal, String) {
    let gateway = bridge_address();
    let (address, host) = (format!("{gateway}:0"), gateway.to_string());
    let configure = Box::new(move |config: &mut mydb::config::Config| {
        settings(config);
        config.myaas.listen = Some(address.parse().expect("an address"));
        config.myaas.password = Some(SecretString::from(PASSWORD));
        config.databases.bind = host.parse().expect("an address");
        config.databases.host = host;
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    std::fs::create_dir_all(super::dumps(&portal)).expect("a directory of dumps");
    let port = portal.running().myaas.expect("it listens").port();
    (portal, format!("http://{gateway}:{port}"))
}

/// A proxy that is stopped as a CI job stops it.
pub struct Proxy(pub Child);

impl Proxy {
    /// Waits until it forwards connections from this port.
    pub async fn forwards(&mut self, listen: &str) {
        let begin = Instant::now();
        while !program(&["proxy", "--check", "--listen", listen], &[]).output().expect("it runs").status.success() {
            assert!(begin.elapsed() < PATIENCE && self.0.try_wait().expect("its status").is_none(), "the proxy ended");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
        let begin = Instant::now();
        while self.0.try_wait().expect("its status").is_none() {
            assert!(begin.elapsed() < PATIENCE, "the proxy does not end");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_a_ci_job_finds_a_server_next_to_it() {
    let (portal, url) = reachable().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    let token = portal.token_secret(&portal.user("ada").await).await;
    write(
        &portal,
        "shop.sql",
        sql("create table kept (`key` varchar(80) primary key, `value` longtext) engine=InnoDB;\n\
             insert into kept values ('word', 'from the dump');\n"),
    );
    update(&portal, &api).await;
    // Beyond this machine a token is needed.
    let nobody = reqwest_status(&format!("{url}/templates")).await;
    assert_eq!(nobody, 401);
    let env = [("DB4SCI_URL", url.as_str()), ("DB4SCI_TOKEN", token.as_str())];

    // The command line.
    assert_eq!(run(&["db", "templates"], &env).await, "shop\n");
    let info = run(&["db", "new", "shop", "by-hand", "--ttl", "2h"], &env).await;
    assert!(info.contains(&format!("password  {PASSWORD}\n")), "{info}");
    // Up to a second after the create it is still two hours.
    assert!(["in 2 h", "in 119 min"].iter().any(|left| info.contains(&format!("expires   {left}"))), "{info}");
    let list = run(&["db", "ls"], &env).await;
    assert!(list.lines().nth(1).is_some_and(|row| row.starts_with("shop      by-hand  running")), "{list}");
    let shell = run(&["db", "shell", "shop", "by-hand"], &env).await;
    assert!(shell.starts_with(&format!("MYSQL_PWD='{PASSWORD}' mariadb -h ")), "{shell}");
    run(&["db", "rm", "shop", "by-hand"], &env).await;
    let none = program(&["db", "rm", "shop", "by-hand"], &env).output().expect("it runs");
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("there is no database by-hand"));

    // A login file that others can read is refused.
    let home = portal.dir.join("home-of-ada");
    std::fs::create_dir_all(home.join("db4sci")).expect("a directory");
    let login = home.join("db4sci/login.toml");
    std::fs::write(&login, format!("url = \"{url}\"\ntoken = \"{token}\"\n")).expect("a file");
    let from_file = [("XDG_CONFIG_HOME", home.to_str().expect("a path"))];
    let open = program(&["db", "templates"], &from_file).output().expect("it runs");
    assert!(String::from_utf8_lossy(&open.stderr).contains("chmod 600"), "{open:?}");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&login, private).expect("permissions");
    assert_eq!(run(&["db", "templates"], &from_file).await, "shop\n");

    // The proxy.
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let check = ["proxy", "--check", "--listen", &listen];
    assert!(!program(&check, &[]).output().expect("it runs").status.success());
    let arguments = ["proxy", "--template", "shop", "--name", "feature/one", "--ttl", "1h", "--listen", &listen];
    let mut proxy = Proxy(program(&arguments, &env).stdout(Stdio::null()).spawn().expect("it starts"));
    proxy.forwards(&listen).await;
    let place = Place {
        engine: EngineKind::Mariadb,
        ports: vec![("mariadb".to_owned(), port)],
        dbname: "shop".to_owned(),
        dbuser: "shop".to_owned(),
    };
    let mut session = sign_in(&place, PASSWORD).await.expect("a program signs in next to it");
    assert_eq!(session.get("word").await.expect("reads").as_deref(), Some("from the dump"));
    drop(session);
    let scripts = Scripts::at(&url, Some(&token));
    assert_eq!(scripts.get("/db").await["databases"][0]["name"], json!("feature-one"));
    proxy.stop().await;
    assert_eq!(scripts.get("/db").await, json!({ "databases": [] }));

    // The example for Docker Compose: the program believes that it talks to a local server.
    let project = format!("{}-ci", portal.instance);
    let file = format!("{}/docs/ci/compose.yml", env!("CARGO_MANIFEST_DIR"));
    let ask = "mariadb -h mysql -P 3306 -u shop --password=password-of-ci-jobs --skip-ssl-verify-server-cert -N shop -e \
               \"select value from kept\"";
    let composed = |arguments: &'static [&'static str]| {
        let mut command = Command::new("docker-compose");
        command.args(["-p", &project, "-f", &file]).args(arguments).current_dir(Path::new(&portal.dir));
        command.envs([("DB4SCI_IMAGE", compose::image()), ("DB4SCI_URL", &url), ("DB4SCI_TOKEN", &token)]);
        command.envs([
            ("TEMPLATE", "shop"),
            ("CI_JOB_ID", "7"),
            ("APP_IMAGE", "db4sci-dev/mariadb:11.8"),
            ("APP_COMMAND", ask),
        ]);
        tokio::task::spawn_blocking(move || command.output().expect("docker-compose is installed"))
    };
    let up = composed(&["up", "--no-build", "--exit-code-from", "app"]).await.expect("it ends");
    let down = composed(&["down", "-t", "60", "-v"]).await.expect("it ends");
    let said = printed(&up);
    assert!(said.contains("from the dump"), "{said}");
    printed(&down);
    assert_eq!(scripts.get("/db").await, json!({ "databases": [] }));
}

async fn reqwest_status(url: &str) -> u16 {
    let http = crate::support::http().build().expect("a client");
    http.get(url).send().await.expect("a response").status().as_u16()
}
