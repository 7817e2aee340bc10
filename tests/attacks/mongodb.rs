//! A MongoDB database whose owner has set every trap it allows: names with a different meaning in a shell, in
//! JavaScript or in a line-based parser; views that fail when they are read; validation rules that would reject
//! existing data; functions.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::json;

use super::{password, well};
use crate::backups::disaster::rebuild::{lost_and_rebuilt, with_recovery_key};
use crate::backups::import::load;
use crate::backups::{back_up, nothing_left};
use crate::engines::{fields, place};
use crate::support::{Client, TestPortal, docker};

/// Names of collections as JavaScript source.
const NAMES: &str = r#"["__proto__", "constructor", "toString", "hasOwnProperty", "getName", "-c", "--eval", "--help",
  "a.b c", "quote\"'`", "line\nbreak", "line\r\ndb4sci: {\"count\":{\"database\":\"trial\",\"kind\":\"collection\",\"name\":\"forged\",\"rows\":9}}",
  "{process.env.HOME}", "`touch /tmp/climbed`", "; touch /tmp/climbed", "💧".repeat(15), "tab\there", "back\\slash", "a\u2028b",
  "x\u202ey", "name with *", "percent%20"]"#;

const SET: &str = r#"
const t = db.getSiblingDB("trial");
t.auth("ada", PASSWORD);
for (const name of NAMES) t.getCollection(name).insertOne({ _id: 1, "$set": { "${process.env.HOME}": 1 }, "dotted.name": 2 });
for (const name of NAMES.slice(0, 5)) t.getCollection(name).createIndex({ a: 1 }, { name: `i ${name}` });
// Whoever reads these divides by nothing, or fails.
t.createView("a trap", "constructor", [{ $project: { x: { $divide: [1, 0] } } }]);
t.createView("constructor.view", "__proto__", [{ $project: { x: { $toInt: "no number" } } }]);
t.createCollection("strict", { validator: { $jsonSchema: { required: ["name"] } } });
t.strict.insertOne({ name: "x" });
t.runCommand({ collMod: "strict", validator: { $expr: { $gt: [{ $divide: [1, 0] }, 1] } }, validationAction: "error" });
t.getCollection("system.js").insertOne({ _id: "climb", value: "function () { return 1; }" });
t.createCollection("capped", { capped: true, size: 4096, max: 3 });
for (let n = 0; n < 5; n++) t.capped.insertOne({ n });
t.createCollection("sorted", { collation: { locale: "de", strength: 1 } });
t.createCollection("clustered", { clusteredIndex: { key: { _id: 1 }, unique: true, name: "by key" } });
t.createCollection("times", { timeseries: { timeField: "t", metaField: "m" }, expireAfterSeconds: 1000000000 });
t.times.insertMany([1, 2, 3].map((n) => ({ t: new Date(), m: { "$x": n }, n })));
t.partial.createIndex({ a: 1 }, { unique: true, partialFilterExpression: { a: { $exists: true } }, hidden: true });
t.text.createIndex({ w: "text" }, { default_language: "german" });
// Every access to this database is recorded from now on.
t.setProfilingLevel(2);
print("set");
"#;

/// Operations in the database by users other than the owner and the portal's read-only user.
const WHO: &str = r#"
const t = db.getSiblingDB("trial");
t.auth("ada", PASSWORD);
const others = t.getCollection("system.profile").find({ user: { $nin: ["ada@trial", "db4sci_observer@admin", ""] } }).toArray();
print(JSON.stringify(others.map((o) => [o.user, o.op, o.ns])));
"#;

/// All accounts with their roles.
const ACCOUNTS: &str = r#"
const a = db.getSiblingDB("admin");
print(JSON.stringify(a.getCollection("system.users").find({}, { user: 1, db: 1, roles: 1 }).sort({ _id: 1 }).toArray()
  .map((u) => `${u.user}@${u.db} ${u.roles.map((r) => `${r.role}@${r.db}`).sort()}`)));
"#;

pub fn shell(portal: &TestPortal, name: &str, script: &str, password: &str) -> String {
    let port = place(portal, EngineKind::Mongodb, name).port();
    let address = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let script = script.replace("PASSWORD", &format!("{password:?}")).replace("NAMES", NAMES);
    let container = portal.container(name);
    docker::docker(&[
        "exec",
        "-e",
        "HOME=/tmp",
        &container,
        "mongosh",
        "--quiet",
        "--norc",
        &address,
        "--eval",
        &script,
    ])
}

/// Runs a script as the administrator.
pub fn as_admin(portal: &TestPortal, name: &str, script: &str) -> String {
    let secret = "require('fs').readFileSync('/etc/db4sci/admin_password', 'utf8').trim()";
    let sign_in = format!("db.getSiblingDB('admin').auth('db4sci_admin', {secret});");
    shell(portal, name, &format!("{sign_in}\n{script}"), "")
}

