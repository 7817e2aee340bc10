//! Downloads objects, resuming after interrupted connections.

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use futures::StreamExt;

use super::error::causes;
use super::{PAUSES, Store, error};
use crate::objects::{Download, ObjectError};

/// Minimum bytes between two interruptions for them to be counted separately.
const PROGRESS: u64 = 64 * 1024;
/// Delay before resuming; grows with every interruption, up to [`LONGEST_WAIT`].
const WAIT: Duration = Duration::from_millis(500);
/// Maximum delay between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An object being downloaded.
struct ObjectReader {
    client: Client,
    target: String,
    bucket: String,
    key: String,
    url: String,
    /// How long the store may send nothing.
    patience: Duration,
    etag: Option<String>,
    body: ByteStream,
    /// Size, if the store reports it.
    bytes: Option<u64>,
    /// Bytes passed on.
    at: u64,
    /// Bytes to skip if the store starts from the beginning.
    skip: u64,
    breaks: u32,
    broke_at: u64,
    broken_since: Instant,
}

impl ObjectReader {
    async fn ask(&self) -> Result<GetObjectOutput, ObjectError> {
        let mut request = self.client.get_object().bucket(&self.bucket).key(&self.key);
        if self.at > 0 {
            // Only of the same object, in case another one has replaced it.
            request = request.range(format!("bytes={}-", self.at)).set_if_match(self.etag.clone());
        }
        let got = request.send().await;
        got.map_err(|e| error::of(&e, self.target.clone(), "return an object", self.url.clone()))
    }

    fn away(&self, cause: String) -> ObjectError {
        let (target, operation) = (self.target.clone(), format!("return all of {}", self.url));
        ObjectError::Away { target, operation, cause }
    }

    /// Continues with a response: the rest of the object, or all of it if the store does not support ranges.
    fn take(&mut self, got: GetObjectOutput) -> Result<(), ObjectError> {
        if self.at == 0 {
            self.bytes = got.content_length().and_then(|n| u64::try_from(n).ok());
            self.etag = got.e_tag;
        } else {
            if got.e_tag.is_some() && self.etag.is_some() && got.e_tag != self.etag {
                return Err(self.away("it was replaced by another object in the meantime".to_owned()));
            }
            match got.content_range.as_deref() {
                None => self.skip = self.at,
                Some(range) if range.starts_with(&format!("bytes {}-", self.at)) => self.skip = 0,
                Some(range) => {
                    return Err(self.away(format!("it returned {range} instead of everything from {}", self.at)));
                }
            }
        }
        self.body = got.body;
        Ok(())
    }

    /// Requests the rest, retrying while the store is unavailable.
    async fn go_on(&mut self) -> Result<(), ObjectError> {
        loop {
            let e = match self.ask().await {
                Ok(got) => return self.take(got),
                Err(e) if e.is_transient() && self.broken_since.elapsed() < self.patience => e,
                Err(e) => return Err(e),
            };
            self.pause(&e.to_string()).await;
        }
    }

    async fn pause(&mut self, why: &str) {
        self.breaks += 1;
        tracing::debug!(object = self.url, "Reading was interrupted and resumes at {}: {why}", self.at);
        tokio::time::sleep((WAIT * self.breaks).min(LONGEST_WAIT)).await;
    }

    /// The next piece. Requests the rest after an interruption, unless interruptions repeat without progress.
    async fn next(&mut self) -> Option<Result<Bytes, ObjectError>> {
        loop {
            let cause = match self.body.next().await {
                Some(Ok(mut piece)) => {
                    let left_out = self.skip.min(piece.len() as u64);
                    self.skip -= left_out;
                    piece.advance(usize::try_from(left_out).unwrap_or(piece.len()));
                    if piece.is_empty() {
                        continue;
                    }
                    self.at += piece.len() as u64;
                    return Some(Ok(piece));
                }
                None if self.skip == 0 && self.bytes.is_none_or(|bytes| self.at >= bytes) => return None,
                None => {
                    let of = self.bytes.map(|bytes| format!(" of {bytes}")).unwrap_or_default();
                    format!("it ended after {}{of} bytes", self.at)
                }
                Some(Err(e)) => causes(&e),
            };
            if self.breaks == 0 || self.at - self.broke_at >= PROGRESS {
                (self.breaks, self.broken_since) = (0, Instant::now());
            }
            self.broke_at = self.at;
            if self.broken_since.elapsed() >= self.patience {
                return Some(Err(self.away(cause)));
            }
            self.pause(&cause).await;
            if let Err(e) = self.go_on().await {
                return Some(Err(e));
            }
        }
    }
}

impl Store {
    /// Starts to download an object.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`] if it does not exist, or another error of the store.
    pub async fn get(&self, key: &str) -> Result<Download, ObjectError> {
        let mut reading = ObjectReader {
            client: self.client.clone(),
            target: self.target.name.clone(),
            bucket: self.target.bucket.clone(),
            key: self.full(key),
            url: self.url(key),
            patience: Duration::from_secs(self.target.answer_seconds.into()) * 2 + PAUSES,
            etag: None,
            body: ByteStream::default(),
            bytes: None,
            at: 0,
            skip: 0,
            breaks: 0,
            broke_at: 0,
            broken_since: Instant::now(),
        };
        reading.go_on().await?;
        // Count only interruptions from here on.
        reading.breaks = 0;
        let bytes = reading.bytes;
        let stream = futures::stream::unfold(Some(reading), |reading| async move {
            let mut reading = reading?;
            let piece = reading.next().await?;
            let more = piece.is_ok().then_some(reading);
            Some((piece, more))
        });
        Ok(Download { bytes, stream: stream.boxed() })
    }

    /// Reads a small object completely; one of more than `most` bytes is rejected.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`] if it does not exist, or another error of the store.
    pub async fn read(&self, key: &str, most: u64) -> Result<Vec<u8>, ObjectError> {
        let mut download = self.get(key).await?;
        let mut content = Vec::new();
        while let Some(piece) = download.stream.next().await {
            content.extend_from_slice(&piece?);
            if content.len() as u64 > most {
                return Err(ObjectError::Refused {
                    target: self.target.name.clone(),
                    operation: format!("return {}", self.url(key)),
                    cause: format!("it is longer than {most} bytes"),
                });
            }
        }
        Ok(content)
    }
}
