//! A bucket of an S3-compatible store.

mod error;
mod list;
mod pacing;
mod read;
mod upload;

use std::time::Duration;

use anyhow::Context;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use secrecy::ExposeSecret;

use super::{ObjectError, ObjectInfo};
use crate::config::Target;

pub use pacing::UploadPace;

/// Timeout for establishing a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Total time for the pauses between the attempts of a request.
const PAUSES: Duration = Duration::from_secs(5);
/// Maximum attempts of a request.
const TRIES: u32 = 4;

/// Timeouts of a request with this many bytes. All its attempts together have twice as long, so that a store that
/// accepts requests but never responds is noticed soon.
fn patience(target: &Target, bytes: usize) -> TimeoutConfig {
    let answer =
        Duration::from_secs(target.answer_seconds.into()) + Duration::from_secs(bytes as u64 / pacing::SLOWEST);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(answer)
        .operation_timeout(answer * 2 + PAUSES)
        .build()
}

/// A bucket with a key prefix. Callers use keys without the prefix.
pub struct Store {
    client: Client,
    target: Target,
}

impl Store {
    /// Sets up the client without sending anything.
    pub async fn connect(target: &Target) -> anyhow::Result<Self> {
        let region = Region::new(target.region.clone());
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .force_path_style(target.path_style)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(patience(target, 0))
            .stalled_stream_protection(
                // Applies to bodies being read that make no progress for this long. Uploads have their own timeouts.
                StalledStreamProtectionConfig::enabled()
                    .upload_enabled(false)
                    .grace_period(Duration::from_secs(target.answer_seconds.into()))
                    .build(),
            );
        if !target.checksums {
            config = config
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        if let Some(endpoint) = &target.endpoint {
            config = config.endpoint_url(endpoint);
        }
        config = match (&target.access_key_id, &target.secret_access_key) {
            (Some(id), Some(secret)) => {
                config.credentials_provider(Credentials::new(id, secret.expose_secret(), None, None, "configuration"))
            }
            _ => {
                // The machine's own credentials come from services of the provider, which have public certificates.
                let provider = ProviderConfig::without_region().with_http_client(http_client(TlsContext::default()));
                let chain = DefaultCredentialsChain::builder().configure(provider).region(region).build().await;
                config.credentials_provider(chain)
            }
        };
        let trusted = match &target.ca {
            Some(ca) => only(&std::fs::read(ca).with_context(|| format!("can't read {}", ca.display()))?)?,
            None => TlsContext::default(),
        };
        let config = config.http_client(http_client(trusted));
        Ok(Self { client: Client::from_conf(config.build()), target: target.clone() })
    }

    /// Name of the target.
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// Configuration of the target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The location of an object for people: `s3://bucket/key`.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{}", self.target.bucket, self.full(key))
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.target.prefix)
    }

    fn failed<E>(&self, operation: &str, key: &str) -> impl Fn(SdkError<E>) -> ObjectError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let (target, operation, key) = (self.target.name.clone(), operation.to_owned(), self.url(key));
        move |e| error::of(&e, target.clone(), &operation, key.clone())
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.target.encryption.as_deref().map(ServerSideEncryption::from)
    }

    fn class(&self) -> Option<StorageClass> {
        self.target.storage_class.as_deref().map(StorageClass::from)
    }

    /// Uploads a small object.
    pub async fn put(&self, key: &str, content: Bytes, kind: &str) -> Result<(), ObjectError> {
        let sum = BASE64_STANDARD.encode(Md5::digest(&content));
        let time = aws_sdk_s3::Config::builder().timeout_config(patience(&self.target, content.len()));
        self.client
            .put_object()
            .bucket(&self.target.bucket)
            .key(self.full(key))
            .content_type(kind)
            .content_md5(sum)
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.target.kms_key.clone())
            .set_storage_class(self.class())
            .body(ByteStream::from(content))
            .customize()
            .config_override(time)
            .send()
            .await
            .map(|_| ())
            .map_err(self.failed("store an object", key))
    }

    /// Size and tag of an object; `None` if it does not exist.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, ObjectError> {
        let looked = self.client.head_object().bucket(&self.target.bucket).key(self.full(key)).send().await;
        match looked.map_err(self.failed("look up an object", key)) {
            Ok(head) => Ok(Some(ObjectInfo {
                key: key.to_owned(),
                bytes: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                etag: head.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            })),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Deletes an object; a missing one is not an error.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let done = self.client.delete_object().bucket(&self.target.bucket).key(self.full(key)).send().await;
        match done.map_err(self.failed("delete an object", key)) {
            Ok(_) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// Trusts only the authority in this PEM file.
fn only(pem: &[u8]) -> anyhow::Result<TlsContext> {
    let trust = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trust).build();
    context.context("the CA file of the target is not a PEM certificate")
}

fn http_client(trusted: TlsContext) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(trusted)
        .build_https()
}
