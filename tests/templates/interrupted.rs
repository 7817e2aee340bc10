//! Imports that are interrupted at a given place. When the portal is killed there, the previous version stays in use. After
//! the restart the import is finished and nothing is left over, whatever the source.

use bytes::Bytes;
use mydb::clones::snapshot::SNAPSHOT;
use mydb::domain::engine::EngineKind;
use mydb::templates::import::IMPORT;
use reqwest::Method;
use serde_json::{Value, json};

use super::{dumps, portal_with, settled, sql, update, write};
use crate::backups::dump::frozen_copy::place;
use crate::backups::{back_up, nothing_left};
use crate::engines::sign_in;
use crate::faults::{Place, held};
use crate::support::portal::store;
use crate::support::{Client, TestPortal};

/// The templates, named after the kinds of their sources.
const KINDS: [&str; 5] = ["backup", "database", "file", "object", "snapshot"];

/// A place where a job is interrupted.
#[derive(Clone, Copy)]
struct Cut {
    kind: &'static str,
    /// The template, or the database of the job.
    name: &'static str,
    step: usize,
    /// A status, or the beginning of what the step says.
    at: &'static str,
}

impl Cut {
    /// Whether the place is in the middle of a step.
    fn is_within(&self) -> bool {
        !["running", "done", "succeeded"].contains(&self.at)
    }

    /// Whether the new version is already current at this place.
    fn is_published(&self) -> bool {
        let ends = [(IMPORT.steps.len(), "done"), (0, "succeeded")];
        self.kind == IMPORT.kind.as_str() && ends.contains(&(self.step, self.at))
    }
}

/// All places of an import from this kind of source: before and after the work of each step, before its end is recorded, and
/// within the steps.
fn cuts(source: &'static str) -> Vec<Cut> {
    let steps = (1..=IMPORT.steps.len()).flat_map(|step| ["running", "done"].map(|at| (step, at)));
    let own: &[(usize, &str)] = match source {
        "file" => &[(1, "Computing its checksum"), (3, "Examining the dump"), (3, "Starting a server")],
        "object" => &[(1, "Downloading"), (3, "Examining the dump"), (3, "Starting a server")],
        "backup" => &[(3, "Restoring the backup"), (3, "Comparing with the backup")],
        _ => &[(3, "Copying")],
    };
    let parts = [(3, "Running the template"), (3, "Counting and checking"), (3, "Stopping the server")];
    let all = steps.chain([(0, "succeeded")]).chain(own.iter().copied()).chain(parts);
    let mut all: Vec<_> = all.map(|(step, at)| Cut { kind: IMPORT.kind.as_str(), name: source, step, at }).collect();
    if source == "database" {
        let taking = [(1, "running"), (1, "done"), (0, "succeeded")];
        all.extend(taking.map(|(step, at)| Cut { kind: SNAPSHOT.kind.as_str(), name: "lab", step, at }));
    }
    all
}

/// The versions in use.
fn in_use(portal: &TestPortal) -> Vec<String> {
    let said = portal.sql(
        "select t.name || ' ' || v.number from template t join template_version v on v.id = t.current_version order by t.name",
    );
    said.lines().map(str::to_owned).collect()
}

async fn refresh(api: &Client, name: &str) {
    api.json(Method::POST, &format!("/api/v1/templates/{name}/refresh"), &json!({})).await.expect(202);
}

/// Hidden directories of loads.
fn scratch(portal: &TestPortal) -> usize {
    let tiers = portal.config.storage.iter().map(|t| t.path.join(&portal.instance));
    let names = tiers.filter_map(|d| std::fs::read_dir(d).ok()).flat_map(|d| d.flatten().map(|e| e.file_name()));
    names.filter(|n| n.to_string_lossy().starts_with(".dump-")).count()
}

/// The names of templates and the numbers of their versions.
fn names(kinds: &[&str], versions: &[i32]) -> Vec<String> {
    kinds.iter().zip(versions).map(|(kind, number)| format!("{kind} {number}")).collect()
}

/// A template of each of these kinds, all with the same content.
async fn make_templates(portal: &TestPortal, api: &Client, kinds: &[&str]) {
    for kind in kinds {
        write(portal, &format!("{kind}.post.sql"), "delete from kept where key = 'secret';\n");
    }
    let dump = sql("create table kept (key varchar(80) primary key, value text);\n\
                    insert into kept values ('word', 'first'), ('secret', 'a name');\n");
    let target = &portal.config.targets[0].name;
    let objects = portal.app().app.stores.first().expect("a target").clone();
    objects.put("dumps/object.sql", Bytes::from(dump.clone()), "application/octet-stream").await.expect("stored");
    if kinds.contains(&"file") {
        write(portal, "file.sql", dump);
        update(portal, api).await;
    }
    let mut sources = vec![("object", json!({ "object": format!("{target}/dumps/object.sql") }))];
    if kinds.iter().any(|kind| ["backup", "database", "snapshot"].contains(kind)) {
        let (backup, snapshot) = database(portal, api).await;
        sources.extend([
            ("backup", json!({ "backup": backup })),
            ("database", json!({ "database": "lab" })),
            ("snapshot", json!({ "snapshot": snapshot })),
        ]);
    }
    for (name, source) in sources.into_iter().filter(|(name, _)| kinds.contains(name)) {
        let body = json!({ "name": name, "source": source });
        api.outcome(Method::POST, "/api/v1/templates", &body).await.expect(201);
    }
}

