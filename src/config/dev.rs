//! Dev mode: the settings whose defaults differ when `DB4SCI_MODE=dev`.

/// Defaults of this mode, which override those of [`super::settings`].
pub const DEFAULTS: &[(&str, &str)] = &[
    ("instance", "dev"),
    ("data_dir", "var/dev"),
    ("server.listen", "127.0.0.1:8443"),
    ("server.redirect_listen", "127.0.0.1:8080"),
    ("databases.host", "localhost"),
    ("databases.bind", "127.0.0.1"),
    ("databases.spares", "postgres=1"),
    ("limits.memory_default", "512m"),
    ("limits.memory_max", "4g"),
    ("limits.cpus_max", "4"),
    ("myaas.listen", "127.0.0.1:5001"),
    ("myaas.tls", "false"),
    ("log.format", "text"),
];

/// Whether this mode creates a missing certificate and sealing key.
pub const MAKES_OWN_SECRETS: bool = true;
