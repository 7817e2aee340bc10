//! The complete lifetime of one database per engine in a portal that does not run as root: backed up, tested, restored,
//! restored in place, upgraded, loaded from a dump, deleted, and rebuilt from the bucket.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::domain::engine::EngineKind;

use super::Journey;
use crate::backups::objects_in;
use crate::engines::{Place, sign_in};
use crate::storage::scratch::is_on_the_disk_of_the_data;
use crate::support::docker;

impl Journey {
    /// Writes a text under a key.
    async fn put(&self, place: &Place, password: &str, key: &str) {
        let mut session = sign_in(place, password).await.expect("its user signs in");
        if key == "kept" {
            session.prepare().await.expect("the objects are created");
        }
        session.put(key, "🐘").await.expect("writes");
    }

    async fn has(&self, place: &Place, password: &str, key: &str) -> bool {
        let mut session = sign_in(place, password).await.expect("its user signs in");
        session.get(key).await.expect("reads").is_some()
    }

    /// The password of a database, which the portal shows once.
    async fn password(&self, name: &str) -> String {
        let shown = self.admin.post(&format!("/containers/{name}/password"), &[]).await.expect(200);
        shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown")
    }

    /// Backs up a database, waits until the test restore has passed, and returns the backup's id.
    pub(super) async fn proven_backup(&self, name: &str) -> String {
        self.admin.post(&format!("/containers/{name}/backup"), &[]).await.expect(303);
        self.succeeded("backup").await;
        self.succeeded("drill").await;
        let newest = "from backup_log where kind = 'backup' order by started_at desc limit 1";
        assert_eq!(self.sql(&format!("select level {newest}")), "5");
        self.sql(&format!("select id {newest}"))
    }

    /// Backup, test restore, restore into a new database, restore in place, and undo.
    async fn there_and_back(&self, engine: EngineKind, image: &str) -> String {
        let lab = self.create("lab", engine, image).await;
        self.put(&lab, "correct-horse", "kept").await;
        let id = self.proven_backup("lab").await;
        self.put(&lab, "correct-horse", "later").await;

        let restore = format!("/containers/lab/backups/{id}/restore");
        self.admin.post(&restore, &[("name", "lab-2")]).await.expect(303);
        let kind = self.sql("select kind from job where kind like 'restore%' order by created_at desc limit 1");
        self.succeeded(&kind).await;
        let (copy, password) = (self.place(engine, "lab-2"), self.password("lab-2").await);
        assert!(self.has(&copy, &password, "kept").await && !self.has(&copy, &password, "later").await);

        self.admin.post(&restore, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
        self.succeeded("restore-in-place").await;
        self.admin.wait_for("lab", "running").await;
        assert!(self.has(&lab, "correct-horse", "kept").await && !self.has(&lab, "correct-horse", "later").await);
        let aside = self.sql("select id from snapshot where removed_at is null and made_at is not null");
        self.admin.post(&format!("/containers/lab/snapshots/{aside}/restore"), &[]).await.expect(303);
        self.succeeded("go-back").await;
        self.admin.wait_for("lab", "running").await;
        assert!(self.has(&lab, "correct-horse", "later").await);
        id
    }

    /// Deletes both databases with a final backup, one of them while stopped, and then permanently.
    async fn ends(&self) {
        self.admin.post("/containers/lab-2/stop", &[]).await.expect(303);
        self.admin.wait_for("lab-2", "stopped").await;
        for name in ["lab", "lab-2"] {
            self.admin.post(&format!("/containers/{name}/delete"), &[("confirm", name)]).await.expect(303);
            self.succeeded("delete").await;
            self.admin.wait_for(name, "in the trash").await;
            self.admin.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
            self.succeeded("purge").await;
        }
        // If a final backup is its database's first backup, a test restore of it starts by itself.
        self.until("select count(*) = 0 from job where status in ('queued', 'running')").await;
        let base = self.program.tier().join(&self.program.instance);
        let mut left: Vec<String> = std::fs::read_dir(base)
            .expect("the instance's directory")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        let living = "select id::text from container where purged_at is null union select id::text from seed";
        left.retain(|name| self.sql(&format!("select count(*) from ({living}) l where l.id = '{name}'")) == "0");
        assert_eq!((left, self.helpers()), (vec![], vec![]), "more than the seeds and existing databases is left");
        // The reconciler has reported no unknown objects.
        let told = "select coalesce(string_agg(detail, '; '), '') from log where action = 'finding.new' and detail like '%does not belong to%'";
        assert_eq!(self.sql(told), "");
    }

    /// Uploads a dump with curl, as a user would.
    async fn brings(&self, name: &str, engine: EngineKind, file: &Path) {
        let reply = self.admin.post("/account/tokens", &[("name", "curl"), ("days", "1")]).await.expect(200);
        let token =
            reply.all("code, pre").iter().map(|t| t.trim().to_owned()).find(|t| t.len() == 64).expect("a token");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-k", "-w", "\n%{http_code}", "-H", &format!("Authorization: Bearer {token}")]);
        let mut fields = vec![("name", name), ("engine", engine.as_str()), ("dbuserpass", "correct-horse")];
        if engine.engine().fixed_names().is_none() {
            fields.extend([("dbname", "trial"), ("dbuser", "ada")]);
        }
        for (field, value) in fields {
            curl.arg("-F").arg(format!("{field}={value}"));
        }
        curl.arg("-F").arg(format!("dump=@{}", file.display()));
        let said =
            curl.arg(format!("{}/api/v1/containers/from-dump?wait=300", self.program.base)).output().expect("curl");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.ends_with("\n201"), "{said}");
    }

