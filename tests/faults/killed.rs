//! The portal dies in the middle of its work, as if by SIGKILL: all its tasks end at their next await. After a restart
//! it completes everything.

use std::time::Duration;

use mydb::provision::create::CREATE;
use mydb::queue::flow::Flow;
use mydb::runtime::fault::{Fault, FaultTiming};
use mydb::trash::move_to_trash::{DELETE, UNDELETE};
use mydb::trash::purge::PURGE;

use super::{Dice, Place, held, keep, kept, rounds, until};
use crate::support::{Client, Options, TestPortal};

/// Room for a job at every step at once.
fn roomy() -> Options {
    let configure = |config: &mut mydb::config::Config| {
        config.jobs.workers = 24;
        config.admin_db.connections = 60;
    };
    Options { configure: Box::new(configure), ..Options::default() }
}

/// Places where a flow can be interrupted: before and after the work of every step, and before its end is recorded.
fn cuts(flow: &Flow) -> Vec<(String, usize, &'static str)> {
    let steps = (1..=flow.steps.len()).flat_map(|seq| ["running", "done"].map(|status| (seq, status)));
    steps.chain([(0, "succeeded")]).map(|(seq, status)| (format!("at{seq}-{status}"), seq, status)).collect()
}

/// Holds one database's flow at each of these places, kills the portal while all of them wait, and starts it again.
async fn kill_everywhere(portal: &mut TestPortal, place: &Place, flow: &Flow, verb: &str) -> Client {
    let admin = portal.admin().await;
    let cuts = cuts(flow);
    for (name, seq, status) in &cuts {
        held::hold(place, flow.kind.as_str(), name, *seq, status);
        if verb == "create" {
            admin.submit_create(name, &[]).await.expect(303);
        } else {
            admin.post(&format!("/containers/{name}/{verb}"), &[("confirm", name)]).await.expect(303);
        }
    }
    until("every job is at its place", || held::waiting(place) == cuts.len()).await;
    portal.kill();
    held::cut(place);
    portal.run().await;
    place.all_is_right().await;
    let failed = "select kind, error from job where status <> 'succeeded'";
    assert_eq!(place.sql(failed), "", "{verb}: a job failed because the portal was killed");
    portal.admin().await
}

fn states(place: &Place) -> String {
    place.sql("select state, count(*) from state group by state order by state")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_create_delete_undelete_and_purge() {
    let mut portal = TestPortal::with(roomy()).await;
    let place = Place::of(&portal);
    held::prepare(&place);
    kill_everywhere(&mut portal, &place, &CREATE, "create").await;
    assert_eq!(states(&place), format!("running|{}", cuts(&CREATE).len()));

    keep(&portal, "at1-done").await;
    let all = cuts(&CREATE).len();
    let admin = kill_everywhere(&mut portal, &place, &DELETE, "delete").await;
    assert_eq!(states(&place), format!("running|{}\ntrashed|{}", all - cuts(&DELETE).len(), cuts(&DELETE).len()));

    delete(&admin, cuts(&UNDELETE).into_iter().filter(|cut| !cuts(&DELETE).contains(cut))).await;
    place.settled().await;
    let admin = kill_everywhere(&mut portal, &place, &UNDELETE, "undelete").await;
    assert_eq!(states(&place), format!("running|{all}"));
    assert!(kept(&portal, "at1-done").await, "the row is lost");

    let purged = cuts(&PURGE).len();
    delete(&admin, cuts(&PURGE)).await;
    place.settled().await;
    kill_everywhere(&mut portal, &place, &PURGE, "purge").await;
    assert_eq!(states(&place), format!("running|{}", all - purged));
    assert_eq!(place.sql("select count(*) from container where purged_at is not null"), purged.to_string());
    assert_eq!(place.sql("select count(*) from port"), (all - purged).to_string(), "their ports are free");
}

async fn delete(admin: &Client, cuts: impl IntoIterator<Item = (String, usize, &'static str)>) {
    for (name, ..) in cuts {
        admin.post(&format!("/containers/{name}/delete"), &[("confirm", &name)]).await.expect(303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_survives_kills_while_it_undoes_a_failed_job() {
    let mut portal = TestPortal::with(roomy()).await;
    let place = Place::of(&portal);
    held::prepare(&place);
    let admin = portal.admin().await;
    let refuses = Fault { operation: "exec", strike: FaultTiming::Before, times: u32::MAX, transient: false };
    portal.faults.inject(refuses);
    // Step 6 waits for the server and fails; the container of step 4 and the directory of step 3 are undone.
    let cuts = [("refused", 6, "failed"), ("container", 4, "undone"), ("directory", 3, "undone"), ("end", 0, "failed")];
    for (name, seq, status) in cuts {
        held::hold(&place, "create", name, seq, status);
        admin.submit_create(name, &[]).await.expect(303);
    }
    until("every job is at its place", || held::waiting(&place) == cuts.len()).await;
    portal.kill();
    held::cut(&place);
    portal.run().await;
    place.all_is_right().await;
    assert_eq!(states(&place), "failed|4");
    assert_eq!(
        place.sql("select distinct failed_step from state"),
        "Wait until the server responds",
        "the failed step survives the crash"
    );
    assert!(place.sql("select distinct failed_reason from state").contains("injected fault"));

    portal.faults.heal();
    let admin = portal.admin().await;
    for (name, ..) in cuts {
        admin.post(&format!("/containers/{name}/start"), &[]).await.expect(303);
    }
    place.all_is_right().await;
    assert_eq!(states(&place), "running|4");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn killed_at_random_instants() {
    let mut dice = Dice::new();
    let mut portal = TestPortal::start().await;
    let place = Place::of(&portal);
    let (rounds, mut hits) = (rounds(50, 10), 0);
    for round in 0..rounds {
        let admin = portal.admin().await;
        admin.submit_create(&format!("db{round}"), &[]).await.expect(303);
        // The database from two rounds ago is deleted.
        if let Some(old) = round.checked_sub(2).map(|r| format!("db{r}")) {
            admin.post(&format!("/containers/{old}/delete"), &[("confirm", &old)]).await.expect(303);
        }
        tokio::time::sleep(dice.time(Duration::from_millis(2500))).await;
        portal.kill();
        hits += u32::from(place.has_open_jobs());
        portal.run().await;
    }
    assert!(hits > 0, "no kill hit a job");
    place.all_is_right().await;
    assert_eq!(place.sql("select count(*) from container"), rounds.to_string());
    let failed = "select kind, attempt, error from job where status <> 'succeeded'";
    assert_eq!(place.sql(failed), "", "a job failed because the portal was killed");
}
