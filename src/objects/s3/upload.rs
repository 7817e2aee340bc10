//! Uploads in parts. If a response is lost, the store is queried; a part that arrives damaged or not at all is sent
//! again.

use std::time::{Duration, Instant};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};

use super::pacing::UploadPace;
use super::{CONNECT, PAUSES, Store, TRIES};
use crate::objects::{ObjectError, ObjectInfo};

/// Delay before the second attempt; doubled for each further one.
const WAIT: Duration = Duration::from_millis(500);
/// Maximum delay between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The delay after this attempt.
fn pause(tries: u32) -> Duration {
    (WAIT * 2u32.saturating_pow(tries - 1)).min(LONGEST_WAIT)
}

/// Counts a part as being sent until this is dropped.
struct PartInFlight<'a>(&'a UploadPace, u64);

impl<'a> PartInFlight<'a> {
    fn on(line: &'a UploadPace, bytes: u64) -> Self {
        line.begun(bytes);
        Self(line, bytes)
    }
}

impl Drop for PartInFlight<'_> {
    fn drop(&mut self) {
        self.0.ended(self.1);
    }
}

impl Store {
    /// Whether ETags of this store are MD5s. With a key of a key management service they are not, and only the store's
    /// own checks apply.
    fn tags_are_sums(&self) -> bool {
        self.target.encryption.as_deref() != Some("aws:kms")
    }

    /// Starts an upload in parts and returns its id.
    pub async fn begin(&self, key: &str) -> Result<String, ObjectError> {
        let (mut tries, begin) = (0, Instant::now());
        let longest = Duration::from_secs(self.target.answer_seconds.into()) * 2 + PAUSES;
        loop {
            tries += 1;
            let e = match self.begin_once(key).await {
                Ok(id) => return Ok(id),
                Err(e) if e.is_transient() && tries < TRIES && begin.elapsed() < longest => e,
                Err(e) => return Err(e),
            };
            tracing::debug!(object = self.url(key), "Could not start an upload; retrying: {e}");
            tokio::time::sleep(pause(tries)).await;
            // The upload may have been started although the response was lost. Nobody else uploads under this key.
            if let Ok(begun) = self.uploads(key).await {
                for (_, upload) in begun.iter().filter(|(under, _)| under == key) {
                    // If this fails, the cleanup below the backup's prefix finds the upload.
                    let _ = self.abort(key, upload).await;
                }
            }
        }
    }

