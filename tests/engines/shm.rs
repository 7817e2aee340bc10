//! Parallel queries get the shared memory they need.

use tokio_postgres::SimpleQueryMessage;

use crate::support::{TestPortal, docker};

#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_join_works_within_a_small_memory_limit() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("memory", "512m"), ("cpus", "2")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("its user signs in");
    let said = db.simple_query(include_str!("../cases/shm/query.sql")).await.expect("an answer");
    let row = said.iter().find_map(|m| if let SimpleQueryMessage::Row(row) = m { row.get(0) } else { None });
    assert_eq!(row, Some("1600000"));
    let workers = "set work_mem = '64MB'; explain select count(*), max(t || u) from a join b using (id)";
    let plan = format!("{:?}", db.simple_query(workers).await.expect("a plan"));
    assert!(plan.contains("Parallel Hash"), "the processes share memory: {plan}");

    let container = portal.container("lab");
    assert_eq!(docker::docker(&["inspect", "-f", "{{.HostConfig.ShmSize}}", &container]), (384 << 20).to_string());
}
