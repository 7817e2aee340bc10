//! Parts into a store, several at once, in bounded memory.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;

use super::pack::in_flight;
use crate::objects::{ObjectError, Store};

/// Sends the parts as they come, and answers their MD5s once there are no more. The upload is not completed.
///
/// # Errors
/// The store's, with parts possibly still on their way when it is answered.
pub async fn send(
    store: &Store,
    key: &str,
    upload: &str,
    mut parts: mpsc::Receiver<Bytes>,
) -> Result<Vec<[u8; 16]>, ObjectError> {
    let mut under_way = FuturesOrdered::new();
    let (mut sums, mut number) = (Vec::new(), 0);
    let mut room = usize::MAX;
    let mut more = true;
    while more || !under_way.is_empty() {
        tokio::select! {
            part = parts.recv(), if more && under_way.len() < room => match part {
                Some(part) => {
                    number += 1;
                    room = in_flight(part.len());
                    under_way.push_back(store.part(key, upload, number, part));
                }
                None => more = false,
            },
            Some(sent) = under_way.next(), if !under_way.is_empty() => sums.push(sent?),
        }
    }
    Ok(sums)
}
