//! Backups encrypted for a recipient whose secret key the portal first lacks and later has; and their download.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::encryption;

use crate::backups::restore::restore_script;
use crate::backups::{back_up, cli, object, objects};
use crate::support::{Client, Options, TestPortal, docker, store};

/// Creates a key with the age program and returns its recipient.
fn key(file: &Path) -> String {
    let made = Command::new("age-keygen").arg("-o").arg(file).output().expect("age is installed");
    assert!(made.status.success());
    let text = std::fs::read_to_string(file).expect("the key");
    text.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("its recipient").to_owned()
}

/// Downloads into a file with curl, as a user would, and returns curl's exit code.
fn curl(portal: &TestPortal, token: &str, path: &str, file: &Path) -> i32 {
    let done = Command::new("curl")
        .args(["-sS", "-k", "--fail", "-H", &format!("Authorization: Bearer {token}"), "-o"])
        .arg(file)
        .arg(format!("{}{path}", portal.base))
        .output()
        .expect("curl is installed");
    done.status.code().unwrap_or(-1)
}

/// Unpacks an archive and returns the directory in it.
fn untar(file: &Path) -> PathBuf {
    let to = file.with_extension("d");
    std::fs::create_dir_all(&to).expect("made");
    let done = Command::new("tar").arg("-xf").arg(file).arg("-C").arg(&to).output().expect("tar");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read_dir(&to).expect("read").flatten().next().expect("one directory").path()
}

async fn token(client: &Client) -> String {
    let reply = client.post("/account/tokens", &[("name", "curl"), ("days", "1")]).await.expect(200);
    reply.all("code, pre").iter().map(|t| t.trim().to_owned()).find(|t| t.len() == 64).expect("the token is shown")
}

fn unpack(dir: &Path, key: &Path) -> bool {
    let done = Command::new("bash").args(["RESTORE.txt", "unpack"]).current_dir(dir).env("KEY", key).output();
    done.expect("bash").status.success()
}

