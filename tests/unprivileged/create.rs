//! A database of each engine, made from prepared data by a portal that is not root.

use mydb::engine::EngineKind;

use super::Journey;
use crate::engines::sign_in;
use crate::support::POSTGRES_17;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_every_engine_begins_with_prepared_data() {
    let all = [
        (EngineKind::Postgres, POSTGRES_17),
        (EngineKind::Mariadb, "docker.io/library/mariadb:11.8"),
        (EngineKind::Mongodb, "docker.io/library/mongo:6.0"),
        (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community"),
    ];
    let journey = Journey::begin(&all.map(|(_, image)| image)).await;
    for (engine, image) in all {
        let name = &format!("lab-{engine}");
        let place = journey.create(name, engine, image).await;
        let mut session = sign_in(&place, "correct-horse").await.expect("its user signs in");
        session.prepare().await.expect("makes what it needs");
        session.put("kept", "🐘").await.expect("writes");
        assert_eq!(session.get("kept").await, Ok(Some("🐘".to_owned())));
    }
    let seeded =
        "select count(*) from job_step where name = 'Prepare the data directory' and detail = 'From prepared data'";
    assert_eq!(journey.sql(seeded), "4");
    assert_eq!(journey.helpers(), [""; 0]);
}
