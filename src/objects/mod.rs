//! Object stores that speak S3, and nothing else: [`s3`] is the only one that names the client library, [`embedded`]
//! the one that serves a store from a directory in dev mode.

pub mod check;
pub mod embedded;
pub mod s3;
pub(crate) mod same;

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::config::Config;
use crate::domain::stream_error::{StreamError, StreamFault};

pub use s3::{Store, UploadPace};

/// What went wrong in an object store. Every message is a sentence.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectError {
    /// No object, bucket or upload of that name.
    #[error("Backup target {target} has no {key}.")]
    NotFound {
        /// Target.
        target: String,
        /// What was asked for.
        key: String,
    },
    /// The store does not answer, or says that it can't just now.
    #[error("Backup target {target} currently cannot {operation}: {cause}.")]
    Away {
        /// Target.
        target: String,
        /// What was to be done.
        operation: String,
        /// Its words.
        cause: String,
    },
    /// It refused for good.
    #[error("Backup target {target} could not {operation}: {cause}.")]
    Refused {
        /// Target.
        target: String,
        /// What was to be done.
        operation: String,
        /// Its words.
        cause: String,
    },
}

impl ObjectError {
    /// Whether trying again later may help without anybody doing anything.
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

/// An object as a listing or a look tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Key, without the target's prefix.
    pub key: String,
    /// Length in bytes.
    pub bytes: u64,
    /// The store's tag: of an upload in parts, the MD5 of the parts' MD5s, a dash and their number.
    pub etag: String,
}

/// An object being read.
pub struct Download {
    /// Length in bytes, where the store says it.
    pub bytes: Option<u64>,
    /// Its content.
    pub stream: BoxStream<'static, Result<Bytes, ObjectError>>,
}

/// The stores of a portal, by name; the first is the default.
#[derive(Clone, Default)]
pub struct Stores(Arc<Vec<Arc<Store>>>);

impl Stores {
    /// Connects to the targets of the configuration. Embedded stores are bound, and answered to be served.
    ///
    /// # Errors
    /// If a certificate authority can't be read or an embedded store's directory not be used.
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

    /// The default one.
    pub fn first(&self) -> Option<&Arc<Store>> {
        self.0.first()
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Store>> {
        self.0.iter().find(|s| s.name() == name)
    }

    /// Those of these names.
    pub fn named(&self, names: &[String]) -> Vec<&Arc<Store>> {
        names.iter().filter_map(|name| self.get(name)).collect()
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Store>] {
        &self.0
    }
}
