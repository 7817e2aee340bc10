//! From the form to the user's own login, against `docker run` of the same image to the same login.

use std::time::{Duration, Instant};

use super::support::{self, POSTGRES_15, POSTGRES_17, TestPortal, docker::docker};
use super::table::{Bar, Table, quantile};

/// Runs of each; the median counts.
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(120);

/// Tries until the user's login works, as a person would who is in a hurry.
async fn login(port: u16, begin: Instant) -> f64 {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname("trial").user("ada").password("correct-horse");
    config.connect_timeout(Duration::from_secs(5));
    loop {
        if let Ok((client, connection)) = config.connect(tokio_postgres::NoTls).await {
            let talk = tokio::spawn(connection);
            let answered = client.simple_query("select 1").await.is_ok();
            talk.abort();
            if answered {
                return begin.elapsed().as_secs_f64();
            }
        }
        assert!(begin.elapsed() < PATIENCE, "the login works in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn by_portal(portal: &TestPortal, client: &support::Client, image: &str, name: &str) -> f64 {
    let begin = Instant::now();
    client.submit_create(name, &[("image", image)]).await.expect(303);
    login(portal.port(name), begin).await
}

async fn by_hand(instance: &str, image: &str, name: &str) -> f64 {
    let label = format!("db4sci.instance={instance}");
    let begin = Instant::now();
    let id = docker(&[
        "run",
        "-d",
        "--name",
        name,
        "--label",
        &label,
        "-p",
        "127.0.0.1::5432",
        "-e",
        "POSTGRES_USER=ada",
        "-e",
        "POSTGRES_PASSWORD=correct-horse",
        "-e",
        "POSTGRES_DB=trial",
        image,
    ]);
    assert!(!id.is_empty(), "{image} runs");
    let published = docker(&["port", name, "5432/tcp"]);
    let port = published.lines().next().and_then(|l| l.rsplit(':').next()).and_then(|p| p.parse().ok());
    let took = login(port.expect("a published port"), begin).await;
    docker(&["rm", "-fv", &id]);
    took
}

pub async fn measure(table: &mut Table) {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    for (image, version) in [(POSTGRES_17, "17"), (POSTGRES_15, "15")] {
        let reference = portal.config.image_reference(image);
        if docker(&["image", "inspect", "-f", "{{.Id}}", &reference]).is_empty() {
            eprintln!("{reference} is not here; left out");
            continue;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let name = format!("lab{version}-{round}");
            theirs.push(
                by_hand(&portal.instance, &reference, &format!("{}-by-hand-{version}-{round}", portal.instance)).await,
            );
            ours.push(by_portal(&portal, &ada, image, &name).await);
            ada.wait_for(&name, "running").await;
            ada.post(&format!("/containers/{name}/stop"), &[]).await;
            ada.wait_for(&name, "stopped").await;
        }
        let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
        table.add(format!("Postgres {version}: docker run → login, median of {ROUNDS}"), theirs, "s", &Bar::None);
        table.add(format!("Postgres {version}: form → login, median of {ROUNDS}"), ours, "s", &Bar::None);
        table.add(format!("Postgres {version}: ratio of these"), ours / theirs, "", &Bar::Later(0.30));
    }
}
