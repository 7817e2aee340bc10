//! Which images of the catalog are available: present, pullable, or unavailable with the reason.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Availability of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// Present on this machine.
    Present {
        /// Its digest.
        digest: String,
        /// Its size in bytes.
        size: i64,
    },
    /// Not on this machine, but available in a registry.
    Pullable,
    /// Unavailable; the sentence says why.
    Unavailable(String),
}

impl ImageState {
    /// Why it is unavailable, if it is.
    pub fn unavailable(&self) -> Option<&str> {
        match self {
            Self::Unavailable(reason) => Some(reason),
            _ => None,
        }
    }
}

/// The states by catalog image. Every form reads them; a task refreshes them, never a request.
#[derive(Debug, Default)]
pub struct ImageStates(RwLock<BTreeMap<String, ImageState>>);

impl ImageStates {
    /// The state of a catalog image. Images with an unknown state are offered, because creating a container checks
    /// them.
    pub fn get(&self, image: &str) -> ImageState {
        let states = self.0.read().unwrap_or_else(PoisonError::into_inner);
        states.get(image).cloned().unwrap_or(ImageState::Pullable)
    }

    /// The digest of a catalog image, if it is present on this machine.
    pub fn digest(&self, image: &str) -> Option<String> {
        match self.get(image) {
            ImageState::Present { digest, .. } => Some(digest),
            _ => None,
        }
    }

    pub(crate) fn set(&self, image: &str, state: ImageState) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned(), state);
    }
}
