//! Uploaded dumps that are not SQL: archives of `mongodump` and dumps of `neo4j-admin`.

use std::path::PathBuf;

use mydb::domain::engine::EngineKind;

use crate::backups::dump::frozen_copy::place;
use crate::backups::import::load::{named, report, send, shell, staged, token, written};
use crate::backups::{nothing_left, objects};
use crate::engines::sign_in;
use crate::support::{Client, TestPortal, docker};

/// Additions to the dumped database: types that JSON lacks, a view, and a validator that three of the documents
/// violate.
const MORE: &str = r#"
db.getSiblingDB("admin").auth("db4sci_admin", PASSWORD);
const lab = db.getSiblingDB("trial");
lab.kinds.insertOne({ _id: "k", long: Long("9007199254740993"), exact: Decimal128("0.1"), when: ISODate("2026-11-27"), "a$b": /x/i });
lab.kinds.createIndex({ long: -1 }, { unique: true, name: "by long" });
lab.createView("longs", "kinds", [{ $project: { long: 1 } }]);
for (let n = 0; n < 10; n++) lab.ruled.insertOne({ n });
lab.runCommand({ collMod: "ruled", validator: { n: { $lt: 7 } } });
db.getSiblingDB("second").c.insertOne({ only: "here" });
"#;

/// Prints what a copy of `trial` must contain.
const LOOK: &str = r#"
const kind = db.kinds.findOne();
print(kind.long.toString(), kind.exact.toString(), kind.when.toISOString().slice(0, 10), kind["a$b"].toString(), db.longs.countDocuments({}),
  db.kinds.getIndexes().some((i) => i.name === "by long" && i.unique), db.ruled.countDocuments({}), db.kept.countDocuments({}))
"#;

/// Archives in `tests/cases`: the file, its database, a query, the expected result, and what the load must report.
const CASES: [(&str, &str, &str, &str, &[&str]); 3] = [
    (
        "mongo-objects/timeseries.archive",
        "lab",
        "print(db.getCollectionInfos({ name: 'ts' })[0].type, db.ts.countDocuments(), db.plain.countDocuments(), db.v.countDocuments())",
        "timeseries 2 1 1",
        &[],
    ),
    (
        "mongo-legacy-index/legacy.archive",
        "coco",
        "print(db.users.countDocuments(), db.users.getIndexes().map((i) => `${i.name} ${i.unique}`).sort().join(), db.runs.getIndexes().length)",
        "3 _id_ undefined,name_1 true 2",
        &["name_1", "safe", "expireAfterSeconds"],
    ),
    // The index can sort by its first field: JavaScript would put another one first.
    (
        "mongo-index-order/ordered.archive",
        "years",
        "print(db.weights.find().sort({ name: 1 }).hint('by name').explain().queryPlanner.winningPlan.stage, db.weights.countDocuments())",
        "FETCH 3",
        &[],
    ),
];

