//! Reading objects, on from where a connection broke.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::StreamExt;

use super::error::{self, causes};
use super::{Store, TRIES};
use crate::objects::{Download, ObjectError};

/// Bytes that have to come between two breaks, or else they are counted together.
const PROGRESS: u64 = 1024 * 1024;
/// Wait before a broken reading goes on; grows with every break.
const WAIT: Duration = Duration::from_millis(500);

/// An object that is being read.
struct Reading {
    client: Client,
    target: String,
    bucket: String,
    key: String,
    url: String,
    etag: Option<String>,
    body: ByteStream,
    bytes: u64,
    at: u64,
    breaks: u32,
    broke_at: u64,
}

impl Reading {
    async fn ask(&self, from: u64) -> Result<GetObjectOutput, ObjectError> {
        let mut request = self.client.get_object().bucket(&self.bucket).key(&self.key);
        if from > 0 {
            // Of the same object, should another have taken its place.
            request = request.range(format!("bytes={from}-")).set_if_match(self.etag.clone());
        }
        let got = request.send().await;
        got.map_err(|e| error::of(&e, self.target.clone(), "give an object", self.url.clone()))
    }

    /// The next piece; asks for the rest where the store broke off, unless it does so again and again.
    async fn next(&mut self) -> Option<Result<Bytes, ObjectError>> {
        loop {
            let cause = match self.body.next().await {
                Some(Ok(piece)) => {
                    self.at += piece.len() as u64;
                    return Some(Ok(piece));
                }
                None if self.at >= self.bytes => return None,
                None => format!("it ended after {} of {} bytes", self.at, self.bytes),
                Some(Err(e)) => causes(&e),
            };
            if self.at - self.broke_at >= PROGRESS {
                self.breaks = 0;
            }
            self.breaks += 1;
            self.broke_at = self.at;
            if self.breaks >= TRIES {
                let (target, operation) = (self.target.clone(), format!("give all of {}", self.url));
                return Some(Err(ObjectError::Away { target, operation, cause }));
            }
            tracing::debug!(object = self.url, "Reading broke off and goes on at {}: {cause}", self.at);
            tokio::time::sleep(WAIT * self.breaks).await;
            match self.ask(self.at).await {
                Ok(got) => self.body = got.body,
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

impl Store {
    /// Begins to read an object.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`] if there is none, or the store's.
    pub async fn get(&self, key: &str) -> Result<Download, ObjectError> {
        let mut reading = Reading {
            client: self.client.clone(),
            target: self.target.name.clone(),
            bucket: self.target.bucket.clone(),
            key: self.full(key),
            url: self.url(key),
            etag: None,
            body: ByteStream::default(),
            bytes: 0,
            at: 0,
            breaks: 0,
            broke_at: 0,
        };
        let got = reading.ask(0).await?;
        let bytes = got.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        (reading.etag, reading.body, reading.bytes) = (got.e_tag, got.body, bytes);
        let stream = futures::stream::unfold(Some(reading), |reading| async move {
            let mut reading = reading?;
            let piece = reading.next().await?;
            let more = piece.is_ok().then_some(reading);
            Some((piece, more))
        });
        Ok(Download { bytes, stream: stream.boxed() })
    }

    /// Reads a small object whole; one of more than `most` bytes is refused.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`] if there is none, or the store's.
    pub async fn read(&self, key: &str, most: u64) -> Result<Vec<u8>, ObjectError> {
        let mut download = self.get(key).await?;
        let mut content = Vec::new();
        while let Some(piece) = download.stream.next().await {
            content.extend_from_slice(&piece?);
            if content.len() as u64 > most {
                return Err(ObjectError::Refused {
                    target: self.target.name.clone(),
                    operation: format!("give {}", self.url(key)),
                    cause: format!("it is longer than {most} bytes"),
                });
            }
        }
        Ok(content)
    }
}
