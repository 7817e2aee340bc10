//! Parts into a store, several at once, in bounded memory.

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;

use super::pack::Piece;
use crate::objects::{ObjectError, Store};

/// Sends the parts as they come, and answers their MD5s once there are no more. The upload is not completed.
///
/// # Errors
/// The store's, with parts possibly still on their way when it is answered.
pub async fn send(
    store: &Store,
    key: &str,
    upload: &str,
    mut parts: mpsc::Receiver<Piece>,
) -> Result<Vec<[u8; 16]>, ObjectError> {
    let mut under_way = FuturesOrdered::new();
    let (mut sums, mut number) = (Vec::new(), 0);
    let mut more = true;
    while more || !under_way.is_empty() {
        tokio::select! {
            // How many there may be at once is decided where they are made: each has its room until it is there.
            part = parts.recv(), if more => match part {
                Some(part) => {
                    number += 1;
                    under_way.push_back(async move {
                        let sent = store.part(key, upload, number, part.bytes.clone()).await;
                        drop(part);
                        sent
                    });
                }
                None => more = false,
            },
            Some(sent) = under_way.next(), if !under_way.is_empty() => sums.push(sent?),
        }
    }
    Ok(sums)
}
