use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::ExposeSecret;

use super::effective::effective;
use super::*;

const TIER: &str = "[[storage]]\nname = \"standard\"\npath = \"tiers/standard\"\n";

/// A home directory with the `config.toml` of one mode, removed when dropped.
struct Home(PathBuf);

impl Home {
    fn new(mode: &str, settings: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("db4sci-config-{}-{n}", std::process::id()));
        std::fs::create_dir_all(dir.join(mode)).unwrap();
        std::fs::write(dir.join(mode).join("config.toml"), settings).unwrap();
        Self(dir)
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        Config::load(&self.0, &owned(env))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn owned(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn rules(problems: &[Problem]) -> Vec<(&str, &str)> {
    problems.iter().map(|p| (p.key.as_str(), p.rule.as_str())).collect()
}

const PROD: (&str, &str) = ("DB4SCI_MODE", "prod");
const DEV: (&str, &str) = ("DB4SCI_MODE", "dev");

#[test]
fn a_mode_is_required() {
    let home = Home::new("prod", TIER);
    for env in [vec![], vec![("DB4SCI_MODE", "production")], vec![("DB4SCI_MODE", "")]] {
        let problems = home.load(&env).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].key == "DB4SCI_MODE" && problems[0].rule.contains("prod or dev"), "{problems:?}");
    }
}

#[test]
fn the_modes_have_different_defaults() {
    let (prod, dev) = (Home::new("prod", TIER), Home::new("dev", TIER));
    let (prod, dev) = (prod.load(&[PROD]).unwrap(), dev.load(&[DEV]).unwrap());
    assert_eq!(prod.server.listen.to_string(), "0.0.0.0:443");
    assert_eq!(dev.server.listen.to_string(), "127.0.0.1:8443");
    assert!(prod.log.json && !dev.log.json);
    assert_eq!(prod.data_dir, PathBuf::from("/srv/db4sci"));
    assert_eq!(dev.data_dir, dev.home.join("var/dev"));
    assert!(dev.databases.bind.is_loopback() && !prod.databases.bind.is_loopback());
    assert!(dev.mode.makes_own_secrets() && !prod.mode.makes_own_secrets());
    assert_eq!(prod.server.cert, prod.home.join("prod/ssl/fullchain.pem"));
    assert_eq!(dev.seal_key, dev.home.join("dev/secrets/seal.key"));
    assert_ne!(prod.instance, dev.instance);
}

#[test]
fn the_environment_overrides_the_file_and_the_file_overrides_the_mode() {
    let home =
        Home::new("prod", &format!("trash.days = 20\n[server]\nlisten = \"127.0.0.1:5000\"\ntls = false\n{TIER}"));
    let config = home.load(&[PROD]).unwrap();
    assert_eq!((config.server.listen.port(), config.server.tls, config.trash_days), (5000, false, 20));
    let env = [
        PROD,
        ("DB4SCI__SERVER__LISTEN", "[::1]:9443"),
        ("DB4SCI__SERVER__TLS", "yes"),
        ("DB4SCI__SERVER__TRUSTED_PROXIES", "10.0.0.1, ::1"),
        ("DB4SCI__LIMITS__MEMORY_MAX", "2g"),
        ("DB4SCI__LIMITS__CPUS_MAX", "1.5"),
        ("DB4SCI_HOME", "not a setting"),
    ];
    let config = home.load(&env).unwrap();
    assert_eq!((config.server.listen.to_string().as_str(), config.server.tls), ("[::1]:9443", true));
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!((config.limits.memory_max.0, config.limits.cpus_max.0), (2 << 30, 1500));
    assert_eq!(config.trash_days, 20);
}

#[test]
fn unknown_keys_are_errors_that_suggest_the_nearest_key() {
    let home = Home::new("prod", &format!("instence = \"x\"\ncolour = 1\n[server]\nlisten_on = \"x\"\n{TIER}"));
    let problems = home.load(&[PROD, ("DB4SCI__TRASH__DAY", "3")]).unwrap_err();
    let found = rules(&problems);
    let rule = |key: &str| found.iter().find(|(k, _)| *k == key).unwrap_or_else(|| panic!("{key} in {found:?}")).1;
    assert!(rule("instence").contains("did you mean instance?"), "{found:?}");
    assert!(rule("server.listen_on").contains("did you mean server.listen?"), "{found:?}");
    assert!(rule("trash.day").contains("did you mean trash.days?"), "{found:?}");
    assert!(rule("colour").contains("docs/OPERATIONS.md"), "{found:?}");
    assert_eq!(found.len(), 4);
}

