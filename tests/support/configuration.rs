//! The configuration of test portals.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use mydb::config::{Config, Mode, Tier};
use mydb::secrets::Random;

use super::portal::Tables;
use super::{admin_db, seeds};

/// Number of database ports per portal.
pub const PORTS: u16 = 60;

/// A variable of this run, set by dev/test.sh.
#[expect(clippy::disallowed_methods, reason = "the environment says where tests work")]
pub fn environment(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}

/// Prefix of the instance ids of this checkout's tests.
pub fn prefix() -> String {
    environment("DB4SCI_TEST_PREFIX").unwrap_or_else(|_| "test-byhand".to_owned())
}

/// Directory that contains the directories of test portals.
pub fn test_dir() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    environment("DB4SCI_TEST_DIR").map_or_else(|_| root.join("var/test"), PathBuf::from)
}

/// A block of ports below the ephemeral range, different for each portal of this run. Runs start at different blocks,
/// so that simultaneous runs rarely collide.
pub fn ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let blocks = u32::from(12_000 / PORTS);
    let block = (std::process::id() + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % blocks;
    20_000 + u16::try_from(block).unwrap_or(0) * PORTS
}

/// An hour that is twelve hours from now.
fn other_hour() -> u32 {
    use chrono::Timelike;
    (chrono::Utc::now().hour() + 12) % 24
}

/// The configuration of a test portal, and the URL of its tables.
pub fn configuration(where_to: Tables) -> (Config, String) {
    let random = hex::encode(Random::system().bytes::<3>());
    let instance = format!("{}-{random}", prefix());
    let dir = test_dir().join(&instance);
    let tables = match where_to {
        Tables::Shared => admin_db::from_template(&instance),
        Tables::Empty => admin_db::empty(&instance),
        Tables::Own => String::new(),
    };
    let first = ports();
    let set = |key: &str, value: String| (format!("DB4SCI__{key}"), value);
    let env = [
        set("INSTANCE", instance.clone()),
        set("DATA_DIR", dir.display().to_string()),
        set("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        set("SERVER__REDIRECT_LISTEN", String::new()),
        set("SERVER__CERT", dir.join("ssl/fullchain.pem").display().to_string()),
        set("SERVER__KEY", dir.join("ssl/privkey.pem").display().to_string()),
        set("SECRETS__KEY_FILE", dir.join("seal.key").display().to_string()),
        set("ADMIN_DB__URL", tables.clone()),
        set("DATABASES__PORT_MIN", first.to_string()),
        set("DATABASES__PORT_MAX", (first + PORTS - 1).to_string()),
        // Firewall rules outlive a test that is killed; tests about them enable them.
        set("DATABASES__FIREWALL", "false".to_owned()),
        set("LIMITS__MEMORY_DEFAULT", "256m".to_owned()),
        set("JOBS__RECONCILE_SECONDS", "1".to_owned()),
        set("JOBS__USAGE_SECONDS", "2".to_owned()),
        // Scans use processor time that other tests need; tests about them shorten the interval.
        set("JOBS__SURVEY_SECONDS", "600".to_owned()),
        // The lent seeds are sufficient; tests about seeds shorten the interval.
        set("JOBS__PREPARE_SECONDS", admin_db::NEVER.to_string()),
        // Servers started in advance would be among the containers that tests count; tests about them ask for them.
        set("DATABASES__SPARES", String::new()),
        set("MYAAS__LISTEN", String::new()),
        set("JOBS__SPARES_SECONDS", "1".to_owned()),
        set("DATABASES__PREPARE", (where_to != Tables::Own).to_string()),
        // A machine that does not run the heartbeats for some seconds must not restart jobs; kills expire leases themselves.
        set("JOBS__LEASE_SECONDS", "30".to_owned()),
        // Nor are short stalls errors; tests of an unavailable mydb_admin shorten this.
        set("ADMIN_DB__PATIENCE_SECONDS", "30".to_owned()),
        // No schedule begins a backup during a test.
        set("BACKUPS__HOUR", other_hour().to_string()),
        set("JOBS__RETRY_SECONDS", "1".to_owned()),
        // It would interfere with counts in tests; tests about it enable it.
        set("BACKUPS__ADMIN_DB_SECONDS", "0".to_owned()),
        set("LOG__LEVEL", "warn".to_owned()),
    ];
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = Config::load_mode(Mode::Dev, home, &env)
        .unwrap_or_else(|problems| panic!("the test configuration is sound: {problems:?}"));
    let tier = |name: &str, path: PathBuf| Tier {
        name: name.to_owned(),
        path,
        label: name.to_owned(),
        users: Vec::new(),
        engines: Vec::new(),
        limit: None,
        seen: Some(dir.join("tiers-used").join(name)),
    };
    // Without a target no scheduled backups are made, so the time of day does not matter. `with_store` adds a target.
    config.targets.clear();
    config.storage = vec![tier("standard", dir.join("tiers/standard"))];
    if let Ok(cow) = environment("DB4SCI_TEST_COW") {
        config.storage.push(tier("cow", PathBuf::from(cow)));
    }
    if where_to == Tables::Shared {
        seeds::lend(&config);
    }
    (config, tables)
}

/// Adds an embedded store to the configuration of a portal.
pub fn store(config: &mut Config) {
    let mut target =
        mydb::config::Config::load_mode(Mode::Dev, &config.home, &[]).expect("dev mode is sound").targets.remove(0);
    target.embedded = Some(config.data_dir.join("objects"));
    config.targets = vec![target];
}
