//! The real program with real signals, from its first start: `db4sci serve` with its own mydb_admin.

use std::time::Duration;

use super::{Dice, Place, rounds, sign_in, until};
use crate::support::docker;
use crate::support::program::Program;

impl Place {
    /// The place of a portal that runs as a program.
    pub(super) fn of_program(program: &Program) -> Self {
        Self { instance: program.instance.clone(), tables: program.tables(), tier: program.tier() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_survives_kills_at_random_times_from_its_first_start() {
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
    assert_eq!(own, [format!("{}-mydb_admin", program.instance)], "only the container of mydb_admin exists");
    let place = Place::of_program(&program);
    let (rounds, mut hits) = (rounds(30, 5), 0);
    for round in 0..rounds {
        let admin = program.admin().await;
        admin.submit_create(&format!("db{round}"), &[]).await.expect(303);
        if let Some(old) = round.checked_sub(1).map(|r| format!("db{r}")) {
            admin.post(&format!("/containers/{old}/delete"), &[("confirm", &old)]).await.expect(303);
        }
        tokio::time::sleep(dice.time(Duration::from_millis(2500))).await;
        program.kill();
        hits += u32::from(place.has_open_jobs());
        program.spawn();
        program.ready().await;
    }
    assert!(hits > 0, "no kill hit a job");
    place.all_is_right().await;
    assert_eq!(place.sql("select count(*) from job where status <> 'succeeded'"), "0");
    assert_eq!(place.sql("select count(*) from container"), rounds.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_a_create_is_quick_and_keeps_databases() {
    let mut program = Program::install();
    program.spawn();
    program.ready().await;
    let (admin, place) = (program.admin().await, Place::of_program(&program));
    admin.create("lab", &[]).await;
    let port = place.sql("select port from port").parse().expect("a port");
    let user = sign_in(port).await.expect("the user signs in");
    admin.submit_create("second", &[]).await.expect(303);
    until("the second create is running", || place.sql("select count(*) from job where status = 'running'") == "1")
        .await;
    let (status, took) = program.terminate().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(took < Duration::from_secs(45), "{took:?}");
    user.query_one("select 1", &[]).await.expect("an open connection survives");
    assert_eq!(place.sql("select count(*) from job where status = 'running'"), "0");
    program.spawn();
    program.ready().await;
    program.admin().await.wait_for("second", "running").await;
    place.all_is_right().await;
}
