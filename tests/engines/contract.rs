//! The contract itself: its steps run one after another on one database, in the order of its lifetime.

use mydb::domain::engine::EngineKind;

use super::{IMAGES, Place, Session, fields, place, sign_in, snippets};
use crate::support::seeds::directories;
use crate::support::{Client, TestPortal, docker::docker};

/// Every printable ASCII character, letters beyond ASCII, and blanks at both ends.
const PASSWORD: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~ é ß ";
const MIB: i64 = 1 << 20;
const UNICODE: &str = "Ünïcödé 💧 \u{1F9EC} 漢字 'quotes\" \\ $x; --";

struct Database<'a> {
    portal: &'a TestPortal,
    ada: Client,
    place: Place,
    container: String,
}

impl Database<'_> {
    async fn session(&self, password: &str) -> Box<dyn Session> {
        let signed_in = sign_in(&self.place, password).await;
        signed_in.unwrap_or_else(|e| panic!("the user signs in from outside: {e}"))
    }

    async fn act(&self, verb: &str, state: &str) {
        self.ada.post(&format!("/containers/lab/{verb}"), &[]).await.expect(303);
        self.done().await;
        self.ada.wait_for("lab", state).await;
    }

    /// Waits until no job is queued or running.
    async fn done(&self) {
        let busy = "select count(*) from job where status in ('queued', 'running')";
        self.portal.until(busy, |said| said == "0").await;
    }

    async fn keeps(&self, password: &str, key: &str) {
        let said = self.session(password).await.get(key).await;
        assert_eq!(said, Ok(Some(UNICODE.to_owned())), "{key} is there");
    }

    fn limit_inside(&self) -> i64 {
        let files = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
        docker(&["exec", &self.container, "sh", "-c", files]).parse().expect("a limit")
    }

    /// The size of the cache as reported by the server, or as in its configuration.
    async fn cache(&self, password: &str) -> i64 {
        if self.place.engine == EngineKind::Mongodb {
            let text = docker(&["exec", &self.container, "cat", "/etc/db4sci/mongod.conf"]);
            let line = text.lines().find_map(|l| l.trim().strip_prefix("cacheSizeGB:")).expect("the cache's size");
            #[expect(clippy::cast_possible_truncation, reason = "a size in MiB")]
            return (line.trim().parse::<f64>().expect("a number") * 1024.0) as i64 * MIB;
        }
        self.session(password).await.cache().await.expect("the cache's size")
    }
}

async fn contract(engine: EngineKind, image: &str, version: &str) {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    // Enough memory that the cache does not just have its minimum size.
    let memory = match engine {
        EngineKind::Postgres | EngineKind::Mariadb => 512,
        EngineKind::Mongodb => 1024,
        EngineKind::Neo4j => 1280,
    };
    let mut form = fields(engine, image);
    form.extend([("dbuserpass", PASSWORD.to_owned()), ("memory", format!("{memory}m"))]);
    let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &form).await;
    let place = place(&portal, engine, "lab");
    let db = Database { portal: &portal, ada, place, container: portal.container("lab") };

    works(&db, version).await;
    // The snippets depend on the engine, not on its version, so only its newest image runs them.
    if IMAGES.iter().find(|(e, ..)| *e == engine).is_some_and(|(_, newest, _)| *newest == image) {
        snippets::run(&db.ada, &portal, engine, image, version, PASSWORD).await;
    }
    keeps_to_itself(&db).await;
    limits(&db, memory).await;
    lives_on(&db).await;
    let password = rotates(&db).await;
    resizes(&db, memory, &password).await;
    survives_a_kill(&db, &password).await;
    ends(&db, &password).await;
}

