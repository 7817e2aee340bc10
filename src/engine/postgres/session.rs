//! The portal's sessions in a PostgreSQL server: their roles, passwords and settings. They are unaffected by settings
//! that an owner makes for a database or a role.

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::engine::postgres::verifier::verifier;
use crate::engine::spec::{Extension, ServerSpec};

/// The role for scans and dumps: it can read everything and write nothing.
pub(super) const OBSERVER: &str = "db4sci_observer";

/// Settings that owners can change for a database or a role and that the portal's sessions rely on: name, value, and
/// the first version that supports it. Owners can change only settings that require no special privilege; those missing
/// here affect the speed of an operation, but not its result.
const PINNED: &[(&str, &str, u32)] = &[
    // Privileges and name resolution.
    ("search_path", "pg_catalog", 0),
    ("role", "none", 0),
    ("row_security", "off", 0),
    // Whatever could end a session or keep it waiting.
    ("statement_timeout", "0", 0),
    // Somebody may hold a lock forever, so waits are limited. A dump applies the portal's own setting.
    ("lock_timeout", "30s", 0),
    ("idle_in_transaction_session_timeout", "0", 0),
    ("idle_session_timeout", "0", 14),
    ("transaction_timeout", "0", 17),
    ("client_connection_check_interval", "0", 14),
    ("exit_on_error", "off", 0),
    ("local_preload_libraries", "", 0),
    // Transactions. A session that changes something says so itself.
    ("default_transaction_read_only", "on", 0),
    ("default_transaction_isolation", "read committed", 0),
    ("default_transaction_deferrable", "off", 0),
    ("synchronous_commit", "on", 0),
    // Formats of values.
    ("client_encoding", "UTF8", 0),
    ("DateStyle", "ISO, YMD", 0),
    ("IntervalStyle", "postgres", 0),
    ("TimeZone", "UTC", 0),
    ("bytea_output", "hex", 0),
    ("extra_float_digits", "3", 0),
    ("lc_monetary", "C", 0),
    ("xmloption", "content", 0),
    ("xmlbinary", "base64", 0),
    // Parsing of statements.
    ("standard_conforming_strings", "on", 0),
    ("escape_string_warning", "on", 0),
    ("backslash_quote", "safe_encoding", 0),
    ("quote_all_identifiers", "off", 0),
    ("transform_null_equals", "off", 0),
    ("array_nulls", "on", 0),
    ("client_min_messages", "warning", 0),
    ("check_function_bodies", "on", 0),
    // Storage locations.
    ("default_tablespace", "", 0),
    ("temp_tablespaces", "", 0),
    ("default_table_access_method", "heap", 12),
    // Compiling a query on the catalogs takes longer than running it.
    ("jit", "off", 11),
];

/// The major version of a server's image, or the oldest supported one if the image does not state its version.
pub(super) fn major(plan: &ServerSpec<'_>) -> u32 {
    let digits = plan.image.version.split('.').next().unwrap_or_default();
    digits.parse().unwrap_or(15)
}

/// The value of `PGOPTIONS`: settings of the connection, which override those of the database and the role.
pub(super) fn options(plan: &ServerSpec<'_>) -> String {
    set(plan, PINNED.iter())
}

fn set<'a>(plan: &ServerSpec<'_>, settings: impl Iterator<Item = &'a (&'a str, &'a str, u32)>) -> String {
    let known = settings.filter(|(_, _, since)| *since <= major(plan));
    let set = known.map(|(name, value, _)| format!("-c {name}={}", value.replace(' ', "\\ ")));
    set.collect::<Vec<_>>().join(" ")
}

/// What the administrator's sessions add to these: they change things, no statement of theirs is kept where others can
/// read it, and no trigger runs on their account. Settings of a library that is not loaded are ignored by the server.
const ADMINISTERED: &[(&str, &str, u32)] = &[
    ("default_transaction_read_only", "off", 0),
    ("pg_stat_statements.track", "none", 0),
    ("event_triggers", "off", 17),
];

