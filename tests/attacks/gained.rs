//! A MongoDB database in which an account has more privileges than an owner. Accounts are stored with the data, so a
//! restore would bring them back: it fails and names them.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::mongodb::{as_admin, lab};
use super::well;
use crate::backups::{back_up, object};
use crate::support::{Client, TestPortal};

/// Privileges that an attacker with write access to the server's files could gain, how to revoke them, and the error.
const GAINED: [(&str, &str, &str); 4] = [
    (
        "db.getSiblingDB('trial').grantRolesToUser('ada', [{ role: 'userAdminAnyDatabase', db: 'admin' }])",
        "db.getSiblingDB('trial').revokeRolesFromUser('ada', [{ role: 'userAdminAnyDatabase', db: 'admin' }])",
        "The user ada@trial may do more than the owner of a database: ",
    ),
    (
        "db.getSiblingDB('trial').createUser({ user: 'db4sci_root', pwd: 'x', roles: [{ role: 'root', db: 'admin' }] })",
        "db.getSiblingDB('trial').dropUser('db4sci_root')",
        "The user db4sci_root@trial may do more than the owner of a database: ",
    ),
    (
        "db.getSiblingDB('admin').createRole({ role: 'climbs', roles: [], privileges: [{ resource: { db: 'admin', collection: 'system.users' }, actions: ['update'] }] })",
        "db.getSiblingDB('admin').dropRole('climbs')",
        "The role climbs@admin may do more than the owner of a database: update in the database admin.",
    ),
    (
        "db.getSiblingDB('admin').createRole({ role: 'any', roles: [], privileges: [{ resource: { anyResource: true }, actions: ['anyAction'] }] })",
        "db.getSiblingDB('admin').dropRole('any')",
        "The role any@admin may do more than the owner of a database: anyAction in every database.",
    ),
];

async fn fails(portal: &TestPortal, kind: &str, words: &str) {
    let (status, error) = portal.ended(kind).await;
    assert!(status == "failed" && error.contains(words), "{kind}: {status}: {error}");
    assert!(error.contains("may come from a compromised server"), "{error}");
}

async fn restored(ada: &Client, id: &str, fields: &[(&str, &str)]) {
    ada.post(&format!("/containers/lab/backups/{id}/restore"), fields).await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn no_restore_returns_gained_privileges_in_mongodb() {
    let portal = TestPortal::with_store().await;
    let ada = lab(&portal).await;
    as_admin(&portal, "lab", "db.getSiblingDB('trial').kept.insertOne({ a: 1 })");
    for (gain, ..) in GAINED {
        as_admin(&portal, "lab", gain);
    }
    let id = back_up(&portal, &ada, "lab").await;
    for (.., words) in GAINED {
        fails(&portal, "drill", words).await;
    }
    restored(&ada, &id, &[("name", "lab-2")]).await;
    for (.., words) in GAINED {
        fails(&portal, "restore-copy", words).await;
    }
    restored(&ada, &id, &[("name", "lab-3"), ("only_database", "trial")]).await;
    fails(&portal, "restore-copy", GAINED[0].2).await;
    restored(&ada, &id, &[("in_place", "true"), ("confirm", "lab")]).await;
    for (.., words) in GAINED {
        fails(&portal, "restore-in-place", words).await;
    }
    ada.wait_for("lab", "running").await;
    for (_, lose, _) in GAINED {
        as_admin(&portal, "lab", lose);
    }

    // An account with the built-in role for backups reads everything and can become nothing else.
    as_admin(&portal, "lab", "db.getSiblingDB('admin').createUser({ user: 'keeper', pwd: 'x', roles: ['backup'] })");
    // A restore repairs the portal's own role, whatever was changed in it.
    let more = "db.getSiblingDB('admin').updateRole('db4sci_time_series', { roles: [{ role: 'root', db: 'admin' }] })";
    as_admin(&portal, "lab", more);
    let id = back_up(&portal, &ada, "lab").await;
    restored(&ada, &id, &[("name", "lab-4")]).await;
    well(&portal, "restore-copy").await;
    let roles = "print(db.getSiblingDB('admin').getRole('db4sci_time_series').roles.length)";
    assert_eq!(as_admin(&portal, "lab-4", roles), "0");
    as_manifest(&portal, &ada, &id).await;
}

/// Accounts that differ from the manifest are refused too, whatever their privileges.
async fn as_manifest(portal: &TestPortal, ada: &Client, id: &str) {
    let file = object(portal, id, "manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    let all = manifest["definitions"].as_array().expect("definitions");
    let ada_at = all.iter().position(|d| d["name"] == "ada@trial").expect("the user");
    for (change, words, only) in [
        ("sha256", "User ada@trial differs.", &[][..]),
        ("name", "User ada@trial exists but was not in the backup.", &[("only_database", "trial")]),
    ] {
        let mut changed = manifest.clone();
        changed["definitions"][ada_at][change] = "0".repeat(32).into();
        let text = serde_json::to_vec_pretty(&changed).expect("JSON");
        std::fs::write(&file, &text).expect("written");
        // The portal compares the manifest with the checksum of what it wrote.
        portal.sql(&format!(
            "update backup_log set sha256 = '\\x{}' where id = '{id}'",
            hex::encode(Sha256::digest(&text))
        ));
        let name = format!("by-{change}");
        restored(ada, id, &[&[("name", name.as_str())], only].concat()).await;
        fails(portal, "restore-copy", words).await;
    }
}
