//! Sessions of the portal in a PostgreSQL server: as whom, with which password, and with which settings. Nothing that an
//! owner sets on a database or a role reaches them.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::engine::spec::{Extension, ServerSpec};

/// The role that the portal looks and dumps with: it can read everything and write nothing.
pub(super) const OBSERVER: &str = "db4sci_observer";

/// Settings that owners can change for a database or a role and that a session of the portal relies on: name, value, and
/// the first version that knows it. Owners can only change what needs no special right; of that, what is not here changes
/// how fast something is done, not what.
const PINNED: &[(&str, &str, u32)] = &[
    // Whose rights, and where names are looked for.
    ("search_path", "pg_catalog", 0),
    ("role", "none", 0),
    ("row_security", "off", 0),
    // What could end it or keep it waiting.
    ("statement_timeout", "0", 0),
    // Somebody may hold a lock for ever, and nobody waits for ever: a dump sets what the portal's setting says.
    ("lock_timeout", "30s", 0),
    ("idle_in_transaction_session_timeout", "0", 0),
    ("idle_session_timeout", "0", 14),
    ("transaction_timeout", "0", 17),
    ("client_connection_check_interval", "0", 14),
    ("exit_on_error", "off", 0),
    ("local_preload_libraries", "", 0),
    // How transactions begin.
    ("default_transaction_read_only", "off", 0),
    ("default_transaction_isolation", "read committed", 0),
    ("default_transaction_deferrable", "off", 0),
    ("synchronous_commit", "on", 0),
    // How values are written and read.
    ("client_encoding", "UTF8", 0),
    ("DateStyle", "ISO, YMD", 0),
    ("IntervalStyle", "postgres", 0),
    ("TimeZone", "UTC", 0),
    ("bytea_output", "hex", 0),
    ("extra_float_digits", "3", 0),
    ("lc_monetary", "C", 0),
    ("xmloption", "content", 0),
    ("xmlbinary", "base64", 0),
    // How statements are read.
    ("standard_conforming_strings", "on", 0),
    ("escape_string_warning", "on", 0),
    ("backslash_quote", "safe_encoding", 0),
    ("quote_all_identifiers", "off", 0),
    ("transform_null_equals", "off", 0),
    ("array_nulls", "on", 0),
    ("client_min_messages", "warning", 0),
    ("check_function_bodies", "on", 0),
    // Where things are put.
    ("default_tablespace", "", 0),
    ("temp_tablespaces", "", 0),
    ("default_table_access_method", "heap", 12),
    // Compiling a question to the catalog takes longer than answering it.
    ("jit", "off", 11),
];

/// The major version of a plan's image; of an image that names none, the oldest that is on offer.
pub(super) fn major(plan: &ServerSpec<'_>) -> u32 {
    let digits = plan.image.version.split('.').next().unwrap_or_default();
    digits.parse().unwrap_or(15)
}

/// The value of `PGOPTIONS`: settings of a connection, which come before those of the database and the role.
pub(super) fn options(plan: &ServerSpec<'_>) -> String {
    let known = PINNED.iter().filter(|(_, _, since)| *since <= major(plan));
    let set = known.map(|(name, value, _)| format!("-c {name}={}", value.replace(' ', "\\ ")));
    set.collect::<Vec<_>>().join(" ")
}

/// A password that follows from the administrator's, for one purpose.
fn derived(plan: &ServerSpec<'_>, purpose: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, plan.admin_password.expose_secret().as_bytes());
    SecretString::from(hex::encode(hmac::sign(&key, purpose.as_bytes()).as_ref()))
}

/// The password of the observer.
pub(super) fn observer_password(plan: &ServerSpec<'_>) -> SecretString {
    derived(plan, "db4sci observer")
}

/// Says which password the observer has been given, and nothing about what it is.
pub(super) fn observer_mark(plan: &ServerSpec<'_>) -> SecretString {
    derived(plan, "db4sci observer mark")
}

