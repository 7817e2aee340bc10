//! Downloads the object in a backup target that a version is imported from.

use std::path::{Path, PathBuf};

use chrono::SubsecRound;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::admin_db::templates::origin::SourceObject;
use crate::admin_db::templates::versions::{SourceFacts, TemplateVersion};
use crate::admin_db::templates::{Template, versions};
use crate::app::App;
use crate::config::Tier;
use crate::domain::quantity::{ByteSize, MIB};
use crate::import::files::scratch;
use crate::objects::Store;
use crate::provision::quota::space::RESERVE;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::measured;
use crate::templates::hook;
use crate::templates::source::hook_sha256;

/// Downloads the object, and records what is imported.
pub(super) async fn read(
    w: &StepContext,
    t: &Template,
    v: &TemplateVersion,
    object: &SourceObject,
) -> Result<(), StepError> {
    let app = &w.app;
    let (bytes, sha256) = fetch(w, v, object).await?;
    let hook_sha256 = hook_sha256(hook::of(w, t).await?).await?;
    let now = app.clock.now().trunc_subsecs(6);
    let facts = SourceFacts { bytes, mtime: now, sha256, hook_sha256 };
    let mut db = app.db.acquire().await?;
    versions::set_source(&mut db, v.id, &facts, app.clock.now()).await?;
    drop(db);
    w.progress(&format!("{}, {}", v.source, ByteSize(bytes))).await;
    Ok(())
}

/// The downloaded object and the script of the template. It is downloaded again if an interrupted import has removed it.
pub(super) async fn fetched(
    w: &StepContext,
    t: &Template,
    v: &TemplateVersion,
    object: &SourceObject,
) -> Result<(PathBuf, Option<PathBuf>), StepError> {
    let config = &w.app.config;
    let path = scratch::dir(config, w.app.tier(&v.storage)?, v.id).join(file(&object.key));
    let there = tokio::fs::metadata(&path).await.is_ok_and(|about| i64::try_from(about.len()) == Ok(v.source_bytes));
    if !there {
        let (_, sha256) = fetch(w, v, object).await?;
        if sha256 != v.source_sha256 {
            return Err(StepError::Fail(format!("{} changed while it was being imported. Import it again.", v.source)));
        }
    }
    Ok((path, hook::of(w, t).await?))
}

/// Removes the downloaded object.
pub(super) async fn discard(app: &App, v: &TemplateVersion) -> Result<(), StepError> {
    let Some(tier) = app.config.tier(&v.storage) else { return Ok(()) };
    let gone = scratch::remove(&app.config, tier, v.id).await;
    gone.map_err(|e| StepError::Retry(format!("The downloaded dump cannot be removed: {e}.")))
}

fn file(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Downloads the object. Returns its size and checksum.
async fn fetch(w: &StepContext, v: &TemplateVersion, object: &SourceObject) -> Result<(i64, String), StepError> {
    let app = &w.app;
    let (tier, store) = (app.tier(&v.storage)?, app.store(&object.target)?);
    let dir = scratch::begin(&app.config, tier, v.id).await;
    let dir = dir.map_err(|e| StepError::Fail(format!("The object cannot be stored on the storage tier: {e}.")))?;
    let done = download(w, store, object, (&dir.join(file(&object.key)), tier)).await;
    if done.is_err() {
        discard(app, v).await?;
    }
    done
}

async fn download(
    w: &StepContext,
    store: &Store,
    object: &SourceObject,
    (path, tier): (&Path, &Tier),
) -> Result<(i64, String), StepError> {
    let mut from = store.get(&object.key).await?;
    let whole = from.bytes.and_then(|n| i64::try_from(n).ok());
    let unwritten = |e: std::io::Error| StepError::Fail(format!("The object cannot be stored: {e}."));
    let mut out = tokio::fs::OpenOptions::new();
    let mut out = out.write(true).create_new(true).mode(0o600).open(path).await.map_err(unwritten)?;
    let (mut sum, mut bytes, mut looked) = (Sha256::new(), 0_i64, i64::MIN);
    while let Some(piece) = from.stream.next().await {
        let piece = piece?;
        if bytes - 32 * MIB >= looked {
            looked = bytes;
            let free = measured(tier.path.clone()).await?.free;
            if free < RESERVE.saturating_add(whole.map_or(0, |whole| whole - bytes)) {
                return Err(StepError::Fail(format!(
                    "Not enough disk space for the object on the storage tier “{}”: {} free.",
                    tier.label,
                    ByteSize(free)
                )));
            }
            let of = whole.map(|whole| format!(" of {}", ByteSize(whole))).unwrap_or_default();
            w.progress(&format!("Downloading: {}{of}", ByteSize(bytes))).await;
        }
        bytes += i64::try_from(piece.len()).unwrap_or(i64::MAX);
        sum.update(&piece);
        out.write_all(&piece).await.map_err(unwritten)?;
    }
    out.flush().await.map_err(unwritten)?;
    Ok((bytes, hex::encode(sum.finalize())))
}
