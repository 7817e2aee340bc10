//! Checks that the manifests in a target are unchanged since they were stored, and signed.

use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::admin_db::backups::audit_facts::StoredBackup;
use crate::backup::restore::source::altered;
use crate::backup::sign;
use crate::backup::sign::{AcceptedSigners, Provenance};
use crate::domain::audit::{Finding, FindingKind};
use crate::domain::object_keys;
use crate::manifest::{BY_HAND, FILE, LONGEST};
use crate::objects::{ObjectError, Store};
use crate::secrets::Signer;

/// Number of manifests read at the same time.
const AT_ONCE: usize = 8;

/// What is wrong with one backup.
#[derive(Default)]
struct Looked {
    faults: Vec<(FindingKind, String)>,
    is_unsigned: bool,
}

/// Reads the manifests of these backups at their locations. Returns the findings and the number of unsigned manifests.
pub(super) async fn compare(
    store: &Store,
    signer: &Signer,
    whole: Vec<(&StoredBackup, &str)>,
) -> (Vec<Finding>, usize) {
    let looks: Vec<_> = whole
        .into_iter()
        .map(|(row, location)| async move { (row, location, look(store, signer, row, location).await) })
        .collect();
    let mut looked = futures::stream::iter(looks).buffered(AT_ONCE);
    let (mut found, mut unsigned) = (Vec::new(), 0);
    while let Some((row, location, looked)) = looked.next().await {
        unsigned += usize::from(looked.is_unsigned);
        for (kind, why) in looked.faults {
            let text = format!("{}: {why} Location: {}.", named(row, store.name()), store.url(location));
            found.push(Finding { kind, container: Some(row.container.clone()), backup: Some(row.id), text });
        }
    }
    (found, unsigned)
}

async fn look(store: &Store, signer: &Signer, row: &StoredBackup, location: &str) -> Looked {
    let mut looked = Looked::default();
    let text = match store.read(&object_keys::file(location, FILE), LONGEST).await {
        Ok(text) => text,
        // Removed in the meantime. If that is wrong, the next audit reports it.
        Err(ObjectError::NotFound { .. }) => return looked,
        Err(e) => {
            looked.faults.push((FindingKind::TargetAway, e.to_string()));
            return looked;
        }
    };
    looked.faults.extend(look_at_script(store, row, location).await);
    // The signature of a manifest that was changed says nothing.
    if let Some(why) = altered(&text, row.sha256.as_deref()) {
        looked.faults.push((FindingKind::Altered, format!("{FILE} {why}")));
        return looked;
    }
    match sign::look(store, location, &text, &[AcceptedSigners::Sealing(signer)]).await {
        Ok(Provenance::Ours) => {}
        Ok(Provenance::Not) => looked.is_unsigned = true,
        Ok(Provenance::Otherwise) => {
            let why = format!("{} does not match its manifest, which is unchanged since it was stored.", sign::FILE);
            looked.faults.push((FindingKind::Altered, why));
        }
        Err(e) => looked.faults.push((FindingKind::TargetAway, e.to_string())),
    }
    looked
}

/// The script for a restore by hand, which people run: what is wrong with it.
async fn look_at_script(store: &Store, row: &StoredBackup, location: &str) -> Option<(FindingKind, String)> {
    let stored = row.script_sha256.as_deref()?;
    match store.read(&object_keys::file(location, BY_HAND), LONGEST).await {
        Ok(text) if Sha256::digest(&text).as_slice() == stored => None,
        Ok(_) => Some((
            FindingKind::Altered,
            format!(
                "{BY_HAND} is not what was stored. Do not run it. A download of the backup contains a correct one."
            ),
        )),
        Err(ObjectError::NotFound { .. }) => {
            Some((FindingKind::Missing, format!("{BY_HAND} is missing. A download of the backup contains one.")))
        }
        Err(e) => Some((FindingKind::TargetAway, e.to_string())),
    }
}

/// The finding about unsigned backups in a target.
pub(super) fn unsigned(store: &Store, count: usize) -> Option<Finding> {
    let which = match count {
        0 => return None,
        1 => "1 backup has".to_owned(),
        n => format!("{n} backups have"),
    };
    let text = format!(
        "{which} no signature in the target “{0}”: made by an earlier version, or the signature was removed. `db4sci \
         backup sign --target {0}` signs all backups whose manifests are unchanged. Without a signature, a rebuild \
         accepts them only with --unsigned.",
        store.name()
    );
    Some(Finding { kind: FindingKind::Unsigned, container: None, backup: None, text })
}

pub(crate) fn named(row: &StoredBackup, target: &str) -> String {
    let copy = if is_own(row, target) { "" } else { "copy of the " };
    format!("The {copy}backup of {} from {}", row.container, row.started_at.format("%Y-%m-%d %H:%M UTC"))
}

/// Whether the backup was made into this target; otherwise the target contains a copy.
pub(crate) fn is_own(row: &StoredBackup, target: &str) -> bool {
    row.target.as_deref() == Some(target)
}
