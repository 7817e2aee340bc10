//! Uploads parts to a store, several at a time, in bounded memory.

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;

use crate::backup::pipeline::pack::UploadPart;
use crate::objects::{ObjectError, Store, UploadPace};

/// Uploads parts as they arrive and returns their MD5s after the last one. Does not complete the upload.
///
/// # Errors
/// Errors of the store. Other parts may still be uploading then.
pub async fn send(
    store: &Store,
    key: &str,
    upload: &str,
    mut parts: mpsc::Receiver<UploadPart>,
) -> Result<Vec<[u8; 16]>, ObjectError> {
    // Declared before the uploads that borrow it.
    let line = UploadPace::default();
    let line = &line;
    let mut under_way = FuturesOrdered::new();
    let (mut sums, mut number) = (Vec::new(), 0);
    let mut more = true;
    while more || !under_way.is_empty() {
        tokio::select! {
            // Each part holds its memory until it is uploaded. How many are uploaded at once depends on the speed of
            // the connection.
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