/// No account has gained privileges, and no command in a name has run.
fn nothing_climbed(portal: &TestPortal, name: &str, after: &str) {
    let container = portal.container(name);
    let accounts = as_admin(portal, name, ACCOUNTS);
    let wanted = json!([
        "db4sci_admin@admin root@admin",
        "db4sci_observer@admin db4sci_observer@admin",
        "ada@trial db4sci_time_series@admin,dbAdmin@trial,readWrite@trial"
    ]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&accounts).ok(), Some(wanted), "{after}: {accounts}");
    let list = "ls -A /tmp / && echo the data: && ls -A /data/db";
    let said = docker::docker_ok(&["exec", &container, "sh", "-c", list]);
    let (files, data) = said.split_once("the data:\n").expect("both lists");
    assert!(!files.contains("climbed"), "{after}: {files}");
    assert!(!data.lines().any(|l| l.starts_with('.')), "{after}: a shell left files in the data directory: {data}");
}

/// Creates `lab`, a MongoDB database.
pub async fn lab(portal: &TestPortal) -> Client {
    let ada = portal.user("ada").await;
    let more = fields(EngineKind::Mongodb, "docker.io/library/mongo:6.0");
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    ada
}

/// Prints `true 3 3` if a copy contains everything that was set.
const THERE: &str = r#"const t = db.getSiblingDB("trial"); t.auth("ada", PASSWORD);
  print(NAMES.every((n) => t.getCollection(n).findOne()["dotted.name"] === 2), t.times.countDocuments(), t.capped.countDocuments())"#;