const FIELDS: [(&str, &str); 3] = [("engine", "mongodb"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")];

/// Continues on a portal where `lab` is a MongoDB server with a database `trial`.
pub async fn mongodb(portal: &TestPortal, ada: &Client) {
    let lab = portal.container("lab");
    let port = place(portal, EngineKind::Mongodb, "lab").port();
    let secret = docker::docker(&["exec", &lab, "cat", "/etc/db4sci/admin_password"]);
    let more = MORE.replace("PASSWORD", &format!("{secret:?}"));
    let address = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    docker::docker(&["exec", &lab, "mongosh", "--quiet", &address, "--eval", &more]);
    let uri = format!("mongodb://db4sci_admin:{secret}@127.0.0.1:{port}/?directConnection=true");
    let dump = |more: &str, file: &str| -> PathBuf {
        shell(&format!("docker exec {lab} mongodump --uri='{uri}' --archive {more} > {file}"), &portal.dir);
        portal.dir.join(file)
    };
    let (one, all) = (dump("--db trial --gzip", "trial.archive.gz"), dump("", "all.archive"));
    let token = token(ada).await;
    let before = portal.containers().len();

    // Loaded into a database with another name.
    let fields = [&FIELDS[..], &[("dbname", "renamed")]].concat();
    let (_, status, said) = send(portal, &token, &named("brought", &fields), &one, &[]);
    assert_eq!(status, "201", "{said}");
    let failures = report(portal, "brought", "'failures'");
    assert!(failures.contains("failed validation") && report(portal, "brought", "'failed'") == "3", "{failures}");
    let at = place(portal, EngineKind::Mongodb, "brought").port();
    let uri = format!("mongodb://ada:correct-horse@127.0.0.1:{at}/renamed?authSource=renamed&directConnection=true");
    let brought = portal.container("brought");
    let looked = docker::docker(&["exec", &brought, "mongosh", "--quiet", &uri, "--eval", LOOK]);
    assert_eq!(
        looked, "9007199254740993 0.1 2026-11-27 /x/i 1 true 7 202",
        "unchanged, except for the documents that the validator rejects"
    );
    let job = portal.sql("select id from job where kind = 'load' order by created_at desc limit 1");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains("documents. 3 documents failed."), "{page}");
    let files = docker::docker_ok(&["exec", &brought, "ls", "/tmp"]);
    assert!(!files.contains("tmp."), "the file with the password is still there: {files}");

    // An archive with several databases, none of which has the requested name, is refused. The error does not list the
    // server's own databases.
    let other = [&FIELDS[..], &[("dbname", "third")]].concat();
    let (_, status, said) = send(portal, &token, &named("unclear", &other), &all, &[]);
    assert!(status == "422" && said.contains("contains the databases second, trial"), "{status} {said}");
    assert_eq!(staged(portal), 1, "the file is kept until its sender chooses a database");
    portal.sql("delete from dump_upload where container_id is null");

    // Archives that once failed: a time series, and indexes with options and keys of old servers.
    for (file, database, look, wanted, told) in CASES {
        let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(file);
        let fields = [&FIELDS[..], &[("dbname", database)]].concat();
        let name = format!("case-{database}");
        let (_, status, said) = send(portal, &token, &named(&name, &fields), &archive, &[]);
        assert_eq!(status, "201", "{file}: {said}");
        let at = place(portal, EngineKind::Mongodb, &name).port();
        let uri = format!(
            "mongodb://ada:correct-horse@127.0.0.1:{at}/{database}?authSource={database}&directConnection=true"
        );
        let container = portal.container(&name);
        let looked = docker::docker(&["exec", &container, "mongosh", "--quiet", &uri, "--eval", look]);
        assert_eq!(looked, wanted, "{file}");
        assert_eq!(report(portal, &name, "'failed'"), "0", "{file}");
        let all = report(portal, &name, "'told'");
        assert!(told.iter().all(|t| all.contains(t)), "{file}: {all}");
    }
    let before = before + CASES.len();

    // The load of a truncated archive fails and leaves nothing but the uploaded file.
    let bytes = std::fs::read(&all).expect("the dump");
    let end = written(portal, "end.archive", bytes.get(..bytes.len() - 20).expect("longer"));
    let second = [&FIELDS[..], &[("dbname", "trial")]].concat();
    let (_, status, said) = send(portal, &token, &named("cut", &second), &end, &[]);
    assert!(status == "500" && said.contains("could not be loaded completely"), "{status} {said}");
    assert_eq!((staged(portal), portal.containers().len()), (2, before + 1), "the file is kept for another attempt");
}

/// Continues on a portal where `lab` is a Neo4j server with a backup: one part of it is a dump of `neo4j-admin`.
pub async fn neo4j(portal: &TestPortal, ada: &Client, backup: &str) {
    let part = |p: &PathBuf| p.to_string_lossy().contains(backup) && p.to_string_lossy().contains("/neo4j.dump");
    let dump = objects(portal).into_iter().find(part).expect("the part with the graph");
    let token = token(ada).await;
    let before = portal.containers().len();
    let fields = [("engine", "neo4j"), ("dbuserpass", "correct-horse")];
    // As it is in the store, with a second layer of compression.
    let (_, status, said) = send(portal, &token, &named("brought", &fields), &dump, &[]);
    assert_eq!(status, "201", "{said}");
    let counted = portal.sql(&format!(
        "select sum((c->>'rows')::int) from backup_log, jsonb_array_elements(manifest->'counts') c
          where id = '{backup}' and c->>'kind' = 'content'"
    ));
    assert_eq!(report(portal, "brought", "'rows'"), counted);
    let mut session = sign_in(&place(portal, EngineKind::Neo4j, "brought"), "correct-horse").await.expect("opens");
    assert_eq!(session.get("kept").await, Ok(Some("value 🐘 'with' \"quotes\"".to_owned())));
    session.put("mine", "too").await.expect("the user owns the database");
    nothing_left(portal, before + 1);

    // Half of the dump: detected by decompression if it is compressed, otherwise by the tool.
    shell(&format!("zstd -q -d -o whole.dump '{}'", dump.display()), &portal.dir);
    for (file, wanted, words) in
        [(dump, "422", "cannot be decompressed"), (portal.dir.join("whole.dump"), "500", "completely")]
    {
        let bytes = std::fs::read(&file).expect("the dump");
        let cut = written(portal, "cut.dump", bytes.get(..bytes.len() / 2).expect("half of it"));
        let (_, status, said) = send(portal, &token, &named("cut", &fields), &cut, &[]);
        assert!(status == wanted && said.contains(words), "{status} {said}");
    }
    assert_eq!((staged(portal), portal.containers().len()), (1, before + 1), "the file is kept for another attempt");
    nothing_left(portal, before + 1);
}
