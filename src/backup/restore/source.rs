//! Finds a backup: in its own target, or in another one that has a copy.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::admin_db::backups;
use crate::admin_db::backups::{Backup, replicas};
use crate::app::App;
use crate::backup::dump::context::store;
use crate::backup::pipeline::verified::ChunkSums;
use crate::domain::object_keys;
use crate::domain::stream_error::{DAMAGED, StreamError, StreamFault};
use crate::encryption::Identities;
use crate::engine::partial::Selection;
use crate::manifest::{FILE, LONGEST, Manifest};
use crate::objects::Store;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// A backup in a store, with its manifest as read there.
pub struct BackupSource<'a> {
    /// Its row.
    pub row: Backup,
    /// Its store.
    pub store: &'a Arc<Store>,
    /// Its key prefix.
    pub location: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest as stored.
    pub text: Bytes,
    /// Why a copy is used instead of the backup's own target, as a sentence; also set if a copy provides only one
    /// object.
    pub instead: OnceLock<String>,
    /// The other stores that have it, used if an object turns out to be damaged while it is read.
    pub others: Vec<&'a Arc<Store>>,
    /// The portal's keys for decryption.
    pub keys: Identities,
    /// Why a second attempt was needed to restore it, as a sentence.
    second: OnceLock<String>,
    /// What could not be restored, as sentences.
    left_out: Mutex<Vec<String>>,
    /// What was changed during the restore, as sentences.
    changed: Mutex<Vec<String>>,
    /// Checksums of the objects that were read before the restore, by file.
    verified: Mutex<HashMap<String, ChunkSums>>,
}

/// Reads from the backup's own store and, if that does not return an object, or returns it incomplete or damaged, from
/// each copy: what reads it removes what a previous attempt left.
pub struct StoreAttempts<'s, 'a> {
    source: &'s BackupSource<'a>,
    /// Number of stores that failed.
    tried: usize,
    /// The first error that may pass.
    waits: Option<StepError>,
}

impl<'a> StoreAttempts<'_, 'a> {
    /// The store to read from now.
    pub fn store(&self) -> &'a Arc<Store> {
        let copy = self.tried.checked_sub(1).and_then(|n| self.source.others.get(n));
        copy.copied().unwrap_or(self.source.store)
    }

    /// Judges a reading from this store: the final result, or go on with the next store.
    pub fn judge<T>(&mut self, done: Result<T, StepError>) -> ControlFlow<Result<T, StepError>> {
        let why = match done {
            Err(why @ StepError::Store(_)) => why,
            done => return ControlFlow::Break(done),
        };
        let Some(next) = self.source.others.get(self.tried) else {
            // No store has it now, but one may have it later.
            return ControlFlow::Break(Err(self.waits.take().unwrap_or(why)));
        };
        self.source.takes(next, &why);
        self.tried += 1;
        if self.waits.is_none() && why.may_pass() {
            self.waits = Some(why);
        }
        ControlFlow::Continue(())
    }
}

impl<'a> BackupSource<'a> {
    /// Reads the manifest from the store and compares it with the checksum in mydb_admin. If the backup's own target
    /// does not return it, returns a different one, or lacks an object, a copy in another target is used.
    pub async fn read(app: &'a App, id: Uuid) -> Result<Self, StepError> {
        // Boxed, because this future is large and would take stack space from the callers.
        Box::pin(Self::anywhere(app, id)).await
    }

    async fn anywhere(app: &'a App, id: Uuid) -> Result<Self, StepError> {
        let row = row(app, id).await?;
        let mut db = app.db.acquire().await?;
        let copies = replicas::of(&mut db, &[id]).await?;
        drop(db);
        let stored = copies.iter().filter(|k| k.status == "stored").filter_map(|k| app.stores.get(&k.target));
        let stored: Vec<&Arc<Store>> = stored.collect();
        let own = Self::open(app, row.clone());
        if stored.is_empty() {
            return own.await;
        }
        let whole = async {
            let source = own.await?;
            present(&source).await.map(|()| source)
        };
        let why = match Box::pin(whole).await {
            Ok(source) => return Ok(Self { others: stored, ..source }),
            Err(why) => why,
        };
        for (i, copy) in stored.iter().enumerate() {
            if let Ok(source) = Self::at(copy, row.clone(), Identities::of(&app.config.backups)).await
                && present(&source).await.is_ok()
            {
                source.takes(copy, &why);
                let others = stored.iter().skip(i + 1).copied().collect();
                return Ok(Self { others, ..source });
            }
        }
        Err(why)
    }

    /// The same for a row that has been read, from the backup's own target only.
    pub async fn open(app: &'a App, row: Backup) -> Result<Self, StepError> {
        let store = store(app, &row)?;
        Self::at(store, row, Identities::of(&app.config.backups)).await
    }

    /// The same by its id, with the manifest as stored there.
    pub async fn first(app: &'a App, id: Uuid) -> Result<Self, StepError> {
        Self::open(app, row(app, id).await?).await
    }