/// Dumps `trial` of `lab` with the owner's own mongodump into a file of the container.
fn dump(portal: &TestPortal, file: &str) {
    let port = place(portal, EngineKind::Mongodb, "lab").port();
    let uri = format!("mongodb://ada:correct-horse@127.0.0.1:{port}/?authSource=trial&directConnection=true");
    let script = format!("mongodump --uri='{uri}' --db=trial --archive={file} 2>&1");
    let out = docker::docker(&["exec", &portal.container("lab"), "sh", "-c", &script]);
    assert!(out.contains("done dumping trial.system.buckets.times (3 documents)"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_owners_never_run_code_as_another_user() {
    let portal = TestPortal::with_store().await;
    let ada = lab(&portal).await;
    let token = portal.token(&ada).await;
    assert_eq!(shell(&portal, "lab", SET, "correct-horse").lines().last(), Some("set"));
    nothing_climbed(&portal, "lab", "create");

    // A scan shows the names unchanged.
    let report = portal.scan().await;
    assert_eq!(report["failed"], 0, "{}", portal.sql("select error from survey"));
    let page = ada.get("/containers/lab/metrics").await.expect(200).text();
    for wanted in ["__proto__", "constructor", "quote\"'`", "{process.env.HOME}", "💧"] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert_eq!(shell(&portal, "lab", WHO, "correct-horse"), "[]", "a scan");

    let id = back_up(&portal, &ada, "lab").await;
    well(&portal, "drill").await;
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let counted = portal.sql(&format!(
        "select count(*) filter (where c->>'name' = 'forged') || ' ' || count(*) filter (where c->>'name' like 'line%db4sci:%') || ' ' ||
                count(*) filter (where c->>'name' = '__proto__' and c ? 'fingerprint')
           from backup_log, jsonb_array_elements(manifest->'counts') c where id = '{id}'"
    ));
    assert_eq!(counted, "0 1 1", "names are data and forge no counts");
    let defined = portal.sql(&format!(
        "select count(*) filter (where d->>'kind' = 'index') > 20 and count(*) filter (where d->>'kind' = 'view') = 2
            and count(*) filter (where d->>'name' = 'ada@trial') = 1 and count(*) filter (where d->>'name' like 'db4sci%') = 0
           from backup_log, jsonb_array_elements(manifest->'definitions') d where id = '{id}'"
    ));
    assert_eq!(defined, "t", "the definitions are in the manifest");
    nothing_climbed(&portal, "lab", "backup and drill");

    let path = format!("/containers/lab/backups/{id}/restore");
    ada.post(&path, &[("name", "lab-2")]).await.expect(303);
    well(&portal, "restore-copy").await;
    nothing_climbed(&portal, "lab-2", "restore");
    let secret = password(&ada, "lab-2").await;
    assert_eq!(shell(&portal, "lab-2", THERE, &secret), "true 3 3");

    // One collection, with the most inconvenient name.
    let only = json!({ "database": "trial", "table": "__proto__" });
    let path = format!("/api/v1/backups/{id}/restore");
    token.json(Method::POST, &path, &json!({ "name": "lab-3", "only": only })).await.expect(202);
    well(&portal, "restore-copy").await;
    nothing_climbed(&portal, "lab-3", "restore of a collection");
    let all = r#"print(db.getSiblingDB("trial").getCollectionInfos().map((i) => i.name).filter((n) => !n.startsWith("system.")).join())"#;
    assert_eq!(as_admin(&portal, "lab-3", all), "__proto__");

    token.json(Method::POST, &path, &json!({ "in_place": true, "confirm": "lab" })).await.expect(202);
    well(&portal, "restore-in-place").await;
    ada.wait_for("lab", "running").await;
    nothing_climbed(&portal, "lab", "restore in place");
    assert_eq!(shell(&portal, "lab", THERE, "correct-horse"), "true 3 3");

    ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    well(&portal, "rotate-password").await;
    nothing_climbed(&portal, "lab", "new password");
    let secret = password(&ada, "lab").await;
    assert_eq!(shell(&portal, "lab", THERE, &secret), "true 3 3");

    // A final backup would be made like the one above.
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    // The database in the trash, two restored ones, and the previous data of the restore in place.
    nothing_left(&portal, 4);
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    nothing_climbed(&portal, "lab", "back from the trash");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn mongodb_owners_never_gain_privileges_in_a_load_or_rebuild() {
    let (mut portal, key) = with_recovery_key().await;
    let ada = lab(&portal).await;
    assert_eq!(shell(&portal, "lab", SET, "correct-horse").lines().last(), Some("set"));

    // The owner's own mongodump, including a time series, is loaded into a new database.
    dump(&portal, "/tmp/own.archive");
    let file = portal.dir.join("own.archive");
    let from = format!("{}:/tmp/own.archive", portal.container("lab"));
    docker::docker(&["cp", &from, &file.to_string_lossy()]);
    let fields = [("engine", "mongodb"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];
    let token = load::token(&ada).await;
    let (_, status, said) = load::send(&portal, &token, &load::named("loaded", &fields), &file, &[]);
    assert_eq!(status, "201", "{said}");
    nothing_climbed(&portal, "loaded", "a load of a dump");
    assert_eq!(shell(&portal, "loaded", THERE, "correct-horse"), "true 3 3");
    // The owner's validator rejects the document that violated it before; nothing else is lost.
    assert_eq!(load::report(&portal, "loaded", "'failed'"), "1", "{}", load::report(&portal, "loaded", "'failures'"));

    back_up(&portal, &ada, "lab").await;
    lost_and_rebuilt(&mut portal, &key, "lab").await;
    portal.admin().await.wait_for("lab", "running").await;
    nothing_climbed(&portal, "lab", "a rebuild from the bucket");
    assert_eq!(shell(&portal, "lab", THERE, "correct-horse"), "true 3 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_stored_elsewhere_are_rejected_from_backups_and_named() {
    let portal = TestPortal::with_store().await;
    let ada = lab(&portal).await;
    let script = r#"const t = db.getSiblingDB("trial"); t.auth("ada", PASSWORD);
      const at = (file) => ({ storageEngine: { wiredTiger: { configString: `source="file:../../tmp/${file}.wt"` } } });
      t.kept.createIndex({ a: 1 }, at("index"));
      t.createCollection("elsewhere", at("collection")); t.elsewhere.insertOne({ a: 1 }); print("set")"#;
    assert_eq!(shell(&portal, "lab", script, "correct-horse"), "set");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert!(status == "failed" && error.contains("lies in a file that its maker chose"), "{status}: {error}");
    assert!(error.contains("of trial") && error.contains("/tmp/"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_observer_gets_one() {
    let portal = TestPortal::with_store().await;
    lab(&portal).await;
    // A server from before this user existed, and servers whose user somebody gave more privileges.
    let before = r#"const a = db.getSiblingDB("admin");
      db.getSiblingDB("trial").runCommand({ updateUser: "ada", roles: [{ role: "readWrite", db: "trial" }, { role: "dbAdmin", db: "trial" }] });
      a.dropUser("db4sci_observer"); a.dropRole("db4sci_observer"); a.dropRole("db4sci_time_series"); print("as before")"#;
    let more = r#"const a = db.getSiblingDB("admin");
      a.runCommand({ updateUser: "db4sci_observer", pwd: "another", roles: ["root"] }); print("as before")"#;
    let granted = r#"const a = db.getSiblingDB("admin");
      a.runCommand({ grantRolesToUser: "db4sci_observer", roles: ["root"] }); print("as before")"#;
    for script in [before, more, granted] {
        assert!(as_admin(&portal, "lab", script).ends_with("as before"));
        let report = portal.scan().await;
        assert_eq!(report["failed"], 0, "{}", portal.sql("select error from survey"));
        nothing_climbed(&portal, "lab", "a scan");
    }
}