/// A database with this content. Returns its backup and its snapshot.
async fn database(portal: &TestPortal, api: &Client) -> (String, Value) {
    let ada = portal.user("ada").await;
    ada.create("lab", &[("storage", &portal.config.templates.storage)]).await;
    let mut lab = sign_in(&place(portal, EngineKind::Postgres, "lab"), "correct-horse").await.expect("signs in");
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    lab.put("secret", "a name").await.expect("writes");
    let backup = back_up(portal, &ada, "lab").await;
    api.outcome(Method::POST, "/api/v1/containers/lab/snapshots", &json!({})).await.expect(200);
    let list = api.get("/api/v1/containers/lab/snapshots").await.expect(200).json();
    (backup, list["items"][0]["id"].clone())
}

/// Interrupts imports of these kinds at each of their places that are wanted.
async fn killed_everywhere(kinds: &[&'static str], wanted: fn(&Cut) -> bool) {
    let mut portal = portal_with(|config| {
        store(config);
        config.jobs.workers = 24;
        // All imports are held at once.
        config.limits.loads_per_person = 2 * i64::try_from(KINDS.len()).expect("a few");
    })
    .await;
    let secret = portal.token_secret(&portal.admin().await).await;
    make_templates(&portal, &portal.nobody().with_token(&secret), kinds).await;
    let place_of = Place::of(&portal);
    held::prepare(&place_of);
    let all: Vec<Vec<Cut>> = kinds.iter().map(|kind| cuts(kind).into_iter().filter(wanted).collect()).collect();
    let rounds = all.iter().map(Vec::len).max().unwrap_or_default();
    let mut expected = vec![1; kinds.len()];
    for round in 0..rounds {
        let now: Vec<Option<&Cut>> = all.iter().map(|cuts| cuts.get(round)).collect();
        for cut in now.iter().flatten() {
            held::hold(&place_of, cut.kind, cut.name, cut.step, cut.at);
        }
        let api = portal.nobody().with_token(&secret);
        for (kind, _) in kinds.iter().zip(&now).filter(|(_, cut)| cut.is_some()) {
            refresh(&api, kind).await;
        }
        let waiting = now.iter().flatten().count().to_string();
        portal.until(held::WAITING, |said| said == waiting).await;
        portal.kill();
        held::cut(&place_of);
        let mut before = expected.clone();
        for (number, cut) in before.iter_mut().zip(&now) {
            *number += i32::from(cut.is_some_and(Cut::is_published));
        }
        let told: Vec<_> = now.iter().flatten().map(|cut| format!("{} {} “{}”", cut.name, cut.step, cut.at)).collect();
        assert_eq!(in_use(&portal), names(kinds, &before), "killed at {told:?}");
        Box::pin(portal.run()).await;
        settled(&portal).await;
        for (number, cut) in expected.iter_mut().zip(&now) {
            *number += i32::from(cut.is_some());
        }
        assert_eq!(in_use(&portal), names(kinds, &expected), "after {told:?}");
    }
    let failed = "select kind, error from job where status <> 'succeeded'";
    assert_eq!(portal.sql(failed), "", "a job failed because the portal was killed");
    for schedule in ["template versions", "snapshots"] {
        portal.sql(&format!("update schedule set next_run = now() where name = '{schedule}'"));
    }
    let versions = "select count(*) from template_version where removed_at is null";
    portal.until(versions, |said| said == (2 * kinds.len()).to_string()).await;
    // The database and the snapshot of its owner.
    let (databases, snapshots) =
        ("select count(*) from container", "select count(*) from snapshot where removed_at is null");
    let own = portal.sql(databases);
    portal.until(snapshots, |said| said == own).await;
    nothing_left(&portal, 2 * kinds.len() + 2 * own.parse::<usize>().expect("a number"));
    assert_eq!(scratch(&portal), 0);
    let api = portal.nobody().with_token(&secret);
    for kind in kinds {
        let name = format!("of-{kind}");
        let path = format!("/api/v1/templates/{kind}/clone");
        let made = api.outcome(Method::POST, &path, &json!({ "name": name })).await.expect(201).json();
        let password = made["password"].as_str().expect("a password");
        let (dbname, dbuser) = (text(&made, "dbname"), text(&made, "dbuser"));
        let at = crate::engines::Place { dbname, dbuser, ..place(&portal, EngineKind::Postgres, &name) };
        let mut session = sign_in(&at, password).await.expect("its user signs in");
        assert_eq!(session.get("word").await, Ok(Some("first".to_owned())), "{kind}");
        assert_eq!(session.get("secret").await, Ok(None), "{kind}");
    }
}

fn text(said: &Value, key: &str) -> String {
    said[key].as_str().unwrap_or_else(|| panic!("{key}: {said}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_portal_killed_anywhere_in_an_import_from_any_source_finishes_it() {
    killed_everywhere(&KINDS, |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_killed_within_the_steps_of_an_import_from_a_file_or_an_object_finishes_it_and_leaves_nothing() {
    killed_everywhere(&["file", "object"], Cut::is_within).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_lost_during_an_import_keeps_the_previous_version() {
    let portal = portal_with(|_| {}).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    let place_of = Place::of(&portal);
    held::prepare(&place_of);
    held::hold(&place_of, IMPORT.kind.as_str(), "shop", 3, "Counting and checking");
    refresh(&api, "shop").await;
    portal.until(held::WAITING, |said| said == "1").await;
    std::fs::rename(dumps(&portal), dumps(&portal).with_extension("away")).expect("renamed");
    held::release(&place_of);
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["versions"][0]["status"]), (&json!(1), &json!("failed")), "{shop}");
    assert!(text(&shop["versions"][0], "error").contains("Is its disk mounted?"), "{shop}");

    // The dump is back with the directory.
    std::fs::rename(dumps(&portal).with_extension("away"), dumps(&portal)).expect("renamed");
    let shop = api.outcome(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(200).json();
    assert_eq!(shop["version"], json!(3), "{shop}");
    nothing_left(&portal, 2);
}
