//! `db4sci reaper`: what it finds, what it leaves alone, and that one failure does not stop it.

use std::time::Duration;

use super::{let_end, reaping_with};
use crate::backups::cli;
use crate::support::docker::{docker, docker_ok};

fn signal(signal: &str, pid: &str) {
    let sent = std::process::Command::new("kill").args([signal, pid]).status();
    assert!(sent.is_ok_and(|s| s.success()), "kill {signal} {pid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reaper_command_removes_only_what_its_filters_match() {
    let portal = reaping_with(|config| {
        // Only the command reaps, and nobody restarts what is killed.
        config.jobs.reaper = Vec::new();
        config.jobs.reconcile = Duration::from_secs(86_400);
    })
    .await;
    let ada = portal.user("ada").await;
    let never = ("backup_freq", "Never");
    for (name, ttl) in [("old", "1h"), ("dead", "7d"), ("mute", "7d"), ("kept", ""), ("fine", "7d")] {
        ada.submit_create(name, &[("ttl", ttl), never]).await.expect(303);
    }
    for name in ["old", "dead", "mute", "kept", "fine"] {
        ada.wait_for(name, "running").await;
    }
    let_end(&portal, "old");
    docker(&["kill", &portal.container("dead")]);
    docker(&["kill", &portal.container("kept")]);
    let pid = docker_ok(&["inspect", "-f", "{{.State.Pid}}", &portal.container("mute")]);
    signal("-STOP", &pid);
    // A container with this portal's label that the portal does not know.
    let stray = format!("{}-stray", portal.instance);
    let label = format!("{}={}", mydb::runtime::LABEL_INSTANCE, portal.instance);
    docker(&["create", "--name", &stray, "--label", &label, "db4sci-dev/postgres:17"]);

    let (code, said) = cli(&portal, &["reaper"]);
    assert!(code == 2 && said.contains("--expired"), "a filter is required: {said}");
    let all = ["reaper", "--expired", "--dead", "--unhealthy"];
    let everything = "select (select string_agg(container_id || state::text, ' ' order by container_id) from state)
                          || (select count(*) from job) || ' ' || (select count(*) from log)";
    let before = portal.sql(everything);
    let (code, said) = cli(&portal, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{said}");
    let line = |said: &str, name: &str| said.lines().find(|l| l.starts_with(&format!("{name} "))).map(str::to_owned);
    for (name, why) in [
        ("old", "expired at 20"),
        ("dead", "dead: its container exited with code 137"),
        ("mute", "unhealthy: its server does not respond"),
    ] {
        let shown = line(&said, name).unwrap_or_else(|| panic!("{name}: {said}"));
        assert!(shown.contains(why) && shown.contains("would move to the trash"), "{shown}");
    }
    assert!(line(&said, "kept").is_none() && line(&said, "fine").is_none() && !said.contains("stray"), "{said}");
    assert_eq!(portal.sql(everything), before, "nothing has changed");

    // The failure of one is reported, and the others are removed.
    let id = portal.sql("select id from container where name = 'old'");
    portal.sql("create function refuse() returns trigger language plpgsql as 'begin raise exception ''refused''; end'");
    portal.sql(&format!(
        "create trigger refuse before update on state for each row
           when (new.state = 'deleting' and new.container_id = '{id}') execute function refuse()"
    ));
    let (code, said) = cli(&portal, &all);
    assert_eq!(code, 1, "{said}");
    // So that it can be stopped.
    signal("-CONT", &pid);
    assert!(line(&said, "old").is_some_and(|l| l.contains("failed: ")), "{said}");
    assert!(said.contains("1 could not be removed."), "{said}");
    for name in ["dead", "mute"] {
        assert!(line(&said, name).is_some_and(|l| l.contains("will move to the trash")), "{said}");
        ada.wait_for(name, "in the trash").await;
    }
    portal.sql("drop trigger refuse on state");
    let (code, said) = cli(&portal, &["reaper", "--expired"]);
    assert!(code == 0 && line(&said, "old").is_some_and(|l| l.contains("will move to the trash")), "{said}");
    ada.wait_for("old", "in the trash").await;
    let who = portal.sql("select string_agg(distinct actor, ' ') from log where action = 'container.delete'");
    assert!(who.starts_with("cli:"), "{who}");
    let (code, said) = cli(&portal, &all);
    assert!(code == 0 && said.contains("Nothing to remove."), "{said}");
    assert_eq!(ada.state("fine").await, "running");
    assert_eq!(
        portal.sql("select state from state join container on id = container_id where name = 'kept'"),
        "running"
    );
    docker(&["rm", &stray]);
}