#[test]
fn all_problems_are_reported_at_once_with_file_key_and_rule() {
    let settings = r#"
instance = "Not Good"
[server]
listen = "everywhere"
tls = "perhaps"
[databases]
port_min = 80
[limits]
memory_default = "8g"
memory_max = "1g"
pids = 3
[branding]
accent = "red"
[[storage]]
name = "a"
path = "/a"
engines = ["oracle"]
[[storage]]
name = "a"
path = "/b"
limit = "much"
"#;
    let home = Home::new("prod", settings);
    let problems =
        home.load(&[PROD, ("DB4SCI__JOBS__LEASE_SECONDS", "0"), ("DB4SCI__LOG__FORMAT", "xml")]).unwrap_err();
    let found = rules(&problems);
    for key in [
        "instance",
        "server.listen",
        "server.tls",
        "databases.port_min",
        "limits.memory_default",
        "limits.pids",
        "branding.accent",
        "storage[0].engines",
        "storage[1].name",
        "storage[1].limit",
        "jobs.lease_seconds",
        "log.format",
    ] {
        assert!(found.iter().any(|(k, _)| *k == key), "{key} in {found:?}");
    }
    let file = home.0.join("prod/config.toml").display().to_string();
    let of = |key: &str| problems.iter().find(|p| p.key == key).unwrap();
    assert_eq!(of("server.listen").source, file);
    assert_eq!(of("log.format").source, "environment variable DB4SCI__LOG__FORMAT");
    assert!(of("instance").to_string().starts_with(&format!("{file}: instance: ")), "{}", of("instance"));
}

#[test]
fn time_zone_copies_and_notify_command_are_validated() {
    let targets = "[[target]]\nname = \"one\"\nbucket = \"abc\"\n[[target]]\nname = \"two\"\nbucket = \"abc\"\n";
    let load = |settings: &str| Home::new("prod", &format!("{settings}\n{TIER}{targets}")).load(&[PROD]);
    let bad = "backups.time_zone = \"Berlin\"\nbackups.copies = [\"one\", \"three\"]\nnotify.command = [\"tell\"]";
    let problems = load(bad).unwrap_err();
    let found = rules(&problems);
    assert_eq!(found.len(), 4, "{found:?}");
    for (key, why) in [
        ("backups.time_zone", "There is no time zone “Berlin”"),
        ("backups.copies", "“one” is already the default target"),
        ("backups.copies", "there is no [[target]] “three”"),
        ("notify.command", "absolute path"),
    ] {
        assert!(found.iter().any(|(k, rule)| *k == key && rule.contains(why)), "{key} in {found:?}");
    }
    let good =
        "backups.time_zone = \"Europe/Berlin\"\nbackups.copies = [\"two\"]\nnotify.command = [\"/bin/tell\", \"-x\"]";
    let config = load(good).unwrap();
    assert_eq!(config.backups.window.zone, chrono_tz::Tz::Europe__Berlin);
    assert_eq!((config.backups.copies.as_slice(), config.notify.command.len()), (["two".to_owned()].as_slice(), 2));
}

#[test]
fn invalid_toml_and_missing_tiers_are_reported() {
    let broken = Home::new("prod", "this is = = no toml").load(&[PROD]).unwrap_err();
    assert!(broken.iter().any(|p| p.key == "(syntax)"), "{broken:?}");
    let empty = Home::new("prod", "").load(&[PROD]).unwrap_err();
    assert_eq!(rules(&empty)[0].0, "storage");
    let odd = Home::new("prod", &TIER.replace("path", "paht")).load(&[PROD]).unwrap_err();
    assert!(odd.iter().any(|p| p.key == "storage" && p.rule.contains("paht")), "{odd:?}");
}

