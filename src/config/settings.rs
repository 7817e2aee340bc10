//! The table of all settings with their keys, types, defaults and meanings. The reference in `docs/OPERATIONS.md` is
//! generated from it, and keys that it does not contain are errors.

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// `host:port` of a listener, or empty for none.
    Address,
    /// An IP address.
    Ip,
    /// An amount of memory such as `2g`.
    Memory,
    /// A number of CPUs such as `0.5`.
    Cpus,
    /// A file or directory; relative paths start at the portal's home directory.
    Path,
    /// A list of texts.
    List,
}

impl ValueKind {
    /// The name of the type in messages and in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "true/false",
            Self::Number => "number",
            Self::Address => "address:port",
            Self::Ip => "IP address",
            Self::Memory => "memory",
            Self::Cpus => "CPUs",
            Self::Path => "path",
            Self::List => "list",
        }
    }
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted key, as in `config.toml`.
    pub key: &'static str,
    /// Type of the value.
    pub kind: ValueKind,
    /// Default in both modes, unless a mode overrides it. `None`: the setting may be absent.
    pub default: Option<&'static str>,
    /// Whether it is a secret, which is shown masked and may be given as `…_file`.
    pub secret: bool,
    /// The meaning, with its unit.
    pub doc: &'static str,
}

const fn s(key: &'static str, kind: ValueKind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), secret: false, doc }
}

const fn o(key: &'static str, kind: ValueKind, doc: &'static str) -> Setting {
    Setting { key, kind, default: None, secret: false, doc }
}