/// Without the key, the portal refuses only what needs it, and says so.
async fn without_the_key(portal: &TestPortal, ada: &Client, id: &str) {
    assert_eq!(portal.sql(&format!("select level || ' ' || status from backup_log where id = '{id}'")), "2 succeeded");
    assert_eq!(portal.sql("select count(*) from job where kind = 'drill'"), "0");
    let names: Vec<_> =
        objects(portal).iter().map(|p| p.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert!(names.contains(&"database-1.pgdump.zst.age".to_owned()), "{names:?}");
    let stored = std::fs::read(object(portal, id, "database-1.pgdump.zst.age")).expect("read");
    assert!(stored.starts_with(b"age-encryption.org/v1\n"));
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("encrypted") && page.contains("does not have the key"), "{page}");
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("backups.identity_file"), "{page}");
    let refused = ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(422);
    assert!(refused.text().contains("does not have the key"), "{}", refused.text());
    ada.get(&format!("/containers/lab/backups/{id}/download?as=plain")).await.expect(409);
    assert_eq!(portal.sql("select count(*) from job where kind in ('drill', 'restore')"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_backup_is_read_back_downloaded_and_restored_with_the_key() {
    let file = std::env::temp_dir().join(format!("sealed-{}.key", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let recipient = key(&file);
    let configure = {
        let recipient = recipient.clone();
        Box::new(move |config: &mut mydb::config::Config| {
            store(config);
            config.backups.recipients = vec![recipient];
        })
    };
    let mut portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ours = portal.dir.join("backup.key");
    std::fs::copy(&file, &ours).expect("copied");
    std::fs::remove_file(&file).expect("moved");
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select i, md5(i::text) as h from generate_series(1, 3000) i")
        .await
        .expect("filled");
    let id = back_up(&portal, &ada, "lab").await;
    without_the_key(&portal, &ada, &id).await;

    // RESTORE.txt, fetched from the store and run unchanged, restores the backup.
    let image = docker::docker(&["inspect", "-f", "{{.Image}}", &portal.container("lab")]);
    let made = ["POSTGRES_PASSWORD=by-hand"];
    let plain = restore_script::restored(&portal, &id, &image, &made, "postgres", "PGPASSWORD=by-hand", "5432");
    let client = [
        "exec",
        &plain.name,
        "psql",
        "-X",
        "-At",
        "-U",
        "postgres",
        "-d",
        "trial",
        "-c",
        "select count(*), sum(i) from t",
    ];
    assert_eq!(docker::docker(&client), "3000|4501500");

    // A download in the stored form is unpacked by hand; with another key that fails.
    let token = token(&ada).await;
    let (tar, path) = (portal.dir.join("stored.tar"), format!("/api/v1/backups/{id}/download"));
    assert_eq!(curl(&portal, &token, &path, &tar), 0);
    let stored = untar(&tar);
    let other = portal.dir.join("other.key");
    key(&other);
    assert!(!unpack(&stored, &other) && unpack(&stored, &ours), "only the right key opens it");

    // The portal gets the key.
    portal.stop().await;
    let text = std::fs::read_to_string(&ours).expect("the key");
    portal.config.backups.identities = encryption::identities(&text).expect("a key");
    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    downloads(&portal, &id, &token, &plain).await;
}

/// Downloads over the API and the command line: plain and as stored, complete and by object, intact and damaged.
async fn downloads(portal: &TestPortal, id: &str, token: &str, plain: &restore_script::Plain) {
    let eve = portal.user("eve").await;
    for path in [format!("/containers/lab/backups/{id}/download"), format!("/backups/{id}/download")] {
        eve.get(&path).await.expect(404);
    }
    let (tar, path) = (portal.dir.join("plain.tar"), format!("/api/v1/backups/{id}/download"));
    assert_eq!(curl(portal, token, &format!("{path}?as=plain"), &tar), 0);
    let dir = untar(&tar);
    let dump = dir.join("database-1.pgdump");
    docker::docker(&["cp", &dump.display().to_string(), &format!("{}:/tmp/d", plain.name)]);
    let restore = "createdb -U postgres again && pg_restore -U postgres --no-owner --no-privileges -d again /tmp/d && \
                   psql -X -At -U postgres -d again -c 'select count(*) from t'";
    assert_eq!(docker::docker(&["exec", &plain.name, "sh", "-c", restore]), "3000");
    assert!(dir.join("RESTORE.txt").exists() && dir.join("roles.json").exists() && dir.join("manifest.json").exists());
    let one = portal.dir.join("one");
    assert_eq!(curl(portal, token, &format!("{path}?as=plain&file=database-1.pgdump"), &one), 0);
    assert_eq!(std::fs::read(&one).expect("read"), std::fs::read(&dump).expect("read"));
    assert_eq!(curl(portal, token, &format!("{path}?file=nothing"), &one), 22);
    assert_eq!(curl(portal, token, &format!("{path}?as=gold"), &one), 22);
    assert_eq!(portal.sql("select count(*) from log where action = 'container.download' and outcome = 'ok'"), "3");

    let out = portal.dir.join("cli.tar");
    let (code, said) = cli(portal, &["backup", "download", id, "--as", "stored", "-o", &out.display().to_string()]);
    assert_eq!(code, 0, "{said}");
    assert!(untar(&out).join("database-1.pgdump.zst.age").exists(), "{said}");
    let (code, said) = cli(portal, &["backup", "download", id, "--as", "plain", "-o", "nowhere.tar"]);
    assert!(code != 0 && said.contains("--as stored"), "without the key: {said}");

    // A flipped bit at the end of the object: the transfer fails in every form, and the log says why.
    let stored = object(portal, id, "database-1.pgdump.zst.age");
    let mut content = std::fs::read(&stored).expect("read");
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(&stored, content).expect("written");
    for more in ["?as=stored", "?as=plain", "?as=stored&file=database-1.pgdump.zst.age"] {
        assert_ne!(curl(portal, token, &format!("{path}{more}"), &one), 0, "{more}");
    }
    let said = portal.sql("select count(*) from log where action = 'container.download' and outcome = 'failed' and detail like '%damaged%'");
    assert_eq!(said, "3");
    let (code, said) = cli(
        portal,
        &["backup", "download", id, "--as", "stored", "-o", &portal.dir.join("bad.tar").display().to_string()],
    );
    assert!(code != 0 && said.contains("damaged"), "{said}");
    assert!(!portal.dir.join("bad.tar").exists() && !portal.dir.join("bad.tar.part").exists());
}
