//! The portal is killed while a clone takes over its data. Where nothing is shared, that data was moved, and there
//! is no other copy of it to start over with.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::json;

use super::{others, sign};
use crate::backups::nothing_left;
use crate::engines::fields;
use crate::faults::{Place, held};
use crate::support::{Client, TestPortal};

/// Makes updates of two columns wait as long as the table `pause` names them.
const PAUSE: &str = "create table pause (what text);
    create function pause_here() returns trigger language plpgsql as $$ begin
      while exists (select from pause where what = tg_argv[0]) loop perform pg_sleep(0.5); end loop;
      return new; end $$;
    create trigger pause_moved before update of moved_to on snapshot for each row execute function pause_here('moved');
    create trigger pause_listed before update of cut_off on snapshot for each row execute function pause_here('listed')";

/// Where the portal is killed: after the data was moved, before the list of what will be switched off is recorded, and
/// while that is switched off.
const PLACES: [&str; 3] = ["moved", "listed", "cut off"];
/// The number of the step.
const STEP: usize = 5;

/// What must be listed on the page of the clone, whichever attempt found it. The tools that copy the data of running
/// servers leave out the rest.
fn listed(engine: EngineKind) -> &'static [&'static str] {
    match engine {
        EngineKind::Postgres => {
            &["Subscription “my sub” in database “trial”: switched off", "Password of “eve”: removed"]
        }
        EngineKind::Mariadb => &["Event “nightly” in database “trial”: switched off", "Account “eve@%”: locked"],
        EngineKind::Mongodb | EngineKind::Neo4j => &[],
    }
}

async fn killed_everywhere(engine: EngineKind, image: &str) {
    let mut portal = TestPortal::start().await;
    let place = Place::of(&portal);
    held::prepare(&place);
    portal.sql(PAUSE);
    let ada = portal.user("ada").await;
    let token = portal.token_secret(&ada).await;
    let more = fields(engine, image);
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    let mut lab = sign(&portal, engine, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    others::add(&portal, engine).await;
    for (n, at) in PLACES.iter().enumerate() {
        let (name, client) = (format!("copy-{n}"), Client::nobody(&portal.base));
        client.sign_in("ada", "researcher-1").await;
        let api = client.with_token(&token);
        match *at {
            "cut off" => held::hold(&place, "clone", &name, STEP, "Setting new passwords"),
            at => drop(portal.sql(&format!("insert into pause values ('{at}')"))),
        }
        let made = api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": name })).await.expect(202);
        let password = made.json()["password"].as_str().expect("a password").to_owned();
        portal.until(held::WAITING, |said| said == "1").await;
        portal.kill();
        portal.sql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
              where datname = current_database() and wait_event = 'PgSleep';
             delete from pause; delete from hold",
        );
        portal.run().await;
        let client = Client::nobody(&portal.base);
        client.sign_in("ada", "researcher-1").await;
        client.wait_for(&name, "running").await;
        let moved =
            format!("select count(*) from snapshot join container c on c.id = moved_to where c.name = '{name}'");
        assert_eq!(portal.sql(&moved), "1", "{at}: the data was moved");
        // It has the data, only its owner's new password, and nothing that reaches elsewhere.
        let mut copy = sign(&portal, engine, &name, &password).await;
        assert_eq!(copy.get("word").await, Ok(Some("first".to_owned())), "{at}");
        copy.put("word 2", "in the clone").await.expect("writes");
        others::are_locked_out(&portal, engine, &name).await;
        let page = client.get(&format!("/containers/{name}/snapshots")).await.expect(200).text();
        for sentence in listed(engine) {
            assert!(page.contains(sentence), "{at}: {sentence} is missing: {page}");
        }
        println!("killed when “{at}”: completed");
    }
    assert_eq!(lab.get("word").await, Ok(Some("first".to_owned())), "the session in the source continues");
    nothing_left(&portal, 1 + PLACES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_of_moved_data_that_is_interrupted_is_completed_for_postgres() {
    killed_everywhere(EngineKind::Postgres, "docker.io/library/postgres:17").await;
}
