//! Tries out all that backups need of a store.

use bytes::Bytes;

use super::{ObjectError, Store};

/// How one of the things that were tried went.
#[derive(Debug)]
pub struct Tried {
    /// What.
    pub what: &'static str,
    /// How.
    pub outcome: Result<(), String>,
}

/// Least length of a part that is not the last, in S3.
const PART: usize = 5 * 1024 * 1024;

/// Writes, reads, lists, uploads in parts, gives up an upload, lists uploads and deletes, under keys that begin with
/// `beginning`. What was written is deleted again.
pub async fn check(store: &Store, beginning: &str) -> Vec<Tried> {
    let key = format!("{beginning}/probe");
    let parts = format!("{beginning}/probe-parts");
    let content = Bytes::from_static(b"db4sci probe");
    let said = |r: Result<(), ObjectError>| r.map_err(|e| e.to_string());
    let mut tried = Vec::new();
    tried.push(Tried { what: "write an object", outcome: said(store.put(&key, content.clone(), "text/plain").await) });
    let read = match store.read(&key, 1024).await {
        Ok(read) if read == content => Ok(()),
        Ok(read) => Err(format!("{} other bytes came back", read.len())),
        Err(e) => Err(e.to_string()),
    };
    tried.push(Tried { what: "read it", outcome: read });
    let listed = match store.list(beginning).await {
        Ok(found) if found.iter().any(|o| o.key == key && o.bytes == content.len() as u64) => Ok(()),
        Ok(found) => Err(format!("it is not among the {} listed", found.len())),
        Err(e) => Err(e.to_string()),
    };
    tried.push(Tried { what: "list it", outcome: listed });
    tried.push(Tried { what: "upload in parts", outcome: said(upload(store, &parts).await) });
    let given_up = async {
        let upload = store.begin(&parts).await?;
        store.part(&parts, &upload, 1, content.clone()).await?;
        store.abort(&parts, &upload).await
    };
    tried.push(Tried { what: "give up an upload", outcome: said(given_up.await) });
    let open = match store.uploads(beginning).await {
        Ok(open) if open.is_empty() => Ok(()),
        Ok(open) => Err(format!("{} that were completed or given up are still there", open.len())),
        Err(e) => Err(e.to_string()),
    };
    tried.push(Tried { what: "list open uploads", outcome: open });
    let deleted = async {
        store.delete(&key).await?;
        store.delete(&parts).await
    };
    let mut outcome = said(deleted.await);
    if outcome.is_ok() && matches!(store.head(&key).await, Ok(Some(_))) {
        outcome = Err("it is still there".to_owned());
    }
    tried.push(Tried { what: "delete them", outcome });
    tried
}

async fn upload(store: &Store, key: &str) -> Result<(), ObjectError> {
    let upload = store.begin(key).await?;
    let sent = async {
        let first = store.part(key, &upload, 1, Bytes::from(vec![b'x'; PART])).await?;
        let second = store.part(key, &upload, 2, Bytes::from_static(b"end")).await?;
        store.complete(key, &upload, &[first, second]).await
    };
    let outcome = sent.await;
    if outcome.is_err() {
        // What went wrong first is what is told.
        let _ = store.abort(key, &upload).await;
    }
    outcome
}
