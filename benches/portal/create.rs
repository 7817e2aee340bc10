//! Compares the time from the form to the user's own login with the time from `docker run` of the same image to the
//! same login.

use std::time::{Duration, Instant};

use mydb::config::{Config, SpareRule};
use mydb::domain::engine::EngineKind;
use mydb::domain::quantity::{ByteSize, GIB};

use super::drivers::{Place, sign_in};
use super::support::{self, Options, TestPortal, docker::docker};
use super::table::{Bar, Table, quantile};

/// Number of runs of each; the median counts. Servers that take seconds are run less often.
const ROUNDS: usize = 5;
const FEW_ROUNDS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct-horse";

/// What is measured: the engine, the image in the form, the name in the table, and the limit for a later version.
const IMAGES: [(EngineKind, &str, &str, f64); 6] = [
    (EngineKind::Postgres, "docker.io/library/postgres:17", "Postgres 17", 0.30),
    (EngineKind::Postgres, "docker.io/library/postgres:15", "Postgres 15", 0.30),
    (EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "MariaDB 11.8", 0.30),
    (EngineKind::Mariadb, "docker.io/library/mariadb:10.11", "MariaDB 10.11", 0.30),
    (EngineKind::Mongodb, "docker.io/library/mongo:6.0", "MongoDB 6.0", 0.60),
    (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "Neo4j 5.26", 0.80),
];

/// Options for running an image by hand: environment, ports in the container, and the database and user for the login.
fn by_hand_options(
    engine: EngineKind,
) -> (&'static [&'static str], &'static [(&'static str, u16)], &'static str, &'static str) {
    match engine {
        EngineKind::Postgres => (
            &["POSTGRES_USER=ada", "POSTGRES_PASSWORD=correct-horse", "POSTGRES_DB=trial"],
            &[("postgres", 5432)],
            "trial",
            "ada",
        ),
        EngineKind::Mariadb => (
            &[
                "MARIADB_ROOT_PASSWORD=root-horse",
                "MARIADB_DATABASE=trial",
                "MARIADB_USER=ada",
                "MARIADB_PASSWORD=correct-horse",
            ],
            &[("mariadb", 3306)],
            "trial",
            "ada",
        ),
        EngineKind::Mongodb => (
            &["MONGO_INITDB_ROOT_USERNAME=ada", "MONGO_INITDB_ROOT_PASSWORD=correct-horse"],
            &[("mongodb", 27017)],
            "admin",
            "ada",
        ),
        EngineKind::Neo4j => {
            (&["NEO4J_AUTH=neo4j/correct-horse"], &[("bolt", 7687), ("http without TLS", 7474)], "neo4j", "neo4j")
        }
    }
}

