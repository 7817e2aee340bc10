//! S3-compatible object stores. Only [`s3`] uses the client library; [`embedded`] serves a store from a directory in
//! dev mode.

pub mod check;
pub mod embedded;
pub mod s3;
pub(crate) mod same_location;

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::config::Config;
use crate::domain::stream_error::{StreamError, StreamFault};

pub use s3::{Store, UploadPace};

/// An error of an object store. Every message is a sentence.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectError {
    /// The object, bucket or upload does not exist.
    #[error("Backup target {target} has no {key}.")]
    NotFound {
        /// Name of the target.
        target: String,
        /// The object requested.
        key: String,
    },
    /// The store does not respond, or reports a temporary failure.
    #[error("Backup target {target} currently cannot {operation}: {cause}.")]
    Away {
        /// Name of the target.
        target: String,
        /// The operation that failed.
        operation: String,
        /// The error message.
        cause: String,
    },
    /// The store rejected the request permanently.
    #[error("Backup target {target} could not {operation}: {cause}.")]
    Refused {
        /// Name of the target.
        target: String,
        /// The operation that failed.
        operation: String,
        /// The error message.
        cause: String,
    },
}

impl ObjectError {
    /// Whether a later retry may succeed without intervention.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

impl From<ObjectError> for StreamError {
    fn from(e: ObjectError) -> Self {
        match &e {
            ObjectError::NotFound { .. } => Self { fault: StreamFault::Missing, text: e.to_string() },
            ObjectError::Refused { .. } => Self::refused(e.to_string()),
            ObjectError::Away { target, .. } => {
                Self::transient(format!("{e} To test the connection, run `db4sci target check {target}`."))
            }
        }
    }
}

/// Key, size and tag of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Key, without the target's prefix.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
    /// The store's ETag. For an upload in parts, the MD5 of the parts' MD5s, a dash and the number of parts.
    pub etag: String,
}

/// An object being downloaded.
pub struct Download {
    /// Size in bytes, if the store reports it.
    pub bytes: Option<u64>,
    /// The content as a stream.
    pub stream: BoxStream<'static, Result<Bytes, ObjectError>>,
}

/// The stores of a portal by name; the first is the default.
#[derive(Clone, Default)]
pub struct Stores(Arc<Vec<Arc<Store>>>);

impl Stores {
    /// Connects to the configured targets. Embedded stores are bound and returned, to be served by the caller.
    ///
    /// # Errors
    /// If a certificate authority cannot be read, or the directory of an embedded store cannot be used.
    pub async fn open(config: &Config) -> anyhow::Result<(Self, Vec<embedded::EmbeddedStore>)> {
        let (mut stores, mut servers) = (Vec::new(), Vec::new());
        for target in &config.targets {
            let mut target = target.clone();
            if let Some(dir) = target.embedded.clone() {
                servers.push(embedded::EmbeddedStore::bind(&dir, &mut target)?);
            }
            stores.push(Arc::new(Store::connect(&target).await?));
        }
        Ok((Self(Arc::new(stores)), servers))
    }

    /// The default store.
    pub fn first(&self) -> Option<&Arc<Store>> {
        self.0.first()
    }

    /// The store of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Store>> {
        self.0.iter().find(|s| s.name() == name)
    }

    /// The stores of these names, without unknown ones.
    pub fn named(&self, names: &[String]) -> Vec<&Arc<Store>> {
        names.iter().filter_map(|name| self.get(name)).collect()
    }

    /// All stores, in the order of the configuration.
    pub fn all(&self) -> &[Arc<Store>] {
        &self.0
    }
}