    async fn begin_once(&self, key: &str) -> Result<String, ObjectError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.target.bucket)
            .key(self.full(key))
            .content_type("application/octet-stream")
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.target.kms_key.clone())
            .set_storage_class(self.class())
            .customize()
            .config_override(aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(self.failed("start an upload", key))?;
        begun.upload_id.ok_or_else(|| self.refused("start an upload", "it returned no upload id"))
    }

    fn refused(&self, operation: &str, cause: &str) -> ObjectError {
        let (target, operation, cause) = (self.target.name.clone(), operation.to_owned(), cause.to_owned());
        ObjectError::Refused { target, operation, cause }
    }

    /// Sends one part, whose MD5 the store verifies, and returns the MD5. A part that arrives damaged or not at all is
    /// sent again, as long as other parts succeed.
    ///
    /// # Errors
    /// If the store fails, or repeatedly stores something other than what was sent.
    pub async fn part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
        line: &UploadPace,
    ) -> Result<[u8; 16], ObjectError> {
        let (sum, bytes): ([u8; 16], _) = (Md5::digest(&content).into(), content.len() as u64);
        let answer = Duration::from_secs(self.target.answer_seconds.into());
        let under_way = PartInFlight::on(line, bytes);
        let mut tries = 0;
        loop {
            tries += 1;
            let (begin, patience) = (Instant::now(), line.patience(answer, bytes));
            let sent = self.part_once((key, upload, number), content.clone(), &sum, patience).await;
            let e = match sent {
                Ok(()) => {
                    line.carried(bytes, begin.elapsed());
                    drop(under_way);
                    return Ok(sum);
                }
                Err(SendError::Otherwise(e)) if tries < TRIES => e,
                Err(SendError::Failed(e)) if e.is_transient() => {
                    line.stumbled();
                    // Not while other parts succeed. Otherwise after twice the time that a store may be unavailable, or
                    // that the slowest connection would take for this part.
                    let away = tries >= TRIES && line.idle() >= answer * 2 + PAUSES;
                    if away || line.idle() >= line.patience(answer, bytes) * 2 {
                        return Err(e);
                    }
                    e
                }
                Err(SendError::Otherwise(e) | SendError::Failed(e)) => return Err(e),
            };
            tracing::debug!(object = self.url(key), number, "Sending a part again: {e}");
            tokio::time::sleep(pause(tries)).await;
        }
    }

    async fn part_once(
        &self,
        (key, upload, number): (&str, &str, i32),
        content: Bytes,
        sum: &[u8; 16],
        patience: Duration,
    ) -> Result<(), SendError> {
        // Set all timeouts: those not set here would be the ones of requests without a body.
        let time = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(patience)
            .operation_timeout(patience + PAUSES)
            .build();
        let config = aws_sdk_s3::Config::builder().timeout_config(time).retry_config(RetryConfig::disabled());
        let sent = self
            .client
            .upload_part()
            .bucket(&self.target.bucket)
            .key(self.full(key))
            .upload_id(upload)
            .part_number(number)
            .content_md5(BASE64_STANDARD.encode(sum))
            .body(ByteStream::from(content))
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(|e| SendError::Failed(self.upload_gone("store a part", self.failed("store a part", key)(e))))?;
        let etag = sent.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        if self.tags_are_sums() && etag != hex::encode(sum) {
            let cause = format!(
                "it reports the part's MD5 as {etag}, but {} was sent. If it encrypts with keys from a key service, \
                 set encryption = \"aws:kms\" in the target",
                hex::encode(sum)
            );
            return Err(SendError::Otherwise(
                self.refused(&format!("store part {number} of {}", self.url(key)), &cause),
            ));
        }
        Ok(())
    }

    /// An upload that the store no longer knows must be started again; no object is missing.
    fn upload_gone(&self, operation: &str, e: ObjectError) -> ObjectError {
        match e {
            ObjectError::NotFound { .. } => ObjectError::Away {
                target: self.target.name.clone(),
                operation: operation.to_owned(),
                cause: "the upload no longer exists (HTTP 404 NoSuchUpload)".to_owned(),
            },
            e => e,
        }
    }

    /// Completes an upload, whose parts have this many bytes in total.
    ///
    /// # Errors
    /// If the store fails, or the object is not the one made of these parts.
    pub async fn complete(
        &self,
        key: &str,
        upload: &str,
        (sums, bytes): (&[[u8; 16]], u64),
    ) -> Result<(), ObjectError> {
        let expected = etag_of(sums);
        match self.complete_once(key, upload, sums).await {
            Ok(etag) if self.tags_are_sums() && !etag.is_empty() && etag != expected => {
                let cause = format!("it created an object with ETag {etag}, but the parts sent result in {expected}");
                Err(self.refused(&format!("complete {}", self.url(key)), &cause))
            }
            Ok(_) => Ok(()),
            // The upload may have been completed although the response was lost: a retry then finds no upload.
            Err(e) => match self.head(key).await {
                Ok(Some(there)) if self.is_of(&there, &expected, bytes) => Ok(()),
                _ => Err(self.upload_gone("complete an upload", e)),
            },
        }
    }

    fn is_of(&self, there: &ObjectInfo, expected: &str, bytes: u64) -> bool {
        there.bytes == bytes && (!self.tags_are_sums() || there.etag == expected)
    }

    async fn complete_once(&self, key: &str, upload: &str, sums: &[[u8; 16]]) -> Result<String, ObjectError> {
        let parts = sums.iter().zip(1..).map(|(sum, number)| {
            CompletedPart::builder().part_number(number).e_tag(format!("\"{}\"", hex::encode(sum))).build()
        });
        let done = self
            .client
            .complete_multipart_upload()
            .bucket(&self.target.bucket)
            .key(self.full(key))
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .send()
            .await
            .map_err(self.failed("complete an upload", key))?;
        Ok(done.e_tag().unwrap_or_default().trim_matches('"').to_owned())
    }

    /// Aborts an upload; a missing one is not an error.
    pub async fn abort(&self, key: &str, upload: &str) -> Result<(), ObjectError> {
        let done = self
            .client
            .abort_multipart_upload()
            .bucket(&self.target.bucket)
            .key(self.full(key))
            .upload_id(upload)
            .send()
            .await;
        match done.map_err(self.failed("abort an upload", key)) {
            Ok(_) | Err(ObjectError::NotFound { .. }) => Ok(()),
            // The embedded store's error for a missing upload.
            Err(ObjectError::Refused { cause, .. })
                if cause.contains("AccessDenied") && self.target.embedded.is_some() =>
            {
                Ok(())
            }
            Err(e) => Err(e),
        }
    }
}

/// How sending a part failed.
enum SendError {
    /// The part was sent, but the store received something else.
    Otherwise(ObjectError),
    /// The part was not sent.
    Failed(ObjectError),
}

/// The ETag of an object made of parts with these MD5s, as computed by S3.
pub fn etag_of(sums: &[[u8; 16]]) -> String {
    format!("{}-{}", hex::encode(Md5::digest(sums.concat())), sums.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_of_parts_equals_that_of_s3() {
        // md5("") twice: computed with md5sum over the 32 bytes.
        let empty: [u8; 16] = Md5::digest(b"").into();
        assert_eq!(hex::encode(empty), "d41d8cd98f00b204e9800998ecf8427e");
        assert!(etag_of(&[empty, empty]).ends_with("-2"));
        assert_eq!(etag_of(&[empty]), format!("{}-1", hex::encode(Md5::digest(empty))));
    }
}