/// The user can do ordinary work: structures, unicode, large values, transactions.
async fn works(db: &Database<'_>, version: &str) {
    let mut session = db.session(PASSWORD).await;
    let said = session.version().await.expect("a version");
    assert!(said.starts_with(version), "{said} is {version}");
    assert_eq!(db.portal.sql("select server_version from container"), said, "the portal knows it too");
    session.prepare().await.expect("a table with an index");
    session.put("unicode", UNICODE).await.expect("every character");
    let large = "0123456789abcde\u{1F9EC}".repeat(10 * 1024 * 1024 / 19);
    session.put("large", &large).await.expect("10 MB");
    assert!(session.get("large").await.expect("10 MB") == Some(large), "it comes back complete");
    session.transactions("kept", "dropped").await.expect("transactions");
    assert!(session.get("kept").await.expect("an answer").is_some(), "what was committed is there");
    assert_eq!(session.get("dropped").await, Ok(None), "what was rolled back is not");
    let (found, wanted) = session.setting().await.expect("a setting");
    assert_eq!(found, wanted, "a setting from dbconfig/ is in force");
    db.keeps(PASSWORD, "unicode").await;
    // The portal's scan shows the content.
    let report = db.portal.scan().await;
    assert_eq!(report["failed"], 0, "{}", db.portal.sql("select error from survey"));
    let page = db.ada.get("/containers/lab/metrics").await.expect(200).text();
    for wanted in ["kept", "Server uptime", "Connections", db.place.dbname.as_str()] {
        assert!(page.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}: {page}");
    }
    shows_the_users_own(db, &page).await;
}

/// The page shows more than one table, collection or label, and nothing that the server or the image keeps for itself.
async fn shows_the_users_own(db: &Database<'_>, page: &str) {
    assert!(page.to_lowercase().contains("kept_too"), "the second of its kind: {page}");
    let views = db.place.engine != EngineKind::Neo4j;
    assert!(!views || page.contains("kept_view"), "a view: {page}");
    for hidden in ["system.views", "healthcheck@localhost"] {
        assert!(!page.contains(hidden), "{hidden}: {page}");
    }
    let logs = db.ada.get("/containers/lab/logs?lines=500").await.expect(200).all("pre").concat();
    assert!(!logs.contains("Failed authentication"), "the portal tries no missing user: {logs}");
}

/// The user cannot do what is forbidden, and no other password is accepted.
async fn keeps_to_itself(db: &Database<'_>) {
    let allowed = db.session(PASSWORD).await.overreach().await;
    assert!(allowed.is_empty(), "this must be refused: {allowed:#?}");
    for wrong in ["wrong-password", "", PASSWORD.trim()] {
        assert!(sign_in(&db.place, wrong).await.is_err(), "{wrong:?} is refused");
    }
    let nobody = Place { dbuser: "somebody".to_owned(), ..db.place.clone() };
    assert!(sign_in(&nobody, PASSWORD).await.is_err(), "another user is refused");
    let inspect = docker(&["inspect", &db.container]);
    assert!(!inspect.contains("ABCXYZ["), "the container engine shows no password");
    assert!(inspect.contains("no-new-privileges"), "{inspect}");
    assert!(inspect.contains("\"ALL\""), "all capabilities are dropped first");
    let stored = db.portal.sql("select inspect from container where name = 'lab'");
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("it is stored when the server runs");
    assert_eq!(stored["State"]["Running"], true, "{stored}");
    assert_eq!(stored["Config"].get("Env").and_then(|env| env.as_array()), None, "no variable that may be secret");
    assert!(!stored.to_string().contains("ABCXYZ["), "mydb_admin contains no password in plain text");
}

/// The memory limit is in force inside the container, and the server adapts to it.
async fn limits(db: &Database<'_>, memory: i64) {
    assert_eq!(db.limit_inside(), memory * MIB);
    let cache = db.cache(PASSWORD).await;
    assert!(cache >= memory * MIB / 5 && cache <= memory * MIB * 6 / 10, "{cache} follows from the limit");
}