/// The value of `PGOPTIONS` for the administrator.
pub(super) fn administrator_options(plan: &ServerSpec<'_>) -> String {
    set(plan, PINNED.iter().chain(ADMINISTERED))
}

/// A password for one purpose, derived from the administrator's.
fn derived(plan: &ServerSpec<'_>, purpose: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, plan.admin_password.expose_secret().as_bytes());
    SecretString::from(hex::encode(hmac::sign(&key, purpose.as_bytes()).as_ref()))
}

/// The password of the observer.
pub(super) fn observer_password(plan: &ServerSpec<'_>) -> SecretString {
    derived(plan, "db4sci observer")
}

/// The environment of every command. Its sessions use the observer, except where a script requests the administrator.
pub(super) fn environment(plan: &ServerSpec<'_>) -> Vec<(String, SecretString)> {
    let text = |value: &str| SecretString::from(value);
    let owner = derived(plan, "db4sci rebuild");
    [
        ("PGUSER", text(OBSERVER)),
        ("PGPASSWORD", observer_password(plan)),
        ("PGOPTIONS", SecretString::from(options(plan))),
        ("PGCLIENTENCODING", text("UTF8")),
        ("PGAPPNAME", text("db4sci")),
        ("DB4SCI_ADMIN", text(plan.admin_user)),
        ("DB4SCI_ADMIN_PASSWORD", plan.admin_secret()),
        ("DB4SCI_ADMIN_OPTIONS", SecretString::from(administrator_options(plan))),
        ("DB4SCI_OBSERVER_VERIFIER", verifier(plan, &observer_password(plan))),
        // The password with which roles sign in while their data is restored.
        ("DB4SCI_OWNER_VERIFIER", verifier(plan, &owner)),
        ("DB4SCI_OWNER_PASSWORD", owner),
        ("DB4SCI_USER", text(plan.dbuser.as_str())),
        // Extensions that the administrator may create in databases of older backups, which do not record who created
        // them.
        ("DB4SCI_KNOWN", SecretString::from(EXTENSIONS.map(|e| e.name).join(" "))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .chain([programs(plan)])
    .collect()
}

/// A password file for libpq. Root in the container becomes administrator through it, as root on the host is anyway.
pub(super) fn passfile(plan: &ServerSpec<'_>) -> String {
    let escaped = plan.admin_password.expose_secret().replace('\\', "\\\\").replace(':', "\\:");
    format!("*:*:*:{}:{escaped}\n", plan.admin_user)
}

/// Extensions that a person can select in the form, if the image contains them.
pub(crate) const EXTENSIONS: [Extension; 15] = [
    Extension::usual("pg_stat_statements", "query execution statistics"),
    Extension::usual("pg_trgm", "text similarity search"),
    Extension::usual("citext", "case-insensitive text"),
    Extension::usual("hstore", "key–value pairs in a column"),
    Extension::usual("ltree", "tree paths, for example taxonomies"),
    Extension::usual("intarray", "fast integer arrays"),
    Extension::usual("unaccent", "accent-insensitive search"),
    Extension::usual("fuzzystrmatch", "phonetic and fuzzy matching"),
    Extension::usual("tablefunc", "pivot tables"),
    Extension::usual("cube", "multidimensional cubes"),
    Extension::usual("btree_gist", "GiST indexes for exclusion constraints"),
    Extension::usual("pgcrypto", "hashing and encryption"),
    Extension::usual("uuid-ossp", "UUID generation functions"),
    Extension::special("postgis", "geodata: points, shapes, distances"),
    Extension::special("vector", "similarity search in embeddings (pgvector)"),
];

/// The search path for programs, beginning with Debian's directory for this version. The programs in Debian's usual
/// directory are scripts that select one of several versions, and take several times as long as `psql` itself.
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
    fn a_session_sets_only_settings_of_its_server_version() {
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
    fn each_purpose_has_its_own_password() {
        described(&Postgres as &dyn Engine, "docker.io/library/postgres:17", |plan| {
            let (one, other) = (observer_password(plan), derived(plan, "db4sci rebuild"));
            assert!(one.expose_secret().len() == 64 && one.expose_secret() != other.expose_secret());
        });
    }
}
