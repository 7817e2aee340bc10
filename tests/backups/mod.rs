//! Backups on real parts: real servers, the embedded S3 store, the whole way there and back.

mod cycle;
mod faults;
mod hand;
mod mariadb;

use std::path::PathBuf;

use crate::support::{Client, TestPortal};

/// Waits until no job of this kind is under way, and answers the last one's status and error.
pub async fn ended(portal: &TestPortal, kind: &str) -> (String, String) {
    for _ in 0..1200 {
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

/// Files of the embedded store that are objects.
pub fn objects(portal: &TestPortal) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![portal.config.targets[0].embedded.clone().expect("tests have an embedded store")];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if path.is_dir() {
                todo.push(path);
            } else if !hidden || path.to_string_lossy().contains(".upload_id") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
