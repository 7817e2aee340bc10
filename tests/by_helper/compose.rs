//! The shortest journey in the portal's own image with the shipped compose file.

use mydb::domain::engine::EngineKind;

use super::Journey;
use crate::engines::sign_in;
use crate::support::POSTGRES_17;
use crate::support::program::Program;

#[tokio::test(flavor = "multi_thread")]
async fn the_compose_file_runs_a_working_portal() {
    let journey = Journey::of(Program::install_composed(&[]), 1).await;
    let place = journey.create("lab", EngineKind::Postgres, POSTGRES_17).await;
    let mut session = sign_in(&place, "correct-horse").await.expect("its user signs in");
    session.prepare().await.expect("the objects are created");
    session.put("kept", "🐘").await.expect("writes");
    drop(session);
    journey.proven_backup("lab").await;
    journey.admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    journey.succeeded("delete").await;
    journey.admin.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    journey.succeeded("purge").await;
    assert_eq!(journey.helpers(), [""; 0]);
}
