//! Backups with real components: real servers, the embedded S3 store, from the dump to the restore.

mod admin_db;
mod alone;
mod alone_again;
mod altered;
mod audit;
pub mod brought;
mod brought_mysql8;
mod brought_others;
mod brought_sql;
mod copies;
mod cycle;
mod definitions;
mod definitions_others;
mod faults;
mod found;
mod hand;
mod keep;
mod last;
pub mod mariadb;
mod mariadb_apart;
mod policy;
mod postgres_cases;
pub mod rebuild;
mod replace;
mod runbook;
mod sealed;
mod second;
mod store_faults;
mod store_returns;
mod strange;

use std::path::PathBuf;

use crate::support::seeds::directories;
use crate::support::{Client, TestPortal};

/// Waits until no job of this kind is under way, and answers the last one's status and error.
pub async fn ended(portal: &TestPortal, kind: &str) -> (String, String) {
    for _ in 0..3000 {
        let said = portal.sql(&format!(
            "select status || '|' || coalesce(error, '') from job where kind = '{kind}' order by created_at desc limit 1"
        ));
        if let Some((status, error)) = said.split_once('|')
            && !matches!(status, "queued" | "running")
        {
            return (status.to_owned(), error.to_owned());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the {kind} does not end");
}

/// Presses "Back up now" and waits for its end; answers the backup's id.
pub async fn back_up(portal: &TestPortal, client: &Client, name: &str) -> String {
    client.post(&format!("/containers/{name}/backup"), &[]).await.expect(303);
    let (status, error) = ended(portal, "backup").await;
    assert_eq!(status, "succeeded", "{error}");
    portal.sql("select id from backup_log where kind = 'backup' order by started_at desc limit 1")
}

/// Files of the embedded store that are objects, or of uploads that are open.
pub fn objects(portal: &TestPortal) -> Vec<PathBuf> {
    objects_in(portal.config.targets[0].embedded.clone().expect("tests have an embedded store"))
}

/// The same of a store in this directory.
pub fn objects_in(dir: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
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

/// Nothing of a copy is left once all jobs have ended, such as the first proof: no container, no directory.
pub fn nothing_left(portal: &TestPortal, databases: usize) {
    let open = || portal.sql("select count(*) from job where status in ('queued', 'running')");
    for tries in 0.. {
        if open() == "0" {
            break;
        }
        assert!(tries < 1200, "the jobs don't end");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let left = portal.containers();
    assert!(!left.iter().any(|n| n.contains("helper")), "{left:?}");
    let directories: usize = portal
        .config
        .storage
        .iter()
        .map(|t| directories(&t.path.join(portal.instance.as_str())).iter().filter(|d| d.is_dir()).count())
        .sum();
    assert_eq!(directories, databases, "only the databases' own directories are there");
}

/// Runs the program as an administrator would on the portal's machine, and answers its exit code and all it said.
pub fn cli(portal: &TestPortal, args: &[&str]) -> (i32, String) {
    cli_on(portal, &portal.tables_url(), args)
}

/// The same with another mydb_admin; empty: the portal's own container.
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
    objects(portal).into_iter().find(|p| p.ends_with(&end)).unwrap_or_else(|| panic!("{end} is there"))
}