/// The environment of every command: its sessions are the observer's, and the administrator's where a script says so.
pub(super) fn environment(plan: &ServerSpec<'_>) -> Vec<(String, SecretString)> {
    let text = |value: &str| SecretString::from(value);
    [
        ("PGUSER", text(OBSERVER)),
        ("PGPASSWORD", observer_password(plan)),
        ("PGOPTIONS", SecretString::from(options(plan))),
        ("PGCLIENTENCODING", text("UTF8")),
        ("PGAPPNAME", text("db4sci")),
        ("DB4SCI_ADMIN", text(plan.admin_user)),
        ("DB4SCI_ADMIN_PASSWORD", plan.admin_secret()),
        ("DB4SCI_OBSERVER_PASSWORD", observer_password(plan)),
        ("DB4SCI_OBSERVER_MARK", observer_mark(plan)),
        // With which roles sign in while their data is put back.
        ("DB4SCI_OWNER_PASSWORD", derived(plan, "db4sci rebuild")),
        ("DB4SCI_USER", text(plan.dbuser.as_str())),
        // What an administrator may make in databases of older backups, which don't say who made it.
        ("DB4SCI_KNOWN", SecretString::from(EXTENSIONS.map(|e| e.name).join(" "))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .chain([programs(plan)])
    .collect()
}

/// A file for libpq, with which root in the container is the administrator as root of the host is anyway.
pub(super) fn passfile(plan: &ServerSpec<'_>) -> String {
    let escaped = plan.admin_password.expose_secret().replace('\\', "\\\\").replace(':', "\\:");
    format!("*:*:*:{}:{escaped}\n", plan.admin_user)
}

/// Extensions that come with every PostgreSQL and that a person may choose on the form.
pub(crate) const EXTENSIONS: [Extension; 13] = [
    Extension { name: "pg_stat_statements", what: "query execution statistics" },
    Extension { name: "pg_trgm", what: "text similarity search" },
    Extension { name: "citext", what: "case-insensitive text" },
    Extension { name: "hstore", what: "key–value pairs in a column" },
    Extension { name: "ltree", what: "tree paths, for example taxonomies" },
    Extension { name: "intarray", what: "fast integer arrays" },
    Extension { name: "unaccent", what: "accent-insensitive search" },
    Extension { name: "fuzzystrmatch", what: "phonetic and fuzzy matching" },
    Extension { name: "tablefunc", what: "pivot tables" },
    Extension { name: "cube", what: "multidimensional cubes" },
    Extension { name: "btree_gist", what: "GiST indexes for exclusion constraints" },
    Extension { name: "pgcrypto", what: "hashing and encryption" },
    Extension { name: "uuid-ossp", what: "UUID generation functions" },
];

/// Where programs are looked for: first where Debian has those of this version. What it has in the usual place is a script
/// that finds out which of several versions is meant, and takes several times as long as `psql` itself.
pub(crate) fn programs(plan: &ServerSpec<'_>) -> (String, SecretString) {
    let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let path = format!("/usr/lib/postgresql/{}/bin:{usual}", plan.image.version);
    ("PATH".to_owned(), SecretString::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::description::Engine;
    use crate::engine::postgres::Postgres;
    use crate::engine::testing::described;

    #[test]
    fn a_session_sets_only_what_its_server_knows() {
        let said = |image: &str| {
            let mut options = String::new();
            described(&Postgres as &dyn Engine, image, |plan| options = super::options(plan));
            options
        };
        let (old, new) = (said("docker.io/library/postgres:15"), said("docker.io/library/postgres:17"));
        assert!(!old.contains("transaction_timeout=0 -c cl") && new.contains("-c transaction_timeout=0 "), "{old}");
        for options in [old, new] {
            assert!(options.starts_with("-c search_path=pg_catalog -c role=none "), "{options}");
            assert!(options.contains("-c default_transaction_isolation=read\\ committed -c "), "{options}");
        }
    }

    #[test]
    fn each_purpose_has_a_password_of_its_own() {
        described(&Postgres as &dyn Engine, "docker.io/library/postgres:17", |plan| {
            let (one, other) = (observer_password(plan), observer_mark(plan));
            assert!(one.expose_secret().len() == 64 && one.expose_secret() != other.expose_secret());
        });
    }
}
