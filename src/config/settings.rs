//! Every setting that exists: its key, type, default and meaning. The reference in
//! `docs/OPERATIONS.md` is printed from this table, and keys that are not in it are errors.

/// What a setting's value must be.
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
    /// A file or directory; a relative one starts at the portal's home directory.
    Path,
    /// A list of texts.
    List,
}

impl ValueKind {
    /// The type's name in messages and in the reference.
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

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted key, as in `config.toml`.
    pub key: &'static str,
    /// What its value must be.
    pub kind: ValueKind,
    /// Default of both modes; a class may set another. `None`: none, the setting may be absent.
    pub default: Option<&'static str>,
    /// A secret: shown masked, and may be given as `…_file`.
    pub secret: bool,
    /// What it means, with its unit.
    pub doc: &'static str,
}

const fn s(key: &'static str, kind: ValueKind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), secret: false, doc }
}

const fn o(key: &'static str, kind: ValueKind, doc: &'static str) -> Setting {
    Setting { key, kind, default: None, secret: false, doc }
}

/// The table.
pub const SETTINGS: &[Setting] = &[
    s(
        "instance",
        ValueKind::Text,
        "db4sci",
        "Id of this portal. Every container, network and directory it makes carries it, so several portals share one engine without meeting. Don't change it later.",
    ),
    s(
        "data_dir",
        ValueKind::Path,
        "/srv/db4sci",
        "Where the portal keeps its own files, mydb_admin's data among them. In a container: the same path inside and out.",
    ),
    s(
        "catalog",
        ValueKind::Path,
        "dbconfig/catalog.toml",
        "The engines and images on offer; the configuration files of each engine lie beside it.",
    ),
    s("server.listen", ValueKind::Address, "0.0.0.0:443", "Where the portal answers."),
    s(
        "server.redirect_listen",
        ValueKind::Address,
        "0.0.0.0:80",
        "Where plain HTTP is answered with a redirect to HTTPS. Empty: nowhere.",
    ),
    s(
        "server.tls",
        ValueKind::Bool,
        "true",
        "Serve HTTPS. Set false only behind a proxy that does, and then listen on loopback.",
    ),
    s(
        "server.cert",
        ValueKind::Path,
        "",
        "Certificate chain (PEM). Empty: ssl/fullchain.pem of the mode's directory. Reloaded when it changes.",
    ),
    s("server.key", ValueKind::Path, "", "Private key (PEM). Empty: ssl/privkey.pem of the mode's directory."),
    o(
        "server.public_url",
        ValueKind::Text,
        "The portal's address as people type it, for links and the Origin check. Default: from the request's Host header.",
    ),
    s("server.trusted_proxies", ValueKind::List, "", "IP addresses of proxies whose X-Forwarded-For is believed."),
    s("server.session_hours", ValueKind::Number, "12", "Hours after which an idle session ends."),
    s(
        "server.connections",
        ValueKind::Number,
        "2000",
        "Most open connections; further ones are turned away. Each takes a file: see LimitNOFILE.",
    ),
    s(
        "server.connections_per_address",
        ValueKind::Number,
        "200",
        "Most open connections of one address (IPv6: of one /64 network). Proxies in server.trusted_proxies have no such limit.",
    ),
    s("server.header_seconds", ValueKind::Number, "15", "Seconds for a connection's first request to come whole."),
    s("server.idle_seconds", ValueKind::Number, "75", "Seconds after which a connection without a request is closed."),
    s(
        "server.least_rate",
        ValueKind::Number,
        "1024",
        "Bytes a second at which what is sent to the portal must come, over half a minute; slower requests are ended.",
    ),
    s(
        "server.streams_per_person",
        ValueKind::Number,
        "20",
        "Most pages of one person that show a log or a job as it happens, at once; of one address four times that.",
    ),
    s(
        "server.waits_per_person",
        ValueKind::Number,
        "50",
        "Most API calls of one person that wait for a job (?wait=), at once; of one address four times that.",
    ),
    s(
        "databases.host",
        ValueKind::Text,
        "",
        "Host name people connect to, shown on the pages. Empty: the machine's host name.",
    ),
    s(
        "databases.own_names",
        ValueKind::Bool,
        "false",
        "Give each database a host name of its own, NAME.HOST, for which alone its certificate is. Needs a DNS entry for *.HOST.",
    ),
    s("databases.bind", ValueKind::Ip, "0.0.0.0", "Address on which database ports are published."),
    s("databases.port_min", ValueKind::Number, "41000", "First port of the range for databases."),
    s("databases.port_max", ValueKind::Number, "42999", "Last port of the range for databases."),
    s(
        "databases.start_timeout",
        ValueKind::Number,
        "120",
        "Seconds a server may take until it answers after a start, while it does nothing. One that recovers is waited for.",
    ),
    s(
        "databases.start_longest",
        ValueKind::Number,
        "18000",
        "Seconds a server may take until it answers after a start, while it works or says that it recovers. Less than jobs.short_hours.",
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
        "Keep an initialised data directory of each image that is here, on each tier: new databases begin with a copy, within a second.",
    ),
    s(
        "databases.firewall",
        ValueKind::Bool,
        "true",
        "Keep rules in the firewall (iptables) of the engine's machine, so that databases reach neither that machine, nor each other, nor other networks. False: you keep such rules yourself.",
    ),
    s("limits.memory_default", ValueKind::Memory, "1g", "Memory of a new container unless the form says otherwise."),
    s("limits.memory_max", ValueKind::Memory, "16g", "Most memory somebody may choose."),
    s("limits.cpus_default", ValueKind::Cpus, "1", "CPUs of a new container unless the form says otherwise."),
    s("limits.cpus_max", ValueKind::Cpus, "8", "Most CPUs somebody may choose."),
    s("limits.pids", ValueKind::Number, "512", "Most processes and threads in a container."),
    s(
        "limits.containers_per_user",
        ValueKind::Number,
        "100",
        "Most living databases one person may own; admins are not limited.",
    ),
    s(
        "limits.memory_per_person",
        ValueKind::Memory,
        "64g",
        "Most memory all databases of one person together may use, the trash not counted. An administrator can set another limit for somebody (Admin → Users); admins are not limited.",
    ),
    s(
        "limits.cpus_per_person",
        ValueKind::Cpus,
        "32",
        "Most CPUs all databases of one person together may use; likewise.",
    ),
    s(
        "limits.loads_per_person",
        ValueKind::Number,
        "2",
        "Most dumps of one person that are loaded at once; further ones wait.",
    ),
    s("limits.load_hours", ValueKind::Number, "24", "Hours after which a load that is not done is ended as failed."),
    Setting {
        key: "admin_db.url",
        kind: ValueKind::Text,
        default: None,
        secret: true,
        doc: "postgres:// URL of an existing server for mydb_admin. Absent: the portal makes and keeps its own container.",
    },
    s("admin_db.image", ValueKind::Text, "docker.io/library/postgres:17", "Image of mydb_admin's own container."),
    s("admin_db.memory", ValueKind::Memory, "512m", "Memory of mydb_admin's own container."),
    s("admin_db.connections", ValueKind::Number, "10", "Most connections the portal opens to mydb_admin."),
    s(
        "secrets.key_file",
        ValueKind::Path,
        "",
        "Key that seals secrets at rest (32 bytes, base64, mode 0600). Empty: secrets/seal.key of the mode's directory.",
    ),
    s(
        "images.registry_mirror",
        ValueKind::Text,
        "",
        "Prefix put before every image of the catalog, such as mirror.example.org/hub.",
    ),
    s("backups.level", ValueKind::Number, "3", "Level of compression of backups, 1 (fast) to 19 (small)."),
    s(
        "backups.threads",
        ValueKind::Number,
        "2",
        "Threads that compress one backup, 1 to 16; each takes about 4 MiB of memory.",
    ),
    s(
        "backups.long_distance",
        ValueKind::Bool,
        "false",
        "Find what repeats within 128 MiB, not only nearby: smaller backups of data that has it, for up to 200 MiB more of the portal's memory for each backup at a time, and by one thread. zstd -d unpacks them as any other.",
    ),
    s(
        "backups.recipients",
        ValueKind::List,
        "",
        "Public keys (age1…, from age-keygen) to which backups are encrypted. Whoever restores needs one of the secret keys. Empty: backups are not encrypted.",
    ),
    s(
        "backups.identity_file",
        ValueKind::Path,
        "",
        "File with the secret key of one recipient (mode 0600), so that this portal can drill, restore and hand out decrypted what it encrypted. Empty: that needs the key brought by hand.",
    ),
    s(
        "backups.upload_max",
        ValueKind::Memory,
        "20g",
        "Largest dump that somebody may send to make a database of; unpacked it may be 20 times that.",
    ),
    s(
        "backups.upload_person_max",
        ValueKind::Memory,
        "40g",
        "Most that dumps of one person may take on the storage tiers while they are not loaded.",
    ),
    s("backups.upload_total_max", ValueKind::Memory, "200g", "Most that all such dumps may take together."),
    s(
        "backups.upload_keep_hours",
        ValueKind::Number,
        "72",
        "Hours for which a dump that could not be loaded is kept, so that “Try again” can load it.",
    ),
    s("backups.at_once", ValueKind::Number, "2", "Backups and drills this portal runs at once."),
    s(
        "backups.lock_seconds",
        ValueKind::Number,
        "60",
        "Seconds that a backup waits for a table that somebody has locked; then it fails and says who has.",
    ),
    s(
        "backups.hour",
        ValueKind::Number,
        "1",
        "Hour, in backups.time_zone, from which the daily and weekly backups are made.",
    ),
    s(
        "backups.admin_db_seconds",
        ValueKind::Number,
        "3600",
        "Seconds between two backups of mydb_admin; 0 makes none.",
    ),
    s(
        "backups.spread_minutes",
        ValueKind::Number,
        "240",
        "Minutes over which they are spread, each database at its own.",
    ),
    s(
        "backups.time_zone",
        ValueKind::Text,
        "UTC",
        "Time zone of backups.hour, and of the cron lines of databases that name none, such as Europe/Berlin.",
    ),
    s(
        "backups.copies",
        ValueKind::List,
        "",
        "Names of targets that get a copy of every backup. Restores and drills use one where the first target fails them.",
    ),
    s(
        "notify.command",
        ValueKind::List,
        "",
        "A program, by its absolute path, and its arguments. It gets JSON on its standard input when a drill or a backup failed or a backup was missed.",
    ),
    s("notify.timeout_seconds", ValueKind::Number, "30", "Seconds after which that program is ended."),
    s(
        "backups.keep.last",
        ValueKind::Number,
        "5",
        "Backups kept of each database, whenever they were made: the newest so many.",
    ),
    s(
        "backups.keep.daily",
        ValueKind::Number,
        "14",
        "Days of which the newest backup is kept; days without one don't count.",
    ),
    s("backups.keep.weekly", ValueKind::Number, "8", "Weeks, from Monday, of which the newest backup is kept."),
    s("backups.keep.monthly", ValueKind::Number, "12", "Months of which the newest backup is kept."),
    s("backups.keep.yearly", ValueKind::Number, "3", "Years of which the newest backup is kept."),
    s(
        "backups.keep.min_age_days",
        ValueKind::Number,
        "7",
        "Days before which no backup is removed. The newest good one, the newest proven one and locked ones never are.",
    ),
    s("trash.days", ValueKind::Number, "10", "Days a deleted database stays in the trash before it is purged."),
    s(
        "jobs.workers",
        ValueKind::Number,
        "6",
        "Jobs this portal runs at once, shared fairly between the owners of the databases: nobody takes the last worker who has one already.",
    ),
    s(
        "jobs.short_workers",
        ValueKind::Number,
        "2",
        "Workers that long jobs (backup, test restore, restore, load, upgrade, copy) leave free for short ones (create, start, stop, restart, new password, delete).",
    ),
    s("jobs.short_hours", ValueKind::Number, "6", "Hours after which a short job that is not done is ended as failed."),
    s("jobs.long_hours", ValueKind::Number, "168", "Hours after which a long job that is not done is ended as failed."),
    s("jobs.lease_seconds", ValueKind::Number, "20", "Seconds after which a job whose portal died is taken over."),
    s("jobs.retry_seconds", ValueKind::Number, "2", "Seconds before a failed step is tried again; doubles each time."),
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
        "Seconds between looks into the running servers: what they hold, and a point for the charts.",
    ),
    s(
        "jobs.prepare_seconds",
        ValueKind::Number,
        "60",
        "Seconds between looks whether initialised data is missing of an image, or no longer needed.",
    ),
    s("log.format", ValueKind::Text, "json", "json or text."),
    s("log.level", ValueKind::Text, "info", "error, warn, info, debug or trace, or a filter such as info,mydb=debug."),
    s("branding.name", ValueKind::Text, "DB4SCI", "Name shown on every page."),
    o("branding.logo", ValueKind::Path, "SVG or PNG file shown beside the name."),
    o("branding.accent", ValueKind::Text, "Accent colour as #rrggbb."),
    o("branding.contact", ValueKind::Text, "Whom people ask: an e-mail address or a link."),
    o("branding.notice", ValueKind::Text, "A sentence shown on top of every page."),
];

/// Keys that hold tables or lists of tables of their own: `[[storage]]`, `[images.replace]`, `[[branding.links]]`.
pub const TABLES: &[(&str, &str)] = &[
    (
        "storage",
        "`[[storage]]`: a tier. `name`, `path`, `label`, `users` (list, empty = everybody), `engines` (list, empty = all), `limit` (memory amount; absent = none).",
    ),
    (
        "target",
        "`[[target]]`: a bucket for backups; the first is the default. `name`, `bucket`, `prefix`, `endpoint` (absent = Amazon's), `region`, `access_key_id` with `secret_access_key` or `secret_access_key_file` (absent = environment, profile or role of the machine), `path_style`, `checksums` (false; true sends the newer checksums, which many other stores don't know), `encryption` (`AES256`, `aws:kms`), `kms_key`, `storage_class`, `part_limit` (10000), `answer_seconds` (60: how long an answer is waited for), `ca` (PEM file), `embedded` (a directory that the portal itself serves as a store, for dev mode).",
    ),
    ("images.replace", "`[images.replace]`: a catalog image = the reference to use instead (a private mirror)."),
    ("branding.links", "`[[branding.links]]`: `label` and `url` of a link in the footer."),
];

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}
