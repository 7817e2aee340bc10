//! Signs backups of earlier versions whose manifests are unchanged since they were stored, according to mydb_admin.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sign;
use super::sign::{AcceptedSigners, Provenance};
use crate::admin_db::backups::audit_facts;
use crate::backup::restore::source::altered;
use crate::domain::object_keys;
use crate::manifest::{FILE, LONGEST};
use crate::objects::{ObjectError, Store};
use crate::secrets::Signer;

/// Number of backups checked together.
const BATCH: i64 = 500;

/// Result of signing.
#[derive(Debug, Default)]
pub struct ResignReport {
    /// Number of backups that are signed now.
    pub signed: usize,
    /// Why others are not, as sentences.
    pub not: Vec<String>,
}

/// Signs all good backups and copies in a target that have no signature or an invalid one.
pub async fn all(
    db: &mut PgConnection,
    store: &Store,
    sealing: &Signer,
    recovery: Option<&Signer>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<ResignReport, sqlx::Error> {
    let (mut done, mut after) = (ResignReport::default(), Uuid::nil());
    loop {
        let rows = audit_facts::good_in(db, store.name(), now, after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(done) };
        after = last.id;
        for row in &rows {
            let location = row.location.as_deref().unwrap_or_default();
            match one(store, location, row.sha256.as_deref(), (sealing, recovery)).await {
                Ok(Ok(signed)) => done.signed += usize::from(signed),
                Ok(Err(why)) => done.not.push(format!("{}/{FILE} {why}", store.url(location))),
                Err(e) => done.not.push(e.to_string()),
            }
        }
    }
}

async fn one(
    store: &Store,
    location: &str,
    known: Option<&[u8]>,
    (sealing, recovery): (&Signer, Option<&Signer>),
) -> Result<Result<bool, String>, ObjectError> {
    let text = store.read(&object_keys::file(location, FILE), LONGEST).await?;
    if let Some(why) = altered(&text, known) {
        return Ok(Err(why));
    }
    if sign::look(store, location, &text, &[AcceptedSigners::Sealing(sealing)]).await? == Provenance::Ours
        && match recovery {
            Some(recovery) => {
                sign::look(store, location, &text, &[AcceptedSigners::Recovery(recovery)]).await? == Provenance::Ours
            }
            None => true,
        }
    {
        return Ok(Ok(false));
    }
    sign::put(store, location, &text, sealing, recovery).await?;
    Ok(Ok(true))
}