/// Retries until the user's login works, like a person in a hurry; returns the seconds since `begin`.
async fn login(place: impl AsyncFn() -> Place, begin: Instant, state: impl Fn() -> String) -> f64 {
    while let Err(why) = sign_in(&place().await, PASSWORD).await {
        assert!(begin.elapsed() < PATIENCE, "the login does not work in time: {why}\n{}", state());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begin.elapsed().as_secs_f64()
}

async fn by_portal(portal: &TestPortal, client: &support::Client, engine: EngineKind, image: &str, name: &str) -> f64 {
    let fixed = engine.engine().fixed_names();
    let word = engine.to_string();
    let mut fields = vec![("engine", word.as_str()), ("image", image), ("memory", "1g")];
    if fixed.is_some() {
        fields.extend([("dbname", ""), ("dbuser", "")]);
    }
    let begin = Instant::now();
    client.submit_create(name, &fields).await.expect(303);
    // Looked up for each try, because the portal replaces a port that another program uses. Over a connection that is
    // open: starting a client would take as long as what is measured.
    let ports = "select purpose, port from port join container on container.id = container_id where name = $1";
    let place = async || {
        let rows = sqlx::query_as::<_, (String, i32)>(ports).bind(name).fetch_all(&portal.app().app.db).await;
        let rows = rows.expect("the ports are there");
        Place {
            engine,
            ports: rows.into_iter().map(|(purpose, port)| (purpose, port.try_into().expect("a port"))).collect(),
            dbname: fixed.map_or("trial", |f| f.dbname).to_owned(),
            dbuser: fixed.map_or("ada", |f| f.dbuser).to_owned(),
        }
    };
    let state = || {
        portal.sql(&format!(
            "select state || ' ' || coalesce(failed_reason, '') from state join container on id = container_id where name = '{name}'"
        ))
    };
    if engine == EngineKind::Neo4j {
        // Wrong passwords lock the account for seconds, so wait until the page shows that the database is running.
        client.wait_for(name, "running").await;
    }
    login(place, begin, state).await
}

/// Runs an empty server with `docker run`; returns the seconds until the user's login works. Then removes it.
pub(super) async fn by_hand(instance: &str, engine: EngineKind, image: &str, name: &str) -> f64 {
    let label = format!("db4sci.instance={instance}");
    let (env, ports, dbname, dbuser) = by_hand_options(engine);
    let mut args: Vec<String> =
        ["run", "-d", "--name", name, "--label", &label, "-m", "1g"].map(str::to_owned).to_vec();
    args.extend(env.iter().flat_map(|e| ["-e".to_owned(), (*e).to_owned()]));
    args.extend(ports.iter().flat_map(|(_, inside)| ["-p".to_owned(), format!("127.0.0.1::{inside}")]));
    args.push(image.to_owned());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let id = docker(&args);
    assert!(!id.is_empty(), "{image} runs");
    let published = |inside: &u16| {
        let said = docker(&["port", name, &format!("{inside}/tcp")]);
        said.lines().next().and_then(|l| l.rsplit(':').next()).and_then(|p| p.parse().ok()).expect("a published port")
    };
    let place = Place {
        engine,
        ports: ports.iter().map(|(purpose, inside)| ((*purpose).to_owned(), published(inside))).collect(),
        dbname: dbname.to_owned(),
        dbuser: dbuser.to_owned(),
    };
    let took = login(async || place.clone(), begin, String::new).await;
    docker(&["rm", "-fv", &id]);
    took
}

/// The images of which servers are started in advance: the newest of each engine.
fn is_kept(image: &str) -> bool {
    ["postgres:17", "mariadb:11.8", "mongo:6.0", "neo4j:5.26"].iter().any(|word| image.contains(word))
}

/// A portal that starts one server of each engine in advance, with the limits of the form that the benchmark sends.
async fn keeping() -> TestPortal {
    let configure = Box::new(|config: &mut Config| {
        let rules = ["postgres=1", "mariadb=1", "mongodb=1", "neo4j=1"];
        config.databases.spares = rules.iter().map(|rule| SpareRule::parse(rule).expect("a rule")).collect();
        config.databases.spares_memory = ByteSize(8 * GIB);
        config.limits.memory_default = ByteSize(GIB);
        config.storage.truncate(1);
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// Waits until all servers are started and no job is running.
async fn ready(portal: &TestPortal) {
    let begin = Instant::now();
    let open = "select count(*) from job where status in ('queued', 'running')";
    while portal.sql("select count(made_at) from spare") != "4" || portal.sql(open) != "0" {
        assert!(begin.elapsed() < 5 * PATIENCE, "{}", portal.sql("select * from spare"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn measure(table: &mut Table, wanted: &dyn Fn(&str) -> bool) {
    if !IMAGES.iter().any(|(_, _, label, _)| wanted(label)) {
        return;
    }
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let keeping = keeping().await;
    let eve = keeping.user("eve").await;
    for (n, (engine, image, label, bar)) in IMAGES.into_iter().enumerate() {
        if !wanted(label) {
            continue;
        }
        let reference = portal.config.image_reference(image);
        if docker(&["image", "inspect", "-f", "{{.Id}}", &reference]).is_empty() {
            eprintln!("{reference} is not on this machine; skipped");
            continue;
        }
        let rounds = if matches!(engine, EngineKind::Postgres | EngineKind::Mariadb) { ROUNDS } else { FEW_ROUNDS };
        let (mut ours, mut theirs, mut spare) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            let name = format!("lab{n}-{round}");
            let hand = format!("{}-by-hand-{n}-{round}", portal.instance);
            theirs.push(by_hand(&portal.instance, engine, &reference, &hand).await);
            ours.push(by_portal(&portal, &ada, engine, image, &name).await);
            ada.wait_for(&name, "running").await;
            ada.post(&format!("/containers/{name}/stop"), &[]).await;
            ada.wait_for(&name, "stopped").await;
            if is_kept(image) {
                ready(&keeping).await;
                spare.push(by_portal(&keeping, &eve, engine, image, &name).await);
                eve.wait_for(&name, "running").await;
                let from = format!("select from_spare from container where name = '{name}'");
                assert_eq!(keeping.sql(&from), "t", "{name} took a server that was started in advance");
                eve.post(&format!("/containers/{name}/stop"), &[]).await;
                eve.wait_for(&name, "stopped").await;
            }
        }
        let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
        table.add(format!("{label}: docker run → login, median of {rounds}"), theirs, "s", &Bar::None);
        table.add(format!("{label}: form → login, median of {rounds}"), ours, "s", &Bar::None);
        table.add(format!("{label}: ratio of these"), ours / theirs, "", &Bar::Later(bar));
        if !spare.is_empty() {
            let spare = quantile(&mut spare, 0.5);
            let bar = if matches!(engine, EngineKind::Postgres | EngineKind::Mariadb) { 0.06 } else { 0.10 };
            table.add(format!("{label}: form → login from a server started in advance"), spare, "s", &Bar::None);
            table.add(format!("{label}: ratio of that to docker run"), spare / theirs, "", &Bar::Later(bar));
        }
    }
}
