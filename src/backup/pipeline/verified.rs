//! Reads an object twice, so that none of its content is passed on before all of it was compared with the manifest. A
//! restore into a running server needs this: what somebody else put into the store would otherwise run there before the
//! end of the object shows that it is damaged.

use std::sync::Arc;

use bytes::BytesMut;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::domain::stream_error::{DAMAGED, StreamError};
use crate::runtime::Input;

/// Bytes that are compared at a time.
const CHUNK: usize = 1024 * 1024;

/// Checksums of the chunks of a content that matched the manifest.
#[derive(Debug, Clone)]
pub struct ChunkSums(Arc<[[u8; 32]]>);

impl ChunkSums {
    /// Reads an input to its end, where it is compared with the manifest.
    ///
    /// # Errors
    /// Those of the input.
    pub async fn read(input: Input) -> Result<Self, StreamError> {
        let (mut chunks, mut found) = (chunks(input), Vec::new());
        while let Some(chunk) = chunks.next().await {
            found.push(Sha256::digest(chunk?).into());
        }
        Ok(Self(found.into()))
    }

    /// The same content, read again. A chunk that differs is an error and is not passed on.
    pub fn pass(self, input: Input) -> Input {
        chunks(input)
            .enumerate()
            .map(move |(n, chunk)| {
                let chunk = chunk?;
                match self.0.get(n) {
                    Some(sum) if *sum == <[u8; 32]>::from(Sha256::digest(&chunk)) => Ok(chunk),
                    _ => Err(StreamError::damaged(format!("An object was replaced while it was read. {DAMAGED}"))),
                }
            })
            .boxed()
    }
}

/// The input in chunks of the same size, whatever the size of its pieces; the last one may be shorter. After an error,
/// nothing follows.
fn chunks(input: Input) -> Input {
    stream::unfold((Some(input), BytesMut::new()), |(mut input, mut rest)| async move {
        while rest.len() < CHUNK {
            match input.as_mut()?.next().await {
                Some(Ok(piece)) => rest.extend_from_slice(&piece),
                Some(Err(e)) => return Some((Err(e), (None, BytesMut::new()))),
                None if rest.is_empty() => return None,
                None => return Some((Ok(rest.split().freeze()), (None, rest))),
            }
        }
        Some((Ok(rest.split_to(CHUNK).freeze()), (input, rest)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn input(content: &[u8], piece: usize) -> Input {
        let pieces: Vec<_> = content.chunks(piece).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
        stream::iter(pieces).boxed()
    }

    async fn passed(sums: &ChunkSums, second: &[u8]) -> (usize, bool) {
        let mut input = sums.clone().pass(input(second, 70_000));
        let (mut bytes, mut is_whole) = (0, true);
        while let Some(piece) = input.next().await {
            match piece {
                Ok(piece) => bytes += piece.len(),
                Err(_) => is_whole = false,
            }
        }
        (bytes, is_whole)
    }

    #[tokio::test]
    async fn only_the_content_that_was_compared_is_passed_on() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
            let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let sums = ChunkSums::read(input(&content, 4096)).await.unwrap();
            assert_eq!(passed(&sums, &content).await, (length, true), "{length}");
            let longer = [&content[..], b"x"].concat();
            let (bytes, is_whole) = passed(&sums, &longer).await;
            assert!(!is_whole && bytes <= length, "{length}: {bytes}");
            if let Some(last) = length.checked_sub(1) {
                let mut other = content.clone();
                other[last] ^= 1;
                let (bytes, is_whole) = passed(&sums, &other).await;
                assert!(!is_whole && bytes <= last / CHUNK * CHUNK, "{length}: {bytes}");
            }
        }
    }
}
