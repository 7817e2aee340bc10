//! The settings of templates and of the interface on port 5001.

use crate::config::setting::{Setting, ValueKind, o, s};

/// The settings.
pub(crate) const TEMPLATES: &[Setting] = &[
    o(
        "templates.dumps",
        ValueKind::Path,
        "Directory of the dumps that templates are made from. Default: dumps in data_dir. If the portal runs in a \
         container, the path must be mounted there.",
    ),
    s(
        "templates.storage",
        ValueKind::Text,
        "",
        "Storage tier of new templates and the databases made from them. Empty: the first tier that allows the engine. \
         Choose one that can share blocks (XFS, Btrfs), so that copies take no time and no space.",
    ),
    s(
        "templates.hour",
        ValueKind::Text,
        "2",
        "Hour, in backups.time_zone, at which dumps that have changed are imported. Empty: only on request.",
    ),
    s("templates.keep", ValueKind::Number, "1", "Complete versions of a template to keep besides the current one."),
    s(
        "templates.settle_seconds",
        ValueKind::Number,
        "5",
        "Seconds for which a dump must not change before it is imported.",
    ),
    s(
        "templates.hook_minutes",
        ValueKind::Number,
        "30",
        "Minutes that the script of a template (NAME.post.sql, .post.js or .post.cypher) may take.",
    ),
    s(
        "templates.import_minutes",
        ValueKind::Number,
        "1440",
        "Minutes that an import may take, with its script. Ends an import that would never finish, such as a script \
         with an endless loop.",
    ),
    s(
        "templates.memory",
        ValueKind::Text,
        "",
        "Memory limit of databases made from new templates. Empty: limits.memory_default.",
    ),
    s(
        "templates.dbname",
        ValueKind::Text,
        "",
        "Name of the database in new templates. Empty: derived from the template's name.",
    ),
    s(
        "templates.dbuser",
        ValueKind::Text,
        "",
        "Name of the user in new templates. Empty: derived from the template's name.",
    ),
    s(
        "myaas.listen",
        ValueKind::Address,
        "",
        "Address of the interface for databases from templates, usually port 5001. Empty: off.",
    ),
    s(
        "myaas.tls",
        ValueKind::Bool,
        "true",
        "Serve that interface over HTTPS, with the portal's certificate. It transmits passwords and tokens.",
    ),
    s(
        "myaas.ttl_seconds",
        ValueKind::Number,
        "86400",
        "Time to live of new templates, in seconds: databases made from them are deleted after it, unless they were given another one. \
         0: never. Existing templates keep theirs.",
    ),
    s("myaas.prefix", ValueKind::Text, "", "Prefix of the names that databases made there have on the pages."),
    Setting {
        key: "myaas.password",
        kind: ValueKind::Text,
        default: None,
        secret: true,
        doc: "Password of every database made there. Default: a password is generated for each.",
    },
    s(
        "myaas.wait_seconds",
        ValueKind::Number,
        "900",
        "Seconds that a request there waits until the new database accepts connections.",
    ),
];