/// Stop, start and restart keep the data.
async fn lives_on(db: &Database<'_>) {
    db.act("stop", "stopped").await;
    assert!(sign_in(&db.place, PASSWORD).await.is_err(), "a stopped server does not answer");
    assert_eq!(
        docker(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", &db.container]).split(' ').next(),
        Some("false")
    );
    db.act("start", "running").await;
    db.keeps(PASSWORD, "unicode").await;
    db.act("restart", "running").await;
    db.keeps(PASSWORD, "unicode").await;
    let logs = db.ada.get("/containers/lab/logs").await.expect(200).all("pre").concat();
    assert!(logs.lines().count() > 3, "the page shows the server's log: {logs}");
    let none = db.ada.get("/containers/lab/logs?text=%3Cb%3Eno+such+line").await.expect(200);
    assert!(none.text().contains("0 of the last") && none.all("pre").concat().is_empty(), "{}", none.text());
    assert!(!none.body.contains("<b>no such"), "what was typed is text");
}

/// A new password: the old one is refused, the new one works, open sessions are reported.
async fn rotates(db: &Database<'_>) -> String {
    let mut open = db.session(PASSWORD).await;
    open.get("unicode").await.expect("a session");
    db.ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    db.done().await;
    let noted = db.portal.sql(
        "select s.detail from job_step s join job j on j.id = s.job_id
          where j.kind = 'rotate-password' and s.name = 'Check for open sessions'",
    );
    assert!(noted.contains("open session"), "the open session is reported: {noted}");
    assert!(!noted.contains("did not report"), "{noted}");
    assert!(sign_in(&db.place, PASSWORD).await.is_err(), "the old one is refused");
    let ask = db.ada.get("/containers/lab").await.expect(200);
    assert!(!ask.all("form[action$='/password']").is_empty(), "the page offers to show it: {}", ask.text());
    let shown = db.ada.post("/containers/lab/password", &[]).await.expect(200);
    let with_password = shown.text().contains("Connection URL with the password");
    assert_eq!(with_password, db.place.engine != EngineKind::Neo4j, "{}", shown.text());
    let password = shown.all("#password").concat().trim().to_owned();
    db.keeps(&password, "unicode").await;
    password
}

/// New limits on a running server.
async fn resizes(db: &Database<'_>, memory: i64, password: &str) {
    let before = db.cache(password).await;
    let more = memory + 256;
    let fields = [("memory", format!("{more}m")), ("cpus", "0.75".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    db.ada.post("/containers/lab/settings", &fields).await.expect(303);
    db.done().await;
    db.ada.wait_for("lab", "running").await;
    assert_eq!(db.limit_inside(), more * MIB);
    assert_eq!(docker(&["inspect", "-f", "{{.HostConfig.NanoCpus}}", &db.container]), "750000000");
    assert!(db.cache(password).await > before, "the server adapts to the new limit");
    db.keeps(password, "unicode").await;
}

/// A killed server is restarted automatically, with its data.
async fn survives_a_kill(db: &Database<'_>, password: &str) {
    let mut session = db.session(password).await;
    session.put("before the kill", UNICODE).await.expect("a row");
    let starts = "select count(*) from job where kind = 'start' and created_by = 'reconciler' and status = 'succeeded'";
    let before = db.portal.sql(starts);
    docker(&["kill", "--signal", "KILL", &db.container]);
    db.portal.until(starts, |said| said != before).await;
    db.ada.wait_for("lab", "running").await;
    db.keeps(password, "before the kill").await;
}

/// Delete, undelete, delete, purge: the data is kept, then removed, and the ports are free again.
async fn ends(db: &Database<'_>, password: &str) {
    let delete = async || {
        db.ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
        db.done().await;
        db.ada.wait_for("lab", "in the trash").await;
    };
    delete().await;
    assert!(sign_in(&db.place, password).await.is_err(), "in the trash it does not answer");
    db.act("undelete", "running").await;
    db.keeps(password, "before the kill").await;
    delete().await;
    let admin = db.portal.admin().await;
    admin.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    db.done().await;
    assert_eq!(db.portal.sql("select count(*) from port"), "0", "its ports are free");
    assert_eq!(db.portal.sql("select (select count(*) from survey) + (select count(*) from sample)"), "0");
    assert!(db.portal.containers().iter().all(|c| !c.ends_with("-lab")), "its container is removed");
    let tier = &db.portal.config.storage[0].path;
    let left = directories(&tier.join(&db.portal.instance));
    assert!(left.is_empty(), "its data is removed: {left:?}");
    for (_, port) in &db.place.ports {
        std::net::TcpListener::bind(("127.0.0.1", *port)).expect("its ports are free");
    }
}

macro_rules! contracts {
    ($($(#[$mark:meta])* $name:ident $at:literal;)+) => {
        $($(#[$mark])*
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (engine, image, version) = IMAGES[$at];
            contract(engine, image, version).await;
        })+

        #[test]
        fn every_image_has_its_contract() {
            let tested = [$($at),+];
            assert!((0..IMAGES.len()).all(|n| tested.contains(&n)));
        }
    };
}

contracts! {
    postgres_17_keeps_the_contract 0;
    postgres_15_keeps_the_contract 1;
    mariadb_11_8_keeps_the_contract 2;
    #[ignore = "long: runs unless QUICK=1"]
    mariadb_10_11_keeps_the_contract 3;
    mongodb_6_0_keeps_the_contract 4;
    neo4j_5_26_keeps_the_contract 5;
}
