//! Production mode: the settings whose defaults differ when `DB4SCI_MODE=prod`.

/// Defaults of this mode, which override those of [`super::settings`].
pub const DEFAULTS: &[(&str, &str)] = &[];

/// Whether this mode creates a missing certificate and sealing key.
pub const MAKES_OWN_SECRETS: bool = false;
