//! Which images of the catalog can be had: present, pullable, or neither and why.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::app::App;
use crate::runtime::RuntimeError;

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

    fn set(&self, image: &str, state: ImageState) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned(), state);
    }
}

/// Looks up every image of the catalog: first which are here, which is quick, then asks registries for the others.
pub async fn refresh(app: &App) {
    let mut absent = Vec::new();
    for image in app.catalog.images() {
        let reference = app.config.image_reference(&image.image);
        match app.runtime.image(&reference).await {
            Ok(Some(found)) => {
                app.images.set(&image.image, ImageState::Present { digest: found.digest, size: found.size });
            }
            Ok(None) => absent.push((image.image.clone(), reference)),
            // The engine is away: that says nothing about the image, and the pages say it elsewhere.
            Err(e) => tracing::debug!(image = image.image, "Could not look up an image: {e}"),
        }
    }
    for (image, reference) in absent {
        let state = match app.runtime.pullable(&reference).await {
            Ok(()) => ImageState::Pullable,
            Err(RuntimeError::ImageUnavailable { cause, .. }) => ImageState::Unavailable(format!(
                "{reference} is not on this machine, and its registry can't deliver it ({})",
                cause.trim().trim_end_matches('.')
            )),
            Err(e) => {
                tracing::debug!(image, "Could not ask a registry: {e}");
                continue;
            }
        };
        app.images.set(&image, state);
    }
}
