//! Runs the commands of the runbook in docs/OPERATIONS.md literally, on a host that has lost everything, in both modes.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::ExposeSecret;

use crate::backups::back_up;
use crate::backups::disaster::rebuild::{back_admin_db_up, lose};
use crate::support::store_proxy::StoreProxy;
use crate::support::{Options, Tables, TestPortal, store};

/// The blocks of commands in the document between these two texts.
fn commands(section: &str, until: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md")).expect("read");
    let (_, text) = text.split_once(section).unwrap_or_else(|| panic!("the document lacks “{section}”"));
    let (text, _) = text.split_once(until).unwrap_or_else(|| panic!("the document lacks “{until}”"));
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    blocks.map(|block| block.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()).collect()
}

/// Writes the settings and the key that an administrator kept into a directory, as on a new host.
fn settle(portal: &TestPortal, mode: &str, key: &str) -> std::path::PathBuf {
    let home = portal.dir.join(format!("home-{mode}"));
    std::fs::create_dir_all(home.join(mode)).expect("a home");
    std::fs::write(home.join("recovery.key"), format!("# kept elsewhere\n{key}\n")).expect("a key");
    let target = &portal.config.targets[0];
    let secret = |s: &Option<secrecy::SecretString>| s.as_ref().expect("a secret").expose_secret().to_owned();
    let replaced = portal.config.images.replace.iter().map(|(k, v)| format!("\"{k}\" = \"{v}\"\n"));
    let replaced = replaced.collect::<Vec<_>>().concat();
    let (tier, cert) = (portal.config.storage[0].path.display(), portal.dir.join("ssl"));
    let settings = format!(
        "instance = \"{}\"\ndata_dir = \"{}\"\ncatalog = \"{}\"\n[server]\nlisten = \"127.0.0.1:0\"\nredirect_listen = \"\"\n\
         cert = \"{cert}/fullchain.pem\"\nkey = \"{cert}/privkey.pem\"\n\
         [secrets]\nkey_file = \"{}\"\n[databases]\nhost = \"localhost\"\nbind = \"127.0.0.1\"\nport_min = {}\nport_max = {}\n\
         [limits]\nmemory_default = \"256m\"\n[backups]\nadmin_db_seconds = 3600\n\
         [[storage]]\nname = \"standard\"\npath = \"{tier}\"\n\
         [[target]]\nname = \"{}\"\nbucket = \"{}\"\nprefix = \"{}\"\nendpoint = \"{}\"\npath_style = true\n\
         access_key_id = \"{}\"\nsecret_access_key = \"{}\"\n[images.replace]\n{replaced}",
        portal.instance,
        portal.dir.display(),
        portal.config.catalog.display(),
        portal.dir.join("seal.key").display(),
        portal.config.databases.ports.start(),
        portal.config.databases.ports.end(),
        target.name,
        target.bucket,
        target.prefix,
        target.endpoint.as_deref().expect("an endpoint"),
        target.access_key_id.as_deref().expect("an id"),
        secret(&target.secret_access_key),
        cert = cert.display(),
    );
    std::fs::write(home.join(mode).join("config.toml"), settings).expect("settings");
    home
}

/// Runs commands in a shell, as an administrator would type them.
fn types(home: &Path, mode: &str, text: &str) -> (bool, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_db4sci"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.parent().expect("a directory").display());
    let said = Command::new("bash")
        .args(["-euo", "pipefail", "-c", text])
        .current_dir(home)
        .env_clear()
        .env("PATH", path)
        .env("DB4SCI_MODE", mode)
        .output()
        .expect("bash runs");
    let all = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    println!("$ {text}\n{all}");
    (said.status.success(), all)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn the_recovery_runbook_works_in_both_modes() {
    let steps = commands("## Recovery: when everything is gone", "**Only mydb_admin is gone**");
    assert!(steps.len() == 4 && steps[2].starts_with("db4sci rebuild"), "{steps:?}");
    let only_mydb_admin = commands("**Only mydb_admin is gone**", "**No backup of mydb_admin either**");
    let (proxy, key) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let (kept, made) = (proxy.clone(), key.clone());
    let configure = move |config: &mut mydb::config::Config| {
        store(config);
        config.backups.admin_every = Duration::from_secs(3600);
        config.storage.retain(|t| t.name == "standard");
        let target = config.targets.first_mut().expect("a store");
        "kept-".clone_into(&mut target.prefix);
        let dir = target.embedded.clone().expect("its directory");
        *kept.lock().expect("no panic") = Some(StoreProxy::start(&dir, target));
        *made.lock().expect("no panic") = Some(mydb::recovery_key::create(config).expect("a recovery key"));
    };
    let mut portal =
        TestPortal::with(Options { tables: Tables::Own, configure: Box::new(configure), ..Options::default() }).await;
    let key = key.lock().expect("no panic").take().expect("the key was created").expose_secret().to_owned();
    let ada = portal.user("ada").await;
    ada.create("post", &[]).await;
    let db = portal.connect("post", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    drop(db);
    for mode in ["prod", "dev"] {
        let ada = portal.nobody();
        ada.sign_in("ada", "researcher-1").await;
        back_up(&portal, &ada, "post").await;
        assert_eq!(portal.ended("drill").await.0, "succeeded");
        back_admin_db_up(&portal).await;
        let home = settle(&portal, mode, &key);
        let (ok, said) = types(&home, mode, &steps[2]);
        assert!(!ok && said.contains("Stop it first"), "a rebuild is refused while the portal is running: {said}");
        portal.stop().await;
        lose(&portal);
        let home = settle(&portal, mode, &key);
        for step in &steps[..3] {
            let (ok, said) = types(&home, mode, step);
            assert!(ok, "{mode}: {step}: {said}");
        }
        portal.run().await;
        let db = portal.connect("post", "correct-horse").await.expect("the old password opens it");
        assert_eq!(db.query_one("select x from t", &[]).await.expect("it is there").get::<_, i32>(0), 7);
        drop(db);
        let (ok, said) = types(&home, mode, &steps[3]);
        assert!(ok, "{mode}: {}: {said}", steps[3]);
        assert!(!home.join(mode).join("secrets/recovery.key").exists() && !portal.dir.join("recovery.key").exists());
    }
    // Only mydb_admin and the sealing key are lost.
    back_admin_db_up(&portal).await;
    portal.stop().await;
    crate::support::docker::docker(&["rm", "-fv", &format!("{}-mydb_admin", portal.instance)]);
    std::fs::remove_dir_all(portal.dir.join("mydb_admin")).expect("lost");
    std::fs::remove_file(portal.dir.join("seal.key")).expect("lost");
    let home = settle(&portal, "prod", &key);
    let (ok, said) = types(&home, "prod", &only_mydb_admin.join("\n"));
    assert!(ok && said.contains("Restored mydb_admin as of"), "{said}");
    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada.wait_for("post", "running").await;
}
