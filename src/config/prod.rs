//! The prod class: what differs from the common defaults when `DB4SCI_MODE=prod`.

/// Defaults of this class, over those of [`super::settings`].
pub const DEFAULTS: &[(&str, &str)] = &[];

/// Whether the class makes a certificate and a sealing key where they are absent.
pub const MAKES_OWN_SECRETS: bool = false;
