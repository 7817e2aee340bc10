//! Tests every operation that backups need from a store.

use bytes::Bytes;

use super::{ObjectError, Store, UploadPace};

/// The result of one test.
#[derive(Debug)]
pub struct CheckStep {
    /// The operation tested.
    pub what: &'static str,
    /// The error, if the test failed.
    pub outcome: Result<(), String>,
}

/// Minimum size of a part other than the last in S3.
const PART: usize = 5 * 1024 * 1024;

/// Writes, reads, lists, uploads in parts, aborts an upload, lists uploads and deletes, under keys that start with
/// `beginning`. Everything written is deleted again.
pub async fn check(store: &Store, beginning: &str) -> Vec<CheckStep> {
    let key = format!("{beginning}/probe");
    let parts = format!("{beginning}/probe-parts");
    let content = Bytes::from_static(b"db4sci probe");
    let said = |r: Result<(), ObjectError>| r.map_err(|e| e.to_string());
    let mut tried = Vec::new();
    tried.push(CheckStep {
        what: "write an object",
        outcome: said(store.put(&key, content.clone(), "text/plain").await),
    });
    let read = match store.read(&key, 1024).await {
        Ok(read) if read == content => Ok(()),
        Ok(read) => Err(format!("{} different bytes were returned", read.len())),
        Err(e) => Err(e.to_string()),
    };
    tried.push(CheckStep { what: "read the object", outcome: read });
    let listed = match store.list(beginning).await {
        Ok(found) if found.iter().any(|o| o.key == key && o.bytes == content.len() as u64) => Ok(()),
        Ok(found) => Err(format!("it is not among the {} listed", found.len())),
        Err(e) => Err(e.to_string()),
    };
    tried.push(CheckStep { what: "list the object", outcome: listed });
    tried.push(CheckStep { what: "upload in parts", outcome: said(upload(store, &parts).await) });
    tried.push(CheckStep { what: "abort an upload", outcome: said(give_up(store, &parts, &content).await) });
    let open = match store.uploads(beginning).await {
        Ok(open) if open.is_empty() => Ok(()),
        Ok(open) => {
            // Whatever the results were, leave no upload open.
            for (key, upload) in &open {
                let _ = store.abort(key, upload).await;
            }
            Err(format!("{} completed or aborted uploads still exist", open.len()))
        }
        Err(e) => Err(e.to_string()),
    };
    tried.push(CheckStep { what: "list open uploads", outcome: open });
    // Try to delete both: if one cannot be deleted, the other one still is.
    let (first, second) = (store.delete(&key).await, store.delete(&parts).await);
    let mut outcome = said(first.and(second));
    if outcome.is_ok() && matches!(store.head(&key).await, Ok(Some(_))) {
        outcome = Err("it still exists".to_owned());
    }
    tried.push(CheckStep { what: "delete the objects", outcome });
    tried
}

async fn give_up(store: &Store, key: &str, content: &Bytes) -> Result<(), ObjectError> {
    let upload = store.begin(key).await?;
    let sent = store.part(key, &upload, 1, content.clone(), &UploadPace::default()).await;
    let given_up = store.abort(key, &upload).await;
    sent.map(|_| ()).and(given_up)
}

async fn upload(store: &Store, key: &str) -> Result<(), ObjectError> {
    let (upload, line) = (store.begin(key).await?, UploadPace::default());
    let end = Bytes::from_static(b"end");
    let bytes = (PART + end.len()) as u64;
    let sent = async {
        let first = store.part(key, &upload, 1, Bytes::from(vec![b'x'; PART]), &line).await?;
        let second = store.part(key, &upload, 2, end, &line).await?;
        store.complete(key, &upload, (&[first, second], bytes)).await
    };
    let outcome = sent.await;
    if outcome.is_err() {
        // Report the first error.
        let _ = store.abort(key, &upload).await;
    }
    outcome
}