/// All settings, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    s(
        "instance",
        ValueKind::Text,
        "db4sci",
        "Id of this portal. All containers, networks and directories it creates carry this id, so several portals can \
         share one container engine. Do not change it later.",
    ),
    s(
        "data_dir",
        ValueKind::Path,
        "/srv/db4sci",
        "Directory for the portal's own files, including mydb_admin's data. If the portal runs in a container, the \
         path must be the same inside and outside.",
    ),
    s(
        "catalog",
        ValueKind::Path,
        "dbconfig/catalog.toml",
        "Catalog of available engines and images. The configuration files of each engine are in the same directory.",
    ),
    s("server.listen", ValueKind::Address, "0.0.0.0:443", "Address the portal listens on."),
    s(
        "server.redirect_listen",
        ValueKind::Address,
        "0.0.0.0:80",
        "Address that redirects plain HTTP to HTTPS. Empty: none.",
    ),
    s(
        "server.tls",
        ValueKind::Bool,
        "true",
        "Serve HTTPS. Set to false only behind a proxy that serves HTTPS, and then listen on loopback.",
    ),
    s(
        "server.cert",
        ValueKind::Path,
        "",
        "Certificate chain (PEM). Empty: ssl/fullchain.pem in the mode's directory. Reloaded when it changes.",
    ),
    s("server.key", ValueKind::Path, "", "Private key (PEM). Empty: ssl/privkey.pem in the mode's directory."),
    o(
        "server.public_url",
        ValueKind::Text,
        "Public address of the portal, used for links and the Origin check. Default: taken from the request's Host \
         header.",
    ),
    s(
        "server.trusted_proxies",
        ValueKind::List,
        "",
        "IP addresses of proxies whose X-Forwarded-For header is \
                                                      trusted.",
    ),
    s("server.session_hours", ValueKind::Number, "12", "Hours after which an idle session expires."),
    s(
        "server.connections",
        ValueKind::Number,
        "2000",
        "Maximum number of open connections; further ones are rejected. Each uses a file descriptor: see LimitNOFILE.",
    ),
    s(
        "server.connections_per_address",
        ValueKind::Number,
        "200",
        "Maximum number of open connections per address (IPv6: per /64 network). Proxies in server.trusted_proxies \
         are exempt.",
    ),
    s(
        "server.header_seconds",
        ValueKind::Number,
        "15",
        "Seconds within which the first request of a connection must \
                                                         arrive completely.",
    ),
    s("server.idle_seconds", ValueKind::Number, "75", "Seconds after which an idle connection is closed."),
    s(
        "server.least_rate",
        ValueKind::Number,
        "1024",
        "Minimum upload rate in bytes per second, averaged over half a minute; slower requests are aborted.",
    ),
    s(
        "server.streams_per_person",
        ValueKind::Number,
        "20",
        "Maximum number of live pages (logs and jobs) per person at a time; four times as many per address.",
    ),
    s(
        "server.waits_per_person",
        ValueKind::Number,
        "50",
        "Maximum number of API calls per person that wait for a job (?wait=) at a time; four times as many per \
         address.",
    ),
    s(
        "databases.host",
        ValueKind::Text,
        "",
        "Host name for database connections, shown on the pages. Empty: the machine's host name.",
    ),
    s(
        "databases.own_names",
        ValueKind::Bool,
        "false",
        "Give each database its own host name, NAME.HOST, with a certificate for that name only. Requires a DNS entry \
         for *.HOST.",
    ),
    s("databases.bind", ValueKind::Ip, "0.0.0.0", "Address on which database ports are published."),
    s("databases.port_min", ValueKind::Number, "41000", "First port of the range for databases."),
    s("databases.port_max", ValueKind::Number, "42999", "Last port of the range for databases."),
    s(
        "databases.start_timeout",
        ValueKind::Number,
        "120",
        "Seconds to wait for a server that shows no activity after a start. A server that is recovering is given more \
         time.",
    ),
    s(
        "databases.start_longest",
        ValueKind::Number,
        "18000",
        "Seconds to wait for a server that is working or recovering after a start. Must be less than jobs.short_hours.",
    ),
    s(
        "databases.create_timeout",
        ValueKind::Number,
        "600",
        "Seconds a new server may take to initialise its data directory.",
    ),
    s(
        "databases.prepare",
        ValueKind::Bool,
        "true",
        "Keep an initialised data directory of each local image on each tier, so that new databases start from a copy \
         within a second.",
    ),
    s(
        "databases.firewall",
        ValueKind::Bool,
        "true",
        "Manage firewall rules (iptables) on the container engine's machine, so that databases cannot reach that \
         machine, each other or other networks. If false, manage such rules yourself.",
    ),
    s("limits.memory_default", ValueKind::Memory, "1g", "Default memory of a new container."),
    s("limits.memory_max", ValueKind::Memory, "16g", "Maximum memory per container."),
    s("limits.cpus_default", ValueKind::Cpus, "1", "Default CPUs of a new container."),
    s("limits.cpus_max", ValueKind::Cpus, "8", "Maximum CPUs per container."),
    s("limits.pids", ValueKind::Number, "512", "Maximum number of processes and threads per container."),
    s(
        "limits.containers_per_user",
        ValueKind::Number,
        "100",
        "Maximum number of databases per person, including those in the trash; admins are not limited.",
    ),
    s(
        "limits.memory_per_person",
        ValueKind::Memory,
        "64g",
        "Maximum total memory of all databases of one person, not counting the trash. Administrators can set \
         individual limits (Administration → Users); admins are not limited.",
    ),
    s(
        "limits.cpus_per_person",
        ValueKind::Cpus,
        "32",
        "Maximum total CPUs of all databases of one person, with the same rules.",
    ),
    s(
        "limits.loads_per_person",
        ValueKind::Number,
        "2",
        "Maximum number of dumps per person that are loaded at a time; further ones wait.",
    ),
    s("limits.load_hours", ValueKind::Number, "24", "Hours after which an unfinished load is terminated as failed."),
    Setting {
        key: "admin_db.url",
        kind: ValueKind::Text,
        default: None,
        secret: true,
        doc: "postgres:// URL of an existing server for mydb_admin. Absent: the portal creates and manages its own \
              container.",
    },
    s("admin_db.image", ValueKind::Text, "docker.io/library/postgres:17", "Image of mydb_admin's own container."),
    s("admin_db.memory", ValueKind::Memory, "512m", "Memory of mydb_admin's own container."),
    s("admin_db.connections", ValueKind::Number, "10", "Maximum number of connections from the portal to mydb_admin."),
    s(
        "secrets.key_file",
        ValueKind::Path,
        "",
        "Sealing key, which encrypts secrets at rest (32 bytes, base64, mode 0600). Empty: secrets/seal.key in the \
         mode's directory.",
    ),
    s(
        "images.registry_mirror",
        ValueKind::Text,
        "",
        "Prefix added to all images of the catalog, for example mirror.example.org/hub.",
    ),
    s("backups.level", ValueKind::Number, "3", "Compression level of backups, 1 (fast) to 19 (small)."),
    s(
        "backups.threads",
        ValueKind::Number,
        "2",
        "Threads that compress one backup, 1 to 16; each uses about 4 MiB of memory.",
    ),
    s(
        "backups.long_distance",
        ValueKind::Bool,
        "false",
        "Find repetitions within 128 MiB (zstd long-distance matching). Makes backups of repetitive data smaller, but \
         uses one thread and up to 200 MiB more of the portal's memory per running backup. zstd -d decompresses them \
         as usual.",
    ),
    s(
        "backups.recipients",
        ValueKind::List,
        "",
        "Public keys (age1…, from age-keygen) for which backups are encrypted. Restoring requires one of the secret \
         keys. Empty: backups are not encrypted.",
    ),
    s(
        "backups.identity_file",
        ValueKind::Path,
        "",
        "File with the secret key of one recipient (mode 0600), so that the portal can test, restore and decrypt its \
         own backups. Empty: these operations require the key to be supplied manually.",
    ),
    s(
        "backups.upload_max",
        ValueKind::Memory,
        "20g",
        "Maximum size of an uploaded dump; decompressed, it may be 20 times as large.",
    ),
    s(
        "backups.upload_person_max",
        ValueKind::Memory,
        "40g",
        "Maximum space per person for uploaded dumps that are not loaded yet.",
    ),
    s("backups.upload_total_max", ValueKind::Memory, "200g", "Maximum space for all such dumps together."),
    s(
        "backups.upload_keep_hours",
        ValueKind::Number,
        "72",
        "Hours for which a dump whose load failed is kept, so that “Try again” works.",
    ),
    s(
        "backups.at_once",
        ValueKind::Number,
        "2",
        "Maximum number of backups and test restores that this portal runs \
                                                  at a time.",
    ),
    s(
        "backups.lock_seconds",
        ValueKind::Number,
        "60",
        "Seconds that a backup waits for a locked table; then it fails and reports who holds the lock.",
    ),
    s("backups.hour", ValueKind::Number, "1", "Hour, in backups.time_zone, at which daily and weekly backups start."),
    s(
        "backups.admin_db_seconds",
        ValueKind::Number,
        "3600",
        "Seconds between backups of mydb_admin; 0 turns them off.",
    ),
    s(
        "backups.spread_minutes",
        ValueKind::Number,
        "240",
        "Minutes over which daily and weekly backups are spread; each database has its own fixed time.",
    ),
    s(
        "backups.time_zone",
        ValueKind::Text,
        "UTC",
        "Time zone of backups.hour and of cron expressions without their own time zone, for example Europe/Berlin.",
    ),
    s(
        "backups.copies",
        ValueKind::List,
        "",
        "Names of targets that receive a copy of every backup. Restores and test restores use a copy if the default \
         target fails.",
    ),
    s(
        "notify.command",
        ValueKind::List,
        "",
        "Absolute path of a program, with its arguments. It receives JSON on standard input when a backup or test \
         restore fails or a backup is missed.",
    ),
    s("notify.timeout_seconds", ValueKind::Number, "30", "Seconds after which that program is terminated."),
    s(
        "backups.keep.last",
        ValueKind::Number,
        "5",
        "Number of latest backups kept for each database, regardless of age.",
    ),
    s(
        "backups.keep.daily",
        ValueKind::Number,
        "14",
        "Number of days for which the newest backup is kept; days without a backup do not count.",
    ),
    s(
        "backups.keep.weekly",
        ValueKind::Number,
        "8",
        "Number of weeks (from Monday) for which the newest backup is \
                                                      kept.",
    ),
    s("backups.keep.monthly", ValueKind::Number, "12", "Number of months for which the newest backup is kept."),
    s("backups.keep.yearly", ValueKind::Number, "3", "Number of years for which the newest backup is kept."),
    s(
        "backups.keep.min_age_days",
        ValueKind::Number,
        "7",
        "Minimum age in days before a backup is removed. The newest complete backup, the newest one that passed a \
         test restore and locked backups are never removed.",
    ),
    s(
        "trash.days",
        ValueKind::Number,
        "10",
        "Days a deleted database stays in the trash before it is deleted \
                                              permanently.",
    ),
    s(
        "jobs.workers",
        ValueKind::Number,
        "6",
        "Maximum number of jobs this portal runs at a time. They are shared fairly between owners: nobody who already \
         has a running job gets the last worker.",
    ),
    s(
        "jobs.short_workers",
        ValueKind::Number,
        "2",
        "Workers reserved for short jobs (create, start, stop, restart, new password, delete), not available to long \
         jobs (backup, test restore, restore, load, upgrade, copy).",
    ),
    s("jobs.short_hours", ValueKind::Number, "6", "Hours after which an unfinished short job is terminated as failed."),
    s("jobs.long_hours", ValueKind::Number, "168", "Hours after which an unfinished long job is terminated as failed."),
    s("jobs.lease_seconds", ValueKind::Number, "20", "Seconds after which a job of a crashed portal is taken over."),
    s("jobs.retry_seconds", ValueKind::Number, "2", "Seconds before a failed step is retried; doubles each time."),
    s(
        "jobs.reconcile_seconds",
        ValueKind::Number,
        "60",
        "Seconds between comparisons of the container engine with mydb_admin.",
    ),
    s("jobs.usage_seconds", ValueKind::Number, "300", "Seconds between measurements of sizes."),
    s(
        "jobs.survey_seconds",
        ValueKind::Number,
        "300",
        "Seconds between scans of the running servers, which collect contents and metrics.",
    ),
    s(
        "jobs.prepare_seconds",
        ValueKind::Number,
        "60",
        "Seconds between checks for missing or unneeded initialised data of images.",
    ),
    s("log.format", ValueKind::Text, "json", "json or text."),
    s("log.level", ValueKind::Text, "info", "error, warn, info, debug or trace, or a filter such as info,mydb=debug."),
    s("branding.name", ValueKind::Text, "DB4SCI", "Name shown on every page."),
    o("branding.logo", ValueKind::Path, "SVG or PNG file shown next to the name."),
    o("branding.accent", ValueKind::Text, "Accent colour as #rrggbb."),
    o("branding.contact", ValueKind::Text, "Contact for users: an e-mail address or a link."),
    o("branding.notice", ValueKind::Text, "A sentence shown at the top of every page."),
];

