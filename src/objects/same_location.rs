//! Detects whether two targets are the same location under two names.

use bytes::Bytes;

use super::{ObjectError, Store};
use crate::secrets::Random;

/// Writes an object to one target, below `beginning`, and checks whether the other one has it. It is deleted again.
pub(crate) async fn same_place(beginning: &str, one: &Store, other: &Store) -> Result<bool, ObjectError> {
    let key = format!("{beginning}/same-place-{}", hex::encode(Random::system().bytes::<8>()));
    one.put(&key, Bytes::from_static(b"db4sci: is this target the same as another?"), "text/plain").await?;
    let found = other.head(&key).await;
    let deleted = one.delete(&key).await;
    let found = found?.is_some();
    deleted?;
    Ok(found)
}
