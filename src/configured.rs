//! What a row names and the configuration or the catalog must still contain. Both can change between two starts.

use std::sync::Arc;

use thiserror::Error;

use crate::app::App;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::objects::Store;
use crate::storage::unavailable_reason;

/// What a row names is no longer configured.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotConfigured {
    /// A storage tier.
    #[error("The storage tier “{0}” is no longer configured.")]
    Tier(String),
    /// A backup target.
    #[error("The backup target “{0}” is no longer configured.")]
    Target(String),
    /// An image.
    #[error("{0} is no longer in the catalog. An administrator can add it again.")]
    Image(String),
}

/// Why a storage tier cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TierError {
    /// It is no longer configured.
    #[error(transparent)]
    NotConfigured(#[from] NotConfigured),
    /// Its directory is missing or not mounted.
    #[error("The storage tier “{label}” is unavailable: {reason}.")]
    Unavailable {
        /// Its label.
        label: String,
        /// The reason, as part of a sentence.
        reason: String,
    },
}

/// Checks that a tier is available.
///
/// # Errors
/// [`TierError::Unavailable`].
pub fn check_available(tier: &Tier) -> Result<(), TierError> {
    match unavailable_reason(tier) {
        Some(reason) => Err(TierError::Unavailable { label: tier.label.clone(), reason }),
        None => Ok(()),
    }
}

impl App {
    /// The storage tier of this name, if it is available.
    ///
    /// # Errors
    /// [`TierError`].
    pub fn available_tier(&self, name: &str) -> Result<&Tier, TierError> {
        let tier = self.tier(name)?;
        check_available(tier)?;
        Ok(tier)
    }

    /// The storage tier of this name.
    ///
    /// # Errors
    /// [`NotConfigured::Tier`].
    pub fn tier(&self, name: &str) -> Result<&Tier, NotConfigured> {
        self.config.tier(name).ok_or_else(|| NotConfigured::Tier(name.to_owned()))
    }

    /// The store of the backup target of this name.
    ///
    /// # Errors
    /// [`NotConfigured::Target`].
    pub fn store(&self, target: &str) -> Result<&Arc<Store>, NotConfigured> {
        self.stores.get(target).ok_or_else(|| NotConfigured::Target(target.to_owned()))
    }

    /// The image of this label.
    ///
    /// # Errors
    /// [`NotConfigured::Image`].
    pub fn image(&self, label: &str) -> Result<&CatalogImage, NotConfigured> {
        self.catalog.find(label).ok_or_else(|| NotConfigured::Image(label.to_owned()))
    }
}