#[test]
fn secrets_are_read_from_files_and_never_printed() {
    let home = Home::new("prod", TIER);
    let file = home.0.join("url");
    std::fs::write(&file, "postgres://u:tell-nobody@db/x\n").unwrap();
    let path = file.display().to_string();
    let env = [PROD, ("DB4SCI__ADMIN_DB__URL_FILE", path.as_str())];
    let config = home.load(&env).unwrap();
    assert_eq!(config.admin_db.url.as_ref().unwrap().expose_secret(), "postgres://u:tell-nobody@db/x");
    assert!(!format!("{config:?}").contains("tell-nobody"));

    let shown = effective(Mode::Prod, &home.0, &owned(&env));
    assert!(!format!("{shown:?}").contains("tell-nobody"), "{shown:?}");
    let of = |key: &str| shown.iter().find(|s| s.key == key).unwrap();
    assert_eq!(of("admin_db.url").value, "(secret)");
    assert!(of("admin_db.url").source.ends_with(&path), "{:?}", of("admin_db.url"));
    assert_eq!((of("trash.days").value.as_str(), of("trash.days").source.as_str()), ("10", "defaults"));

    let absent = home.load(&[PROD, ("DB4SCI__ADMIN_DB__URL_FILE", "/nowhere")]).unwrap_err();
    assert_eq!(rules(&absent)[0].0, "admin_db.url_file");
    let no_secret = home.load(&[PROD, ("DB4SCI__INSTANCE_FILE", &path)]).unwrap_err();
    assert_eq!(rules(&no_secret)[0].0, "instance_file");
}

#[test]
fn the_shipped_settings_are_valid_in_both_modes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for mode in [Mode::Prod, Mode::Dev] {
        let config = Config::load_mode(mode, root, &[]).unwrap_or_else(|p| panic!("{mode}: {p:#?}"));
        assert_eq!(config.storage[0].name, "standard", "{mode}");
        let catalog = crate::catalog::Catalog::load(&config.catalog).unwrap();
        for image in config.images.replace.keys() {
            assert!(catalog.find(image).is_some(), "{mode}: {image}");
        }
    }
    let dev = Config::load_mode(Mode::Dev, root, &[]).unwrap();
    assert!(dev.tier("cow").is_some(), "dev has a tier whose files share blocks");
}

#[test]
fn images_are_replaced_or_taken_from_the_mirror() {
    let home = Home::new(
        "prod",
        &format!(
            "{TIER}[images]\nregistry_mirror = \"m.example.org/hub/\"\n[images.replace]\n\"docker.io/library/postgres:17\" = \"own/pg:17\"\n"
        ),
    );
    let config = home.load(&[PROD]).unwrap();
    assert_eq!(config.image_reference("docker.io/library/postgres:17"), "own/pg:17");
    assert_eq!(config.image_reference("docker.io/library/postgres:15"), "m.example.org/hub/library/postgres:15");
}

#[test]
fn the_settings_reference_in_the_documents_is_current() {
    let text = include_str!("../../docs/OPERATIONS.md");
    let (_, rest) = text.split_once("<!-- settings -->\n").expect("the first marker");
    let (written, _) = rest.split_once("<!-- /settings -->").expect("the second marker");
    assert!(
        written.trim() == settings_reference::markdown().trim(),
        "docs/OPERATIONS.md is behind the code: put the output of `db4sci settings-reference` between its markers"
    );
}

