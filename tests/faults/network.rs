//! The network of an instance is requested again and again, also by several portals at the same time: there is only one.

use std::time::Duration;

use mydb::domain::names::InstanceId;
use mydb::runtime::Runtime;
use mydb::runtime::docker::DockerRuntime;

use crate::support::docker;
use crate::support::portal::prefix;

/// The networks of an instance, removed on drop.
struct Networks(String);

impl Networks {
    fn ids(&self) -> Vec<String> {
        let filter = format!("label=db4sci.instance={}", self.0);
        docker::docker_ok(&["network", "ls", "-q", "--filter", &filter]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        docker::sweep(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_requested_many_times_at_once_exists_once_and_stays() {
    let networks = Networks(format!("{}-network", prefix()));
    let (instance, name) = (InstanceId::parse(&networks.0).expect("an instance"), format!("{}-databases", networks.0));
    // Separate connections, as two portals have.
    let one = DockerRuntime::connect().await.expect("the container engine answers");
    let other = DockerRuntime::connect().await.expect("the container engine answers");
    for round in 0..5 {
        let requests = (0..8).map(|n| (if n % 2 == 0 { &one } else { &other }).ensure_network(&name, &instance));
        let all = tokio::time::timeout(Duration::from_secs(120), futures::future::join_all(requests)).await;
        for done in all.expect("all have ended within two minutes") {
            done.unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
        let ids = networks.ids();
        assert_eq!(ids.len(), 1, "round {round}: {ids:?}");
        // A later request keeps it: containers are connected to it.
        one.ensure_network(&name, &instance).await.expect("it is there");
        assert_eq!(networks.ids(), ids, "round {round}");
        docker::docker_ok(&["network", "rm", &ids[0]]);
    }
}
