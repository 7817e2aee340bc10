//! Manifests that were changed in the bucket are rejected everywhere, and unsigned ones are reported.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::backups::{back_up, cli, object};
use crate::support::{Client, TestPortal};

/// A change to a manifest by somebody who can write into the bucket.
type Change = fn(serde_json::Value) -> serde_json::Value;

/// Changes that once let an empty or a different database be restored and reported as “proven”.
const CHANGES: [(&str, Change); 4] = [
    ("an object dropped", |mut m| {
        m["objects"].as_array_mut().expect("objects").retain(|o| o["file"] == "roles.json.zst");
        m["databases"] = serde_json::json!([]);
        m["counts"] = serde_json::json!([]);
        m
    }),
    ("counts emptied", |mut m| {
        m["counts"] = serde_json::json!([]);
        m["exact_counts"] = false.into();
        m
    }),
    ("one digit of a count", |mut m| {
        let count = m["counts"].as_array_mut().expect("counts").iter_mut().find(|c| c["kind"] == "table");
        count.expect("a table")["rows"] = 8.into();
        m
    }),
    ("another image", |mut m| {
        m["container"]["image"] = "docker.io/library/postgres:15".into();
        m
    }),
];

async fn fails(portal: &TestPortal, client: &Client, kind: &str, path: &str, fields: &[(&str, &str)]) {
    client.post(path, fields).await.expect(303);
    let (status, error) = portal.ended(kind).await;
    assert!(
        status == "failed" && error.contains("manifest.json differs from what was stored"),
        "{kind}: {status} {error}"
    );
    assert!(error.contains("This backup is damaged."), "{error}");
}

fn audit(portal: &TestPortal) -> String {
    cli(portal, &["backup", "audit"]).1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_manifest_is_rejected_everywhere() {
    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select i from generate_series(1, 7) i").await.expect("fills");
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let file = object(&portal, &id, "manifest.json");
    let good = std::fs::read(&file).expect("read");
    receipt_names(&file, &good);
    let level = format!("select level from backup_log where id = '{id}'");
    assert_eq!(portal.sql(&level), "5");
    let drill = format!("/containers/lab/backups/{id}/drill");
    let restore = format!("/containers/lab/backups/{id}/restore");
    for (n, (what, change)) in CHANGES.iter().enumerate() {
        let changed = change(serde_json::from_slice(&good).expect("JSON"));
        std::fs::write(&file, serde_json::to_vec_pretty(&changed).expect("JSON")).expect("changed");
        println!("{what}");
        fails(&portal, &ada, "drill", &drill, &[]).await;
        fails(&portal, &ada, "restore", &restore, &[("name", &format!("copy-{n}"))]).await;
        ada.get(&format!("/containers/lab/backups/{id}/download")).await.expect(409);
        let (code, said) = cli(&portal, &["backup", "download", &id, "-o", "-"]);
        assert!(code == 1 && said.contains("differs from what was stored"), "{said}");
        let said = audit(&portal);
        assert!(said.contains("manifest changed: The backup of lab from"), "{what}: {said}");
    }
    fails(&portal, &ada, "restore-in-place", &restore, &[("in_place", "true"), ("confirm", "lab")]).await;
    // Invalid JSON, and an empty file.
    for content in [&b"{"[..], b""] {
        std::fs::write(&file, content).expect("changed");
        fails(&portal, &ada, "drill", &drill, &[]).await;
    }
    let page = admin.get("/admin/backups").await.expect(200).text();
    assert!(page.contains("differs from what was stored"), "the last audit is shown: {page}");
    std::fs::write(&file, &good).expect("put back");
    ada.post(&drill, &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    signatures(&portal, &file);
}

/// The receipt next to a manifest holds the checksum of the manifest that the test restore read.
fn receipt_names(manifest: &std::path::Path, content: &[u8]) {
    let beside = std::fs::read_dir(manifest.parent().expect("a place")).expect("read").flatten();
    let receipt =
        beside.map(|e| e.path()).find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("drill-")));
    let receipt: serde_json::Value =
        serde_json::from_slice(&std::fs::read(receipt.expect("a receipt")).expect("read")).expect("JSON");
    assert_eq!(receipt["manifest_sha256"], hex::encode(Sha256::digest(content)));
}

/// The audit reports a missing or changed signature. Only an unchanged manifest can be signed again.
fn signatures(portal: &TestPortal, manifest: &std::path::Path) {
    let quiet = audit(portal);
    assert!(!quiet.contains("signature") && !quiet.contains("manifest changed"), "{quiet}");
    let file: PathBuf = manifest.with_file_name("manifest.sig");
    let good = std::fs::read(&file).expect("it is signed");
    std::fs::remove_file(&file).expect("removed");
    let said = audit(portal);
    assert!(said.contains("not signed: 1 backup has no signature") && said.contains("db4sci backup sign"), "{said}");
    let text = String::from_utf8(good.clone()).expect("text");
    let flipped = text.replacen("\"mac\":\"", "\"mac\":\"0", 1);
    for wrong in [flipped.as_str(), "{}", "no JSON"] {
        std::fs::write(&file, wrong).expect("changed");
        let said = audit(portal);
        assert!(said.contains("manifest.sig does not match its manifest"), "{wrong}: {said}");
    }
    // A changed manifest is not signed.
    let content = std::fs::read(manifest).expect("read");
    std::fs::write(manifest, String::from_utf8_lossy(&content).replace("\"lab\"", "\"lap\"")).expect("changed");
    let (code, said) = cli(portal, &["backup", "sign"]);
    assert!(code == 1 && said.contains("0 signed in local") && said.contains("differs from what was stored"), "{said}");
    std::fs::write(manifest, content).expect("put back");
    let (code, said) = cli(portal, &["backup", "sign"]);
    assert!(code == 0 && said.contains("1 signed in local"), "{said}");
    assert_eq!(std::fs::read(&file).expect("it is signed"), good);
    assert_eq!(audit(portal), quiet);
}
