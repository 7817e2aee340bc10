//! Databases cannot open outgoing connections: not to the host, to each other or to other networks. They cannot resolve
//! names either.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::docker::{docker, docker_ok};
use crate::support::{Options, TestPortal};

/// The firewall rules of a portal, removed on drop.
struct Rules(String);

impl Drop for Rules {
    fn drop(&mut self) {
        for (program, chain) in
            [("iptables", "DOCKER-USER"), ("iptables", "INPUT"), ("ip6tables", "FORWARD"), ("ip6tables", "INPUT")]
        {
            for line in listed(program, chain).lines().filter(|line| line.contains(&self.0)) {
                let rule = line.replacen("-A ", "-D ", 1).replace('"', "");
                let _ = iptables(program, &rule.split_whitespace().collect::<Vec<_>>());
            }
        }
    }
}

fn iptables(program: &str, arguments: &[&str]) -> String {
    let said = std::process::Command::new(format!("/usr/sbin/{program}")).args(["-w", "5"]).args(arguments).output();
    said.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
}

fn listed(program: &str, chain: &str) -> String {
    iptables(program, &["-S", chain])
}

async fn portal() -> (TestPortal, Rules) {
    let configure = Box::new(|c: &mut mydb::config::Config| {
        c.databases.firewall = true;
        // The published ports of other databases are reachable from everywhere.
        c.databases.bind = "0.0.0.0".parse().expect("an address");
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let rules = Rules(format!("db4sci:{}", portal.instance));
    (portal, rules)
}

/// Whether a connection from within a container succeeds.
fn reaches(container: &str, host: &str, port: u16) -> bool {
    let script = r#"timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1" && echo reached' "$1" "$2""#;
    let said = docker(&["exec", container, "bash", "-c", script, "x", host, &port.to_string()]);
    said.contains("reached")
}

/// The address of a container in its network.
fn address(container: &str) -> String {
    docker_ok(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
}

/// Addresses of this host: the gateway of the bridge and its own.
fn addresses(container: &str) -> Vec<String> {
    let gateway = docker_ok(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", container]);
    let own =
        std::net::UdpSocket::bind("0.0.0.0:0").and_then(|s| s.connect("192.0.2.254:9").and_then(|()| s.local_addr()));
    std::iter::once(gateway).chain(own.map(|a| a.ip().to_string())).collect()
}

/// How many addresses the engine's own name server gives a container for this name; 0 if it does not answer.
fn answers(container: &str, name: &str) -> u32 {
    // A query for the IPv4 address; bytes 7 and 8 of the answer are the number of answers.
    let question = format!(
        "\\x00\\x01\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x{:02x}{name}\\x00\\x00\\x01\\x00\\x01",
        name.len()
    );
    let script =
        format!("exec 3<>/dev/udp/127.0.0.11/53; printf '{question}' >&3; timeout 5 head -c 8 <&3 | od -An -tu1");
    let said = docker_ok(&["exec", container, "bash", "-c", &script]);
    let answer: Vec<u32> = said.split_whitespace().map(|n| n.parse().expect("a byte")).collect();
    // It does not answer if it passes the question on to a name server that cannot be reached.
    answer.get(6..8).map_or(0, |count| count[0] * 256 + count[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_cannot_connect_out_but_is_reachable() {
    let (portal, rules) = portal().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    ada.create("next", &[]).await;
    let (lab, next) = (portal.container("lab"), portal.container("next"));
    // A server on this host that would accept the connection.
    let server = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    assert!(reaches(&lab, &address(&lab), 5432), "its own port, or else the following checks prove nothing");
    assert!(!reaches(&lab, &address(&next), 5432), "another database");
    for address in addresses(&lab) {
        assert!(!reaches(&lab, &address, port), "this host at {address}");
        assert!(!reaches(&lab, &address, portal.port("next")), "the published port of another database at {address}");
    }
    assert!(!reaches(&lab, "192.0.2.1", 80), "another network");
    for name in [next.as_str(), "example.org", "next"] {
        assert_eq!(docker(&["exec", &lab, "getent", "hosts", name]), "", "{name}");
    }
    // A program can ask the engine's own name server past the resolver's settings, but has no name to ask for.
    assert_eq!(answers(&lab, &next), 1, "the name server answers, or else the following checks prove nothing");
    for name in ["next".to_owned(), format!("{}-next", portal.instance), format!("{}-mydb_admin", portal.instance)] {
        assert_eq!(answers(&lab, &name), 0, "{name}");
    }
    // It still accepts connections and resolves its own name.
    portal.connect("lab", "correct-horse").await.expect("signs in");
    let own = docker(&["exec", &lab, "hostname"]);
    assert!(!docker(&["exec", &lab, "getent", "hosts", &own]).is_empty());
    let page = portal.admin().await.get("/admin/system").await.expect(200).text();
    assert!(page.contains("The firewall prevents databases from"), "{page}");

    // If the rules are removed, the portal sets them again.
    let text = rules.0.clone();
    drop(rules);
    assert!(!listed("iptables", "INPUT").contains(&text));
    let rules = Rules(text);
    let begin = std::time::Instant::now();
    while !listed("iptables", "INPUT").contains(&rules.0) || !listed("iptables", "DOCKER-USER").contains(&rules.0) {
        assert!(begin.elapsed() < std::time::Duration::from_secs(90), "the rules were not set again in time");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(reaches(&lab, &address(&lab), 5432), "its own port");
    for address in addresses(&lab) {
        assert!(!reaches(&lab, &address, port), "this host at {address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neo4j_cannot_load_from_the_host() {
    let (portal, _rules) = portal().await;
    let ada = portal.user("ada").await;
    ada.create(
        "graph",
        &[
            ("engine", "neo4j"),
            ("image", "docker.io/library/neo4j:5.26-community"),
            ("memory", "1g"),
            ("dbname", ""),
            ("dbuser", ""),
        ],
    )
    .await;
    let server = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nsecret\n");
        }
    });
    let container = portal.container("graph");
    let gateway = addresses(&container).remove(0);
    let load = format!("LOAD CSV FROM 'http://{gateway}:{port}/x.csv' AS row RETURN row");
    let said = docker(&[
        "exec",
        "-e",
        "NEO4J_PASSWORD=correct-horse",
        &container,
        "sh",
        "-c",
        r#"cypher-shell -u neo4j "$0" 2>&1 || true"#,
        &load,
    ]);
    assert!(!said.contains("secret") && said.to_lowercase().contains("load"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_helper_sets_the_same_rules() {
    use mydb::provision::firewall::{RuleChange, by_helper, mark};
    use mydb::runtime::firewall_state::Wall;
    // A portal that sets no rules itself.
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let app = &portal.app().app;
    let rules = Rules(mark(&app.config.instance));
    let image = app.config.image_reference(crate::support::POSTGRES_17);
    let network = mydb::domain::names::network_name(&app.config.instance);
    let bridge = app.runtime.bridge(&network, &app.config.instance).await.expect("it answers").expect("a bridge");
    let run = async |deed| by_helper(app.runtime.as_ref(), &app.config.instance, &image, (&bridge, deed)).await;
    assert!(matches!(run(RuleChange::Look).await, Wall::Missing(_)));
    assert_eq!(run(RuleChange::Set).await, Wall::Stands);
    assert_eq!(run(RuleChange::Look).await, Wall::Stands);
    assert!(listed("iptables", "INPUT").contains(&rules.0) && listed("iptables", "DOCKER-USER").contains(&rules.0));
}