    /// Upgrades `lab`, which keeps its data and user.
    async fn upgrade(&self, engine: EngineKind, image: &str) {
        self.admin.post("/containers/lab/upgrade", &[("image", image), ("confirm", "lab")]).await.expect(303);
        self.succeeded("upgrade").await;
        self.admin.wait_for("lab", "running").await;
        assert!(self.has(&self.place(engine, "lab"), "correct-horse", "later").await);
    }

    /// Loses everything except the bucket and the recovery key, and rebuilds it as the same user.
    async fn rebuilt(&mut self, engine: EngineKind) {
        for name in ["lab", "lab-2", "brought"] {
            self.admin.post(&format!("/containers/{name}/backup"), &[]).await.expect(303);
            self.succeeded("backup").await;
        }
        let run = |journey: &Self, arguments: &[&str]| {
            let done = journey.program.command(arguments).output().expect("the program runs");
            let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
            assert!(done.status.success(), "{arguments:?}: {said}");
        };
        run(self, &["admin-db", "backup"]);
        self.program.kill();
        docker::sweep(&self.program.instance);
        for lost in [self.program.dir.join("data"), self.program.tier()] {
            std::fs::remove_dir_all(lost).expect("lost");
        }
        // The host's copy of the recovery key is lost too; the remaining one was kept elsewhere.
        let (secrets, key) = (self.program.dir.join("home/dev/secrets"), self.program.dir.join("kept.key"));
        std::fs::remove_file(secrets.join("seal.key")).expect("lost");
        std::fs::copy(secrets.join("recovery.key"), &key).expect("kept");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("readable");
        std::fs::remove_file(secrets.join("recovery.key")).expect("lost");
        self.program.new_disk();
        let key = key.display().to_string();
        run(self, &["rebuild", "--recovery-key", &key]);
        self.program.spawn();
        self.program.ready().await;
        self.admin = self.program.admin().await;
        self.admin.wait_for("lab", "running").await;
        assert!(self.has(&self.place(engine, "lab"), "correct-horse", "later").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_the_whole_way() {
    let (engine, old) = (EngineKind::Postgres, crate::support::POSTGRES_15);
    let mut journey = Journey::begin(&[old]).await;
    journey.there_and_back(engine, old).await;
    // The version alone is enough, as in the form for a new database.
    journey.upgrade(engine, "17").await;
    let dump = journey.program.dir.join("brought.sql");
    std::fs::write(&dump, "create table t (x int);\ninsert into t values (1);\n").expect("a dump");
    journey.brings("brought", engine, &dump).await;
    let made = |what: &str| journey.sql(&format!("select {what} from container where name = 'brought'"));
    let root = journey.program.tier().join(&journey.program.instance).join(made("id"));
    is_on_the_disk_of_the_data(&made("docker_name"), &root);
    journey.rebuilt(engine).await;
    journey.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn mariadb_goes_the_whole_way() {
    let (engine, old) = (EngineKind::Mariadb, "docker.io/library/mariadb:10.11");
    let new = "docker.io/library/mariadb:11.8";
    let journey = Journey::begin(&[old, new]).await;
    journey.there_and_back(engine, old).await;
    journey.upgrade(engine, new).await;
    let dump = journey.program.dir.join("brought.sql");
    std::fs::write(&dump, "-- MariaDB dump 10.19\nCREATE TABLE `t` (`x` int);\nINSERT INTO `t` VALUES (1);\n")
        .expect("a dump");
    journey.brings("brought", engine, &dump).await;
    journey.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn mongodb_goes_the_whole_way() {
    let image = "docker.io/library/mongo:6.0";
    let journey = Journey::begin(&[image]).await;
    journey.there_and_back(EngineKind::Mongodb, image).await;
    journey.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn neo4j_goes_the_whole_way() {
    let (engine, image) = (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community");
    let journey = Journey::begin(&[image]).await;
    let id = journey.there_and_back(engine, image).await;
    let part = |p: &PathBuf| p.to_string_lossy().contains(&id) && p.to_string_lossy().contains("/neo4j.dump");
    let dump = objects_in(journey.program.dir.join("objects")).into_iter().find(part).expect("the graph");
    journey.brings("brought", engine, &dump).await;
    assert!(journey.has(&journey.place(engine, "brought"), "correct-horse", "kept").await);
    journey.ends().await;
}
