//! The table of all settings with their keys, types, defaults and meanings. The reference in `docs/OPERATIONS.md` is
//! generated from it, and keys that it does not contain are errors.

use crate::config::backup_settings::BACKUPS;
use crate::config::setting::{Setting, ValueKind, o, s};
use crate::config::templates::settings::TEMPLATES;

/// All settings, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [BEFORE_BACKUPS, BACKUPS, TEMPLATES, AFTER_BACKUPS].into_iter().flatten()
}

/// The settings before those of backups, in the order of the reference.
const BEFORE_BACKUPS: &[Setting] = &[
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
        "Maximum number of live streams (visible pages, logs and jobs) per person at a time; four times as many per address.",
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
        "databases.spares",
        ValueKind::List,
        "",
        "Servers to start in advance, so that a new database only needs its accounts: entries IMAGE=NUMBER, with an \
         engine (its default image) or an image of the catalog. NUMBER auto: as many as databases were created from it \
         per day lately, at most 3. They have the default limits, are paused, and use memory. Not with \
         databases.own_names.",
    ),
    s(
        "databases.spares_memory",
        ValueKind::Memory,
        "2g",
        "Largest sum of the memory limits of servers started in advance.",
    ),
    s(
        "databases.firewall",
        ValueKind::Bool,
        "true",
        "Manage firewall rules (iptables) on the container engine's machine, so that databases cannot reach that \
         machine, each other or other networks. If false, manage such rules yourself.",
    ),
    s(
        "databases.pin_cores",
        ValueKind::Number,
        "0",
        "Number of cores to which new databases are pinned by default; the portal chooses the least used \
         ones of one NUMA node. At most as many as the largest node has. 0: databases are not pinned.",
    ),
    s(
        "databases.cpu_map",
        ValueKind::Text,
        "",
        "Groups of cores that belong together, instead of the NUMA nodes of the machine: sets of cores separated by \
         colons, for example 2,14:4,16. Cores outside these groups are not chosen automatically.",
    ),
    s(
        "databases.system_dir",
        ValueKind::Path,
        "/sys/devices/system",
        "Directory from which the cores and NUMA nodes of the container engine's machine are read.",
    ),
    s(
        "databases.memory_reservation",
        ValueKind::Number,
        "0",
        "Percentage of its memory limit that the kernel leaves to each database when the machine runs short of memory. \
         0: none. Applies when a container is created.",
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
    s(
        "limits.ttl_max",
        ValueKind::List,
        "",
        "Longest time to live of databases: entries TIME, ENGINE=TIME, ROLE=TIME or ROLE:ENGINE=TIME, for example 90d, \
         neo4j=2w. TIME is a number with m, h, d or w, or never. The most specific entry applies, a role before an engine. \
         Where one applies, every new database expires. Entries without a role do not apply to admins. Empty: no \
         limit.",
    ),
    s(
        "limits.ttl_default",
        ValueKind::List,
        "",
        "Time to live suggested in forms and given to databases for which none is requested, in the same format. Empty: \
         the longest one; if there is none, databases do not expire.",
    ),
    s(
        "limits.load_hours",
        ValueKind::Number,
        "24",
        "Hours after which an unfinished load is aborted and marked as failed.",
    ),
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
        "admin_db.patience_seconds",
        ValueKind::Number,
        "3",
        "Seconds to wait for a connection to mydb_admin before pages and calls report that it is not available.",
    ),
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
];

/// The settings after those of backups, in the order of the reference.
const AFTER_BACKUPS: &[Setting] = &[
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
    s(
        "jobs.short_hours",
        ValueKind::Number,
        "6",
        "Hours after which an unfinished short job is aborted and marked as failed.",
    ),
    s(
        "jobs.long_hours",
        ValueKind::Number,
        "168",
        "Hours after which an unfinished long job is aborted and marked as failed.",
    ),
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
    s(
        "jobs.spares_seconds",
        ValueKind::Number,
        "10",
        "Seconds between checks for missing or unneeded servers started in advance.",
    ),
    s(
        "jobs.reaper",
        ValueKind::List,
        "expired",
        "Databases that the reaper removes: expired (their time to live has passed), dead (their container has exited), \
         unhealthy (their server does not respond). The last two only affect databases with a time to live, and databases \
         from templates that are not backed up. Empty: none.",
    ),
    s("jobs.reaper_seconds", ValueKind::Number, "60", "Seconds between runs of the reaper."),
    s("log.format", ValueKind::Text, "json", "json or text."),
    s("log.level", ValueKind::Text, "info", "error, warn, info, debug or trace, or a filter such as info,mydb=debug."),
    s("branding.name", ValueKind::Text, "DB4SCI", "Name shown on every page."),
    o("branding.logo", ValueKind::Path, "SVG or PNG file shown next to the name."),
    o("branding.favicon", ValueKind::Path, "SVG or PNG file that browsers show next to the title of a page."),
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
    all().find(|s| s.key == key)
}
