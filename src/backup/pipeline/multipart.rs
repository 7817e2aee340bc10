//! Parts into a store, several at once, in bounded memory.

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;

use crate::backup::pipeline::pack::UploadPart;
use crate::objects::{ObjectError, Store, UploadPace};

/// Sends the parts as they come, and answers their MD5s once there are no more. The upload is not completed.
///
/// # Errors
/// The store's, with parts possibly still on their way when it is answered.
pub async fn send(
    store: &Store,
    key: &str,
    upload: &str,
    mut parts: mpsc::Receiver<UploadPart>,
) -> Result<Vec<[u8; 16]>, ObjectError> {
    // Before what is on it.
    let line = UploadPace::default();
    let line = &line;
    let mut under_way = FuturesOrdered::new();
    let (mut sums, mut number) = (Vec::new(), 0);
    let mut more = true;
    while more || !under_way.is_empty() {
        tokio::select! {
            // Each has its room until it is there. How many go at once depends on the line.
            part = parts.recv(), if more && under_way.len() < line.at_once() => match part {
                Some(part) => {
                    number += 1;
                    under_way.push_back(async move {
                        let sent = store.part(key, upload, number, part.bytes.clone(), line).await;
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
