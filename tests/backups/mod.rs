//! Backups from the dump to the restore, with real servers and the embedded S3 store.

mod all_now;
pub mod disaster;
pub mod dump;
pub mod import;
pub mod restore;
pub mod stores;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::seeds::directories;
use crate::support::{Client, PATIENCE, TestPortal};

/// Presses "Back up now", waits until the backup has succeeded and returns its id.
pub async fn back_up(portal: &TestPortal, client: &Client, name: &str) -> String {
    let before = portal.newest("backup");
    client.post(&format!("/containers/{name}/backup"), &[]).await.expect(303);
    assert_ne!(portal.newest("backup"), before, "no backup was begun: another job may be in the way");
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "succeeded", "{error}");
    portal.sql("select id from backup_log where kind = 'backup' order by started_at desc limit 1")
}

/// The files of the embedded store that are objects or belong to open uploads.
pub fn objects(portal: &TestPortal) -> Vec<PathBuf> {
    objects_in(portal.config.targets[0].embedded.clone().expect("tests have an embedded store"))
}

/// The same for the store in this directory.
pub fn objects_in(dir: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = dir.clone();
    let mut todo = vec![dir];
    while let Some(dir) = todo.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            // The store may remove a directory meanwhile, but never its own.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && dir != root => continue,
            Err(e) => panic!("{}: {e}", dir.display()),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if path.is_dir() {
                todo.push(path);
            } else if !hidden || path.to_string_lossy().contains(".upload") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Once all jobs (such as the first test restore) have ended, no helper container and no directory of a copy is left.
pub fn nothing_left(portal: &TestPortal, databases: usize) {
    let open = || portal.sql("select count(*) from job where status in ('queued', 'running')");
    let begin = Instant::now();
    while open() != "0" {
        assert!(begin.elapsed() < PATIENCE, "the jobs did not end in time");
        std::thread::sleep(Duration::from_millis(100));
    }
    let left = portal.containers();
    assert!(!left.iter().any(|n| n.contains("helper")), "{left:?}");
    let directories: usize = portal
        .config
        .storage
        .iter()
        .map(|t| directories(&t.path.join(portal.instance.as_str())).iter().filter(|d| d.is_dir()).count())
        .sum();
    assert_eq!(directories, databases, "only the databases' own directories are left");
}

/// Runs the program as an administrator would on the portal's host and returns its exit code and complete output.
pub fn cli(portal: &TestPortal, args: &[&str]) -> (i32, String) {
    cli_on(portal, &portal.tables_url(), args)
}

/// The same with another mydb_admin. If the URL is empty, the program uses the portal's own container.
pub fn cli_on(portal: &TestPortal, admin_db: &str, args: &[&str]) -> (i32, String) {
    let home = portal.dir.join("home");
    std::fs::create_dir_all(home.join("dev")).expect("a home");
    let target = |t: &mydb::config::Target| {
        let dir = t.embedded.as_ref()?.display();
        Some(format!("[[target]]\nname = \"{}\"\nbucket = \"{}\"\nembedded = \"{dir}\"\n", t.name, t.bucket))
    };
    let targets: String = portal.config.targets.iter().filter_map(target).collect();
    let keep = &portal.config.backups.keep;
    let replaced = portal.config.images.replace.iter().map(|(k, v)| format!("\"{k}\" = \"{v}\"\n"));
    let replace = replaced.collect::<Vec<_>>().concat();
    let settings = format!(
        "[[storage]]\nname = \"standard\"\npath = \"{}\"\n{targets}\
         [images.replace]\n{replace}[backups.keep]\nlast = {}\ndaily = {}\nweekly = {}\nmonthly = {}\nyearly = {}\nmin_age_days = {}\n",
        portal.config.storage[0].path.display(),
        keep.last,
        keep.daily,
        keep.weekly,
        keep.monthly,
        keep.yearly,
        keep.min_age_days
    );
    std::fs::write(home.join("dev/config.toml"), settings).expect("settings");
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_db4sci"))
        .args(args)
        .env_clear()
        .env("DB4SCI_MODE", "dev")
        .env("DB4SCI_HOME", &home)
        .env("DB4SCI__CATALOG", &portal.config.catalog)
        .env("DB4SCI__INSTANCE", &portal.instance)
        .env("DB4SCI__DATA_DIR", &portal.dir)
        .env("DB4SCI__ADMIN_DB__URL", admin_db)
        .env("DB4SCI__BACKUPS__ADMIN_DB_SECONDS", portal.config.backups.admin_every.as_secs().to_string())
        .env("DB4SCI__BACKUPS__COPIES", portal.config.backups.copies.join(","))
        .env("DB4SCI__SECRETS__KEY_FILE", portal.dir.join("seal.key"))
        .output()
        .expect("the program runs");
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    (said.status.code().unwrap_or(-1), text)
}

/// An object of a backup in the embedded store.
pub fn object(portal: &TestPortal, backup: &str, file: &str) -> PathBuf {
    let end = format!("{backup}/{file}");
    objects(portal).into_iter().find(|p| p.ends_with(&end)).unwrap_or_else(|| panic!("{end} is not in the store"))
}
