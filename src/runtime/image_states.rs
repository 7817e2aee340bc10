//! Which images of the catalog can be had: present, pullable, or neither and why.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Whether an image can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// On this machine.
    Present {
        /// Its digest.
        digest: String,
        /// Its size in bytes.
        size: i64,
    },
    /// Not here, but a registry has it.
    Pullable,
    /// Neither; the sentence says why.
    Unavailable(String),
}

impl ImageState {
    /// The reason it is not offered, if it is not.
    pub fn unavailable(&self) -> Option<&str> {
        match self {
            Self::Unavailable(reason) => Some(reason),
            _ => None,
        }
    }
}

/// The states by catalog image. Asked by every form, refreshed by a task, never inside a request.
#[derive(Debug, Default)]
pub struct ImageStates(RwLock<BTreeMap<String, ImageState>>);

impl ImageStates {
    /// The state of a catalog image; unknown ones are offered, since creating them finds out.
    pub fn get(&self, image: &str) -> ImageState {
        let states = self.0.read().unwrap_or_else(PoisonError::into_inner);
        states.get(image).cloned().unwrap_or(ImageState::Pullable)
    }

    /// The digest of a catalog image that is on this machine.
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
