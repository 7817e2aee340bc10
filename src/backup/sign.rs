//! The portal's signature of a manifest, in an object next to it. If a portal has no row of a backup (after a rebuild,
//! or when a backup is registered), the signature proves that the portal wrote the manifest.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::object_keys;
use crate::objects::{ObjectError, Store};
use crate::secrets::Signer;

/// Name of the object.
pub const FILE: &str = "manifest.sig";
/// Version of the format.
const SCHEMA: u32 = 1;
/// Maximum size of a signature object in bytes.
const LONGEST: u64 = 16 * 1024;
/// Prefix of the signed data, so that no other signature can be used as one of a manifest.
const PURPOSE: &[u8] = b"db4sci manifest\n";

/// The result of verifying a manifest's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Signed by this portal and unchanged.
    Ours,
    /// Not signed.
    Not,
    /// The signature does not match: the manifest was changed, or another portal signed it.
    Otherwise,
}

impl Provenance {
    /// Why the manifest is not trusted, as a sentence; `None` if it is.
    pub fn doubt(self) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::Not => Some(
                "It is not signed by this portal. It was made by an earlier version, by another portal, or by someone \
                 who can write to the bucket.",
            ),
            Self::Otherwise => Some(
                "Its signature is not from this portal. Either the manifest was changed, or it was signed by another \
                 portal or with another sealing key.",
            ),
        }
    }
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// MAC with a key derived from the sealing key.
    mac: String,
    /// MAC with a key derived from the recovery key, if one is registered: a host may have nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovery_mac: Option<String>,
}

/// A key whose signatures are accepted.
#[derive(Clone, Copy)]
pub enum AcceptedSigners<'a> {
    /// The one derived from the sealing key.
    Sealing(&'a Signer),
    /// The one derived from the recovery key.
    Recovery(&'a Signer),
}

impl Signature {
    /// Signs `content`.
    pub(crate) fn of(content: &[u8], sealing: &Signer, recovery: Option<&Signer>) -> Self {
        Self { mac: sealing.sign(content), recovery_mac: recovery.map(|r| r.sign(content)) }
    }

    /// Verifies the signature of `content`; one of the accepted keys is enough.
    pub(crate) fn judge(&self, content: &[u8], by: &[AcceptedSigners<'_>]) -> Provenance {
        let mut there = by.iter().filter_map(|by| match by {
            AcceptedSigners::Sealing(signer) => Some((signer, &self.mac)),
            AcceptedSigners::Recovery(signer) => self.recovery_mac.as_ref().map(|mac| (signer, mac)),
        });
        match there.next() {
            None => Provenance::Not,
            Some(first) if std::iter::once(first).chain(there).any(|(s, mac)| s.verifies(content, mac)) => {
                Provenance::Ours
            }
            Some(_) => Provenance::Otherwise,
        }
    }
}

/// The content of the object.
#[derive(Serialize, Deserialize)]
struct File {
    /// Version of the format.
    schema: u32,
    #[serde(flatten)]
    signature: Signature,
}

fn content(manifest: &[u8]) -> Vec<u8> {
    [PURPOSE, manifest].concat()
}

/// Writes the signature of `manifest` next to it, below `location`.
pub(crate) async fn put(
    store: &Store,
    location: &str,
    manifest: &[u8],
    sealing: &Signer,
    recovery: Option<&Signer>,
) -> Result<(), ObjectError> {
    let signature = Signature::of(&content(manifest), sealing, recovery);
    let text = serde_json::json!(File { schema: SCHEMA, signature }).to_string();
    store.put(&object_keys::file(location, FILE), Bytes::from(text), "application/json").await
}

/// Reads the signature below `location` and verifies `manifest` with it.
pub(crate) async fn look(
    store: &Store,
    location: &str,
    manifest: &[u8],
    by: &[AcceptedSigners<'_>],
) -> Result<Provenance, ObjectError> {
    match store.read(&object_keys::file(location, FILE), LONGEST).await {
        Ok(text) => Ok(judge(&text, manifest, by)),
        Err(ObjectError::NotFound { .. }) => Ok(Provenance::Not),
        Err(e) => Err(e),
    }
}

fn judge(text: &[u8], manifest: &[u8], by: &[AcceptedSigners<'_>]) -> Provenance {
    match serde_json::from_slice(text) {
        Ok(File { schema: SCHEMA, signature }) => signature.judge(&content(manifest), by),
        _ => Provenance::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_and_manifest_verify() {
        let (sealing, recovery) = (Signer::derived(b"a", "x"), Signer::derived(b"b", "x"));
        let text = |recovery| {
            let signature = Signature::of(&content(b"manifest"), &sealing, recovery);
            serde_json::to_vec(&File { schema: SCHEMA, signature }).unwrap()
        };
        let (one, both) = (text(None), text(Some(&recovery)));
        assert_eq!(judge(&one, b"manifest", &[AcceptedSigners::Sealing(&sealing)]), Provenance::Ours);
        assert_eq!(judge(&one, b"manifes7", &[AcceptedSigners::Sealing(&sealing)]), Provenance::Otherwise);
        assert_eq!(judge(&one, b"manifest", &[AcceptedSigners::Sealing(&recovery)]), Provenance::Otherwise);
        assert_eq!(judge(&one, b"manifest", &[AcceptedSigners::Recovery(&recovery)]), Provenance::Not);
        assert_eq!(judge(&both, b"manifest", &[AcceptedSigners::Recovery(&recovery)]), Provenance::Ours);
        assert_eq!(judge(&both, b"manifest", &[AcceptedSigners::Recovery(&sealing)]), Provenance::Otherwise);
        // A rebuilt host has another sealing key.
        let new = Signer::derived(b"c", "x");
        assert_eq!(
            judge(&both, b"manifest", &[AcceptedSigners::Sealing(&new), AcceptedSigners::Recovery(&recovery)]),
            Provenance::Ours
        );
        assert_eq!(
            judge(&one, b"manifest", &[AcceptedSigners::Sealing(&new), AcceptedSigners::Recovery(&recovery)]),
            Provenance::Otherwise
        );
        for wrong in [&b""[..], b"{}", b"{\"schema\":2,\"mac\":\"00\"}", &[0xff; 10]] {
            assert_eq!(judge(wrong, b"manifest", &[AcceptedSigners::Sealing(&sealing)]), Provenance::Otherwise);
        }
    }
}