/// Keys that contain tables or lists of tables: `[[storage]]`, `[images.replace]`, `[[branding.links]]`.
pub const TABLES: &[(&str, &str)] = &[
    (
        "storage",
        "`[[storage]]`: a storage tier. `name`, `path`, `label`, `users` (list; empty = everyone), `engines` (list; \
         empty = all), `limit` (amount such as 500g; absent = none).",
    ),
    (
        "target",
        "`[[target]]`: a backup target, that is, a bucket; the first is the default. `name`, `bucket`, `prefix`, \
         `endpoint` (absent = Amazon's), `region`, `access_key_id` with `secret_access_key` or \
         `secret_access_key_file` (absent = environment, profile or role of the machine), `path_style`, `checksums` \
         (false; true sends the newer checksums, which many other stores do not support), `encryption` (`AES256`, \
         `aws:kms`), `kms_key`, `storage_class`, `part_limit` (10000), `answer_seconds` (60; response timeout), `ca` \
         (PEM file), `embedded` (a directory that the portal itself serves as an object store, for dev mode).",
    ),
    (
        "images.replace",
        "`[images.replace]`: catalog image = reference to use instead, for example in a private \
                        registry.",
    ),
    ("branding.links", "`[[branding.links]]`: `label` and `url` of a link in the footer."),
];

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}
