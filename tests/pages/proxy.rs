//! The portal behind nginx, with the configuration as shipped.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mydb::config::Config;
use reqwest::Method;
use reqwest::redirect::Policy;

use crate::support::{Client, Options, PATIENCE, TestPortal, http};

/// A port that was free a moment ago.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

/// nginx in the foreground. It ends with the test.
struct Nginx {
    child: Child,
    plain: u16,
    tls: u16,
}

impl Nginx {
    /// Starts it in front of the portal on this port. What a site replaces in the file is replaced, and the ports, which the
    /// machine may use otherwise.
    fn start(dir: &Path, portal: u16) -> Self {
        let (plain, tls) = (free(), free());
        std::fs::create_dir_all(dir).expect("a directory");
        let at = |name: &str| dir.join(name).display().to_string();
        let done = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-keyout", &at("privkey.pem"), "-out", &at("fullchain.pem")])
            .output()
            .expect("openssl");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut shipped = include_str!("../../prod/nginx/db4sci.conf").to_owned();
        for (from, to) in [
            ("127.0.0.1:5000", format!("127.0.0.1:{portal}")),
            ("listen 80;", format!("listen 127.0.0.1:{plain};")),
            ("listen [::]:80;", String::new()),
            ("listen 443 ssl http2;", format!("listen 127.0.0.1:{tls} ssl http2;")),
            ("listen [::]:443 ssl http2;", String::new()),
            ("/etc/ssl/db.example.org/", format!("{}/", dir.display())),
            ("db.example.org;", "localhost;".to_owned()),
        ] {
            assert!(shipped.contains(from), "the file has changed: {from}");
            shipped = shipped.replace(from, &to);
        }
        let mut main =
            "daemon off;\nmaster_process off;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n".to_owned();
        writeln!(main, "include {};", at("db4sci.conf")).expect("text");
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(main, "{kind}_temp_path {};", at(kind)).expect("text");
        }
        let main = format!("pid {};\n{main}}}\n", at("pid"));
        std::fs::write(dir.join("db4sci.conf"), shipped).expect("written");
        std::fs::write(dir.join("nginx.conf"), main).expect("written");
        let command = |more: &[&str]| {
            let unpacked = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/var/tools/nginx/usr/sbin/nginx"));
            let mut command = Command::new(unpacked);
            command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).args(["-e", "stderr"]).args(more);
            command
        };
        let tried = command(&["-t"]).output().expect("nginx, unpacked by dev/nginx.sh");
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(tried.status.success() && said.contains("test is successful"), "{said}");
        let log = std::fs::File::create(dir.join("log")).expect("a log");
        let child = command(&[]).stdin(Stdio::null()).stderr(log).spawn().expect("nginx");
        Self { child, plain, tls }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_serves_the_portal_and_a_maintenance_page() {
    let port = free();
    let configure = move |config: &mut Config| {
        config.server.tls = false;
        config.server.listen = ([127, 0, 0, 1], port).into();
        config.server.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    };
    let mut portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let nginx = Nginx::start(&portal.dir.join("nginx"), port);
    let base = format!("https://localhost:{}", nginx.tls);
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", nginx.tls)).is_err() {
        assert!(
            begin.elapsed() < PATIENCE,
            "{}",
            std::fs::read_to_string(portal.dir.join("nginx/log")).unwrap_or_default()
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    // HTTP leads to HTTPS, and forms work: the portal compares their origin with the address that the browser shows.
    let client = http().redirect(Policy::none()).build().expect("a client");
    let said = client.get(format!("http://localhost:{}/containers/lab?tab=a%20b", nginx.plain)).send().await;
    let said = said.expect("a response");
    assert_eq!(said.status().as_u16(), 308);
    assert_eq!(said.headers()["location"], "https://localhost/containers/lab?tab=a%20b");
    let admin = Client::nobody(&base);
    let sent = admin
        .send(Method::POST, "/login", |r| {
            let fields = [("username", "admin"), ("password", crate::support::ADMIN_PASSWORD)];
            r.header("origin", &base).header("x-forwarded-for", "203.0.113.7").form(&fields)
        })
        .await;
    sent.expect(303);
    let foreign = admin.send(Method::POST, "/logout", |r| r.header("origin", "https://evil.example.org")).await;
    foreign.expect(403);
    assert!(admin.get("/admin").await.expect(200).text().contains("Overview"));
    // The address is the one that nginx saw, not the one that the client claims.
    assert_eq!(portal.sql("select distinct address from log where action = 'session.sign_in'"), "127.0.0.1");
    // Dumps are larger than nginx accepts by default: the portal itself answers.
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\nshop\r\n--x\r\n\
         content-disposition: form-data; name=\"dump\"; filename=\"mice.sql\"\r\n\r\n{}\r\n--x--\r\n",
        "this is a letter and not a dump. ".repeat(100_000)
    );
    let large = admin
        .send(Method::POST, "/templates/from-dump", |r| {
            r.header("sec-fetch-site", "same-origin")
                .header("content-type", "multipart/form-data; boundary=x")
                .body(form)
        })
        .await;
    assert!(large.expect(422).text().contains("not recognised"));
    assert!(admin.get("/metrics").await.expect(200).body.contains("db4sci_"), "for this machine");

    // While the portal is away, nginx says so. Then everything is as before.
    portal.stop().await;
    let away = admin.get("/").await.expect(503);
    assert!(away.body.contains("The portal is being updated") && away.body.contains("Your databases are running"));
    assert_eq!(
        (&away.headers["retry-after"], &away.headers["cache-control"]),
        (&"10".parse().expect("a header"), &"no-store".parse().expect("a header"))
    );
    Box::pin(portal.run()).await;
    admin.get("/admin").await.expect(200);
}