#[test]
fn backup_encryption_settings_are_validated() {
    let (key, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let (public, secret) = (key.to_public().to_string(), key.to_string());
    let settings = |recipients: &str, file: &str| {
        format!("{TIER}[backups]\nrecipients = [{recipients}]\nidentity_file = \"{file}\"\n")
    };
    let home = Home::new("dev", &settings(&format!("\"age1nonsense\", \"{}\"", secret.expose_secret()), "nowhere.key"));
    let problems = home.load(&[DEV]).unwrap_err();
    let said = format!("{problems:?}");
    for words in ["not an age recipient", "is a secret key", "nowhere.key"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let printed = format!("{said} {:?}", effective(Mode::Dev, &home.0, &[]));
    assert!(!printed.contains(secret.expose_secret()), "no key is repeated");

    let home = Home::new("dev", &settings(&format!("\"{public}\""), "backup.key"));
    let file = home.0.join("backup.key");
    std::fs::write(&file, format!("# a remark\n{}\n", secret.expose_secret())).unwrap();
    let config = home.load(&[DEV]).unwrap();
    assert_eq!((config.backups.recipients, config.backups.identities.len()), (vec![public], 1));
    std::fs::write(&file, other.to_string().expose_secret()).unwrap();
    let problems = home.load(&[DEV]).unwrap_err();
    assert!(
        rules(&problems).iter().any(|(k, r)| *k == "backups.identity_file" && r.contains("not in backups.recipients")),
        "{problems:?}"
    );
}

#[test]
fn times_to_live_are_read_from_file_and_environment_and_validated() {
    use crate::domain::engine::EngineKind;
    use crate::domain::ttl::Lifetime;
    use crate::domain::user::Role;

    let home = Home::new("prod", &format!("[limits]\nttl_max = [\"30d\", \"neo4j=7d\"]\n{TIER}"));
    let env = [PROD, ("DB4SCI__LIMITS__TTL_DEFAULT", "8h, user:postgres=1d"), ("DB4SCI__JOBS__REAPER", "expired,dead")];
    let config = home.load(&env).unwrap();
    let limits = |role, engine| {
        let of = config.limits.ttl.of(role, engine);
        (of.longest.map(Lifetime::exact), of.default.map(Lifetime::exact))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(limits(Role::User, EngineKind::Postgres), (some("30d"), some("1d")));
    assert_eq!(limits(Role::User, EngineKind::Neo4j), (some("7d"), some("8h")));
    assert_eq!(limits(Role::Admin, EngineKind::Neo4j), (None, None));
    assert_eq!(config.jobs.reaper.len(), 2);

    let home = Home::new("prod", &format!("[limits]\nttl_max = [\"1d\", \"1e3\", \"2d\"]\n{TIER}"));
    let problems =
        home.load(&[PROD, ("DB4SCI__LIMITS__TTL_DEFAULT", "3d"), ("DB4SCI__JOBS__REAPER", "all")]).unwrap_err();
    let said = rules(&problems);
    for (key, words) in [
        ("limits.ttl_max", "“1e3”: “1e3” is not a whole number."),
        ("limits.ttl_max", "“2d” is the second entry"),
        ("limits.ttl_default", "3 days for user:postgres must not be above limits.ttl_max"),
        ("jobs.reaper", "“all” is not one of expired, dead and unhealthy"),
    ] {
        assert!(said.iter().any(|(k, rule)| *k == key && rule.contains(words)), "{words}: {said:?}");
    }
}

#[test]
fn variables_of_the_predecessor_set_the_matching_settings() {
    let home = Home::new("dev", TIER);
    let config = home
        .load(&[
            DEV,
            ("MYAAS_HOSTNAME", "db.example.org"),
            ("MYAAS_PREFIX", "myaas-"),
            ("MYAAS_CONTAINER_TTL", "0"),
            ("MYAAS_DB_DATABASE", "shop"),
            ("MYAAS_DB_USERNAME", "clerk"),
            ("MYAAS_DB_PASSWORD", "a-password-of-all"),
            ("MYAAS_MEMORY_LIMIT", "2g"),
            ("MYAAS_BASE_DIR", "/srv/myaas/"),
            ("MYAAS_DEBUG", "True"),
            ("MYAAS_CPU_PINNING_CORES", "0"),
            ("MYAAS_BACKEND", "myaas.backends.mysql"),
            ("MYAAS_URL", "http://localhost:5001"),
        ])
        .unwrap();
    assert_eq!((config.databases.host.as_str(), config.myaas.prefix.as_str()), ("db.example.org", "myaas-"));
    assert_eq!((config.myaas.ttl, config.log.level.as_str()), (None, "debug"));
    assert_eq!(config.templates.names, ("shop".to_owned(), "clerk".to_owned()));
    assert_eq!(config.myaas.password.as_ref().map(ExposeSecret::expose_secret), Some("a-password-of-all"));
    assert_eq!(config.templates.memory.map(|m| m.0), Some(2 * 1024 * 1024 * 1024));
    assert_eq!(config.templates.dumps, Path::new("/srv/myaas/dumps"));
    // The portal's own settings take precedence, and a variable that does not exist is a problem.
    let config = home.load(&[DEV, ("DB4SCI__MYAAS__PREFIX", "own-"), ("MYAAS_PREFIX", "myaas-")]).unwrap();
    assert_eq!(config.myaas.prefix, "own-");
    let problems = home.load(&[DEV, ("MYAAS_TLL", "1")]).unwrap_err();
    assert_eq!(rules(&problems).first().map(|(key, _)| *key), Some("MYAAS_TLL"));
}

#[test]
fn the_import_hour_is_validated() {
    let home = Home::new("dev", TIER);
    let hour = |text: &str| home.load(&[DEV, ("DB4SCI__TEMPLATES__HOUR", text)]).map(|config| config.templates.hour);
    assert_eq!(
        (hour("23").unwrap(), hour("").unwrap(), home.load(&[DEV]).unwrap().templates.hour),
        (Some(23), None, Some(2))
    );
    for bad in ["24", "-1", "noon", "2.5"] {
        assert!(hour(bad).is_err(), "{bad}");
    }
}