    /// The same in a given store.
    pub async fn at(store: &'a Arc<Store>, row: Backup, keys: Identities) -> Result<Self, StepError> {
        let location = row.location.clone().filter(|_| row.removed_at.is_none());
        let location = location.ok_or_else(|| StepError::Fail("This backup is no longer in its target.".to_owned()))?;
        let key = object_keys::file(&location, FILE);
        let text = store.read(&key, LONGEST).await?;
        // Checked before anything in it is used.
        if let Some(why) = altered(&text, row.sha256.as_deref()) {
            return Err(StreamError::damaged(format!("{} {why} {DAMAGED}", store.url(&key))).into());
        }
        let manifest = Manifest::read(&text, row.id).map_err(StepError::Fail)?;
        if manifest.container.id != row.container_id {
            return Err(StepError::Fail(format!(
                "The object there is a backup of another database, {}.",
                manifest.container.name
            )));
        }
        Ok(Self {
            row,
            store,
            location,
            manifest,
            text: text.into(),
            instead: OnceLock::new(),
            others: Vec::new(),
            keys,
            second: OnceLock::new(),
            left_out: Mutex::default(),
            changed: Mutex::default(),
            verified: Mutex::default(),
        })
    }

    /// SHA-256 of the manifest as read, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }

    /// The stores to read an object from, one after the other.
    pub fn attempts(&self) -> StoreAttempts<'_, 'a> {
        StoreAttempts { source: self, tried: 0, waits: None }
    }

    /// Records the checksums of an object that was read to its end and matched the manifest.
    pub fn note_verified(&self, file: &str, sums: ChunkSums) {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), sums);
    }

    /// The checksums of an object, if it was read before.
    pub fn verified(&self, file: &str) -> Option<ChunkSums> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }

    /// Records that a copy is used because the backup's own target failed.
    pub fn takes(&self, copy: &Store, why: &StepError) {
        // The first reason recorded is the cause.
        let _ = self.instead.set(format!("Using the copy in “{}”. {why}", copy.name()));
    }

    /// Records that a second attempt is made, and why.
    pub fn begin_again(&self, why: String) {
        let _ = self.second.set(why);
    }

    /// Why a second attempt was made, if any.
    pub fn second(&self) -> Option<&str> {
        self.second.get().map(String::as_str)
    }

    /// Records something that could not be restored.
    pub fn leave_out(&self, sentence: String) {
        add(&self.left_out, sentence);
    }

    /// What could not be restored.
    pub fn left_out(&self) -> Vec<String> {
        all(&self.left_out)
    }

    /// Records something that was changed during the restore.
    pub fn change(&self, sentence: String) {
        add(&self.changed, sentence);
    }

    /// Why the result may differ from the backup: the second attempt, and what could not be restored.
    pub fn notes(&self) -> Vec<String> {
        self.second.get().cloned().into_iter().chain(self.left_out()).collect()
    }

    /// The message of a step: what it did, then which copy was read, what could not be restored and what was changed.
    pub fn describe(&self, done: &str) -> String {
        let mut said = vec![done.trim_end_matches('.').to_owned()];
        said.extend(self.instead.get().cloned());
        said.extend(self.notes());
        said.extend(all(&self.changed));
        said.iter().map(|s| s.trim_end_matches('.')).collect::<Vec<_>>().join(". ")
    }

    /// The source reduced to the selected part.
    pub fn reduced(mut self, only: Option<&Selection>) -> Result<Self, StepError> {
        if let Some(only) = only {
            self.manifest = self.manifest.reduced(only).map_err(StepError::Fail)?;
        }
        Ok(self)
    }

    /// Key of one of its objects.
    pub fn key(&self, file: &str) -> String {
        object_keys::file(&self.location, file)
    }
}

fn add(list: &Mutex<Vec<String>>, sentence: String) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if !list.contains(&sentence) {
        list.push(sentence);
    }
}

fn all(list: &Mutex<Vec<String>>) -> Vec<String> {
    list.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The problem if a manifest does not match the checksum in mydb_admin.
pub(crate) fn altered(text: &[u8], known: Option<&[u8]>) -> Option<String> {
    let is = Sha256::digest(text);
    match known {
        Some(known) if known == is.as_slice() => None,
        Some(known) => Some(format!(
            "differs from what was stored: its SHA-256 is {}, and mydb_admin has {}.",
            hex::encode(is),
            hex::encode(known)
        )),
        None => Some("cannot be verified: mydb_admin has no checksum for it.".to_owned()),
    }
}

async fn row(app: &App, id: Uuid) -> Result<Backup, StepError> {
    let mut db = app.db.acquire().await?;
    let row = backups::by_id(&mut db, id).await?;
    row.ok_or_else(|| StepError::Fail("There is no such backup.".to_owned()))
}

/// Checks that all objects exist.
pub(crate) async fn present(source: &BackupSource<'_>) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let key = source.key(&object.file);
        if source.store.head(&key).await?.is_none() {
            let text =
                format!("{} is missing from the target. This backup cannot be restored.", source.store.url(&key));
            return Err(StreamError { fault: StreamFault::Missing, text }.into());
        }
    }
    Ok(())
}

/// Rejects a backup that this portal cannot decrypt.
///
/// # Errors
/// [`RequestError::NeedsKey`]
pub(crate) fn openable(app: &App, backup: &Backup) -> Result<(), RequestError> {
    if backup.opens(&Identities::of(&app.config.backups)) { Ok(()) } else { Err(RequestError::NeedsKey) }
}
