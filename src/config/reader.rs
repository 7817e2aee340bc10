//! From gathered values to a checked [`Config`], noting every problem on the way.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::load::{Problem, Values};
use super::{
    AdminDb, Backups, Branding, Config, Databases, Images, Jobs, Limits, Link, Log, Mode, Server, Target, Tier,
};
use crate::backup::seal;
use crate::domain::names::InstanceId;
use crate::domain::quantity::{Bytes, MilliCpus};
use crate::domain::retention::Keep;
use crate::engine::EngineKind;

struct Reader<'a> {
    home: &'a Path,
    values: Values,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> String {
        self.optional(key).unwrap_or_default()
    }

    fn optional(&self, key: &str) -> Option<String> {
        let value = &self.values.settings.get(key)?.value;
        value.as_str().map(str::to_owned).filter(|s| !s.is_empty())
    }

    fn number(&self, key: &str) -> i64 {
        self.values.settings.get(key).and_then(|v| v.value.as_integer()).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.values.settings.get(key).and_then(|v| v.value.as_bool()).unwrap_or_default()
    }

    fn list(&self, key: &str) -> Vec<String> {
        let items = self.values.settings.get(key).and_then(|v| v.value.as_array());
        items.into_iter().flatten().filter_map(|v| v.as_str()).map(str::to_owned).collect()
    }

    fn problem(&mut self, key: &str, rule: impl Into<String>) {
        let source = self.values.source(key);
        self.values.problem(&source, key, rule);
    }

    /// A number of seconds (or other units) that must be at least 1.
    fn seconds(&mut self, key: &str) -> Duration {
        let n = self.number(key);
        if n < 1 {
            self.problem(key, "must be at least 1");
        }
        Duration::from_secs(u64::try_from(n).unwrap_or(1))
    }

    fn path(&self, text: &str) -> PathBuf {
        self.home.join(text)
    }

    fn path_or(&self, key: &str, otherwise: PathBuf) -> PathBuf {
        self.optional(key).map_or(otherwise, |p| self.path(&p))
    }

    fn table<T: serde::de::DeserializeOwned + Default>(&mut self, key: &str) -> T {
        let Some(found) = self.values.tables.get(key) else { return T::default() };
        match found.value.clone().try_into() {
            Ok(read) => read,
            Err(e) => {
                self.problem(key, e.to_string().trim().replace('\n', " "));
                T::default()
            }
        }
    }
}

/// Builds the configuration.
pub(super) fn read(mode: Mode, home: &Path, values: Values) -> Result<Config, Vec<Problem>> {
    let mode_dir = home.join(mode.as_str());
    let mut r = Reader { home, values };
    let instance = match InstanceId::parse(&r.text("instance")) {
        Ok(id) => Some(id),
        Err(e) => {
            r.problem("instance", e.to_string());
            None
        }
    };
    let server = server(&mut r, &mode_dir);
    let databases = databases(&mut r);
    let limits = limits(&mut r);
    let storage = storage(&mut r, mode);
    let targets = targets(&mut r);
    let backups = backups(&mut r);
    let jobs = Jobs {
        workers: usize::try_from(r.number("jobs.workers").max(1)).unwrap_or(1),
        lease: r.seconds("jobs.lease_seconds"),
        retry: r.seconds("jobs.retry_seconds"),
        reconcile: r.seconds("jobs.reconcile_seconds"),
        usage: r.seconds("jobs.usage_seconds"),
        survey: r.seconds("jobs.survey_seconds"),
    };
    let admin_db = AdminDb {
        url: r.optional("admin_db.url").map(SecretString::from),
        image: r.text("admin_db.image"),
        memory: Bytes(r.number("admin_db.memory")),
        connections: u32::try_from(r.number("admin_db.connections").max(2)).unwrap_or(10),
    };
    let images = Images { registry_mirror: r.optional("images.registry_mirror"), replace: r.table("images.replace") };
    let branding = branding(&mut r);
    let log_format = r.text("log.format");
    if !matches!(log_format.as_str(), "json" | "text") {
        r.problem("log.format", "must be json or text");
    }
    let seal_key = r.path_or("secrets.key_file", mode_dir.join("secrets/seal.key"));
    let data_dir = r.path(&r.text("data_dir"));
    if !data_dir.is_absolute() {
        r.problem("data_dir", "must become an absolute path; start the portal from an absolute home directory");
    }
    let catalog = r.path(&r.text("catalog"));
    let trash_days = r.number("trash.days");
    match instance {
        Some(instance) if r.values.problems.is_empty() => Ok(Config {
            mode,
            home: home.to_owned(),
            mode_dir,
            instance,
            data_dir,
            catalog,
            server,
            databases,
            limits,
            admin_db,
            storage,
            targets,
            backups,
            images,
            seal_key,
            trash_days,
            jobs,
            log: Log { json: log_format == "json", level: r.text("log.level") },
            branding,
        }),
        _ => Err(r.values.problems),
    }
}

fn server(r: &mut Reader<'_>, mode_dir: &Path) -> Server {
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
    if r.optional("server.listen").is_none() {
        r.problem("server.listen", "must not be empty");
    }
    let mut trusted_proxies = Vec::new();
    for text in r.list("server.trusted_proxies") {
        match text.parse() {
            Ok(ip) => trusted_proxies.push(ip),
            Err(_) => r.problem("server.trusted_proxies", format!("“{text}” is no IP address")),
        }
    }
    let public_url = r.optional("server.public_url").map(|u| u.trim_end_matches('/').to_owned());
    if public_url.as_deref().is_some_and(|u| !u.starts_with("https://") && !u.starts_with("http://")) {
        r.problem("server.public_url", "must start with https://");
    }
    Server {
        listen: r.optional("server.listen").and_then(|a| a.parse().ok()).unwrap_or(unspecified),
        redirect_listen: r.optional("server.redirect_listen").and_then(|a| a.parse().ok()),
        tls: r.flag("server.tls"),
        cert: r.path_or("server.cert", mode_dir.join("ssl/fullchain.pem")),
        key: r.path_or("server.key", mode_dir.join("ssl/privkey.pem")),
        public_url,
        trusted_proxies,
        session: r.seconds("server.session_hours") * 3600,
    }
}

fn databases(r: &mut Reader<'_>) -> Databases {
    let mut port = |key: &str| {
        let n = u16::try_from(r.number(key)).ok().filter(|p| *p >= 1024);
        if n.is_none() {
            r.problem(key, "must be a port from 1024 to 65535");
        }
        n.unwrap_or(1024)
    };
    let ports = port("databases.port_min")..=port("databases.port_max");
    if ports.is_empty() {
        r.problem("databases.port_max", "must not be below databases.port_min");
    }
    Databases {
        host: r.optional("databases.host").unwrap_or_else(host_name),
        bind: r.text("databases.bind").parse().unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        ports,
        start_timeout: r.seconds("databases.start_timeout"),
        create_timeout: r.seconds("databases.create_timeout"),
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn limits(r: &mut Reader<'_>) -> Limits {
    let cpus = |r: &Reader<'_>, key| MilliCpus(i32::try_from(r.number(key)).unwrap_or(1000));
    let limits = Limits {
        memory_default: Bytes(r.number("limits.memory_default")),
        memory_max: Bytes(r.number("limits.memory_max")),
        cpus_default: cpus(r, "limits.cpus_default"),
        cpus_max: cpus(r, "limits.cpus_max"),
        pids: r.number("limits.pids"),
        containers_per_user: r.number("limits.containers_per_user"),
    };
    if limits.memory_default > limits.memory_max {
        r.problem("limits.memory_default", "must not be above limits.memory_max");
    }
    if limits.cpus_default > limits.cpus_max {
        r.problem("limits.cpus_default", "must not be above limits.cpus_max");
    }
    if limits.pids < 64 {
        r.problem("limits.pids", "must be at least 64, or no server starts");
    }
    limits
}

fn storage(r: &mut Reader<'_>, mode: Mode) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = r.table("storage");
    if tiers.is_empty() && r.values.problems.iter().all(|p| p.key != "storage") {
        r.problem("storage", format!("no [[storage]] tier is configured in {mode}/config.toml; name at least one"));
    }
    for i in 0..tiers.len() {
        let Some(tier) = tiers.get_mut(i) else { continue };
        tier.path = r.home.join(&tier.path);
        if tier.label.is_empty() {
            tier.label.clone_from(&tier.name);
        }
        let tier = tier.clone();
        let key = format!("storage[{i}]");
        let source = r.values.source("storage");
        let mut problem = |field: &str, rule: String| r.values.problem(&source, &format!("{key}.{field}"), rule);
        if InstanceId::parse(&tier.name).is_err() {
            problem("name", format!("“{}” must be lower-case letters, digits and “-”", tier.name));
        }
        if tiers.iter().filter(|t| t.name == tier.name).count() > 1 {
            problem("name", format!("“{}” is used twice", tier.name));
        }
        for engine in tier.engines.iter().filter(|e| EngineKind::parse(e).is_none()) {
            problem("engines", format!("“{engine}” is no engine"));
        }
        if let Some(Err(rule)) = tier.limit.as_deref().map(Bytes::parse) {
            problem("limit", rule);
        }
    }
    tiers
}

fn backups(r: &mut Reader<'_>) -> Backups {
    let level = i32::try_from(r.number("backups.level")).unwrap_or(0);
    if !(1..=19).contains(&level) {
        r.problem("backups.level", "must be from 1 to 19");
    }
    let hour = u32::try_from(r.number("backups.hour")).unwrap_or(24);
    if hour > 23 {
        r.problem("backups.hour", "must be an hour from 0 to 23");
    }
    let spread = r.number("backups.spread_minutes");
    if !(0..=720).contains(&spread) {
        r.problem("backups.spread_minutes", "must be from 0 to 720");
    }
    let at_once = usize::try_from(r.number("backups.at_once")).unwrap_or(0);
    if at_once == 0 {
        r.problem("backups.at_once", "must be at least 1");
    }
    let admin_every = r.number("backups.admin_db_seconds");
    if admin_every < 0 {
        r.problem("backups.admin_db_seconds", "must be at least 0");
    }
    let admin_every = Duration::from_secs(u64::try_from(admin_every).unwrap_or(0));
    let (recipients, identity_file, identities) = encryption(r);
    let long_distance = r.flag("backups.long_distance");
    let keep = keep(r);
    let upload_max = Bytes(r.number("backups.upload_max"));
    Backups {
        level,
        long_distance,
        recipients,
        identity_file,
        identities,
        upload_max,
        at_once,
        hour,
        spread,
        admin_every,
        keep,
    }
}

/// To whom backups are encrypted, and what this portal has to decrypt them.
fn encryption(r: &mut Reader<'_>) -> (Vec<String>, Option<PathBuf>, Vec<SecretString>) {
    const FILE: &str = "backups.identity_file";
    let recipients = r.list("backups.recipients");
    for recipient in &recipients {
        if let Err(rule) = seal::check_recipient(recipient) {
            r.problem("backups.recipients", rule);
        }
    }
    let file = r.optional(FILE).map(|p| r.path(&p));
    let Some(path) = &file else { return (recipients, None, Vec::new()) };
    let read = std::fs::read_to_string(path).map_err(|e| e.to_string()).and_then(|text| seal::identities(&text));
    let identities = read.unwrap_or_else(|rule| {
        r.problem(FILE, format!("{}: {rule}", path.display()));
        Vec::new()
    });
    let theirs = |i: &SecretString| seal::recipient_of(i).is_some_and(|own| recipients.contains(&own));
    // Without recipients it is for the backups of before.
    if !identities.is_empty() && !recipients.is_empty() && !identities.iter().any(theirs) {
        let own: Vec<_> = identities.iter().filter_map(seal::recipient_of).collect();
        r.problem(
            FILE,
            format!(
                "{} has the key of {}, which is not among backups.recipients: the portal could not read its own backups",
                path.display(),
                own.join(" and ")
            ),
        );
    }
    (recipients, file, identities)
}

fn keep(r: &mut Reader<'_>) -> Keep {
    let mut number = |key: &str| {
        let n = r.number(key);
        // Beyond that a date can't be reckoned with; it is for ever all the same.
        if !(0..=100_000).contains(&n) {
            r.problem(key, "must be from 0 to 100000");
        }
        n
    };
    let mut count = |key: &str| usize::try_from(number(key)).unwrap_or(0);
    Keep {
        last: count("backups.keep.last"),
        daily: count("backups.keep.daily"),
        weekly: count("backups.keep.weekly"),
        monthly: count("backups.keep.monthly"),
        yearly: count("backups.keep.yearly"),
        min_age_days: number("backups.keep.min_age_days"),
    }
}

fn targets(r: &mut Reader<'_>) -> Vec<Target> {
    let mut targets: Vec<Target> = r.table("target");
    for i in 0..targets.len() {
        let Some(target) = targets.get_mut(i) else { continue };
        let key = format!("target[{i}]");
        let source = r.values.source("target");
        target.embedded = target.embedded.take().map(|p| r.home.join(p));
        target.ca = target.ca.take().map(|p| r.home.join(p));
        if let Some(file) = target.secret_access_key_file.take().map(|p| r.home.join(p)) {
            match std::fs::read_to_string(&file) {
                Ok(text) => target.secret_access_key = Some(SecretString::from(text.trim().to_owned())),
                Err(e) => r.values.problem(
                    &source,
                    &format!("{key}.secret_access_key_file"),
                    format!("{}: {e}", file.display()),
                ),
            }
        }
        let target = target.clone();
        let mut problem = |field: &str, rule: String| r.values.problem(&source, &format!("{key}.{field}"), rule);
        if InstanceId::parse(&target.name).is_err() {
            problem("name", format!("“{}” must be lower-case letters, digits and “-”", target.name));
        }
        if targets.iter().filter(|t| t.name == target.name).count() > 1 {
            problem("name", format!("“{}” is used twice", target.name));
        }
        if target.bucket.len() < 3 {
            problem("bucket", "a bucket's name has at least 3 characters".to_owned());
        }
        if target.access_key_id.is_some() != target.secret_access_key.is_some() {
            problem("access_key_id", "goes together with secret_access_key or secret_access_key_file".to_owned());
        }
        if let Some(endpoint) =
            target.endpoint.as_deref().filter(|e| !e.starts_with("https://") && !e.starts_with("http://"))
        {
            problem("endpoint", format!("“{endpoint}” must start with https://"));
        }
        if target.encryption.as_deref().is_some_and(|e| !matches!(e, "AES256" | "aws:kms")) {
            problem("encryption", "must be AES256 or aws:kms".to_owned());
        }
        if target.prefix.starts_with('/') {
            problem("prefix", "must not begin with /".to_owned());
        }
        if !(100..=10_000).contains(&target.part_limit) {
            problem("part_limit", "must be from 100 to 10000".to_owned());
        }
    }
    targets
}

fn branding(r: &mut Reader<'_>) -> Branding {
    let accent = r.optional("branding.accent");
    let is_colour = |c: &str| c.len() == 7 && c.starts_with('#') && c.chars().skip(1).all(|d| d.is_ascii_hexdigit());
    if accent.as_deref().is_some_and(|c| !is_colour(c)) {
        r.problem("branding.accent", "must be a colour such as #1f6feb");
    }
    let links: Vec<Link> = r.table("branding.links");
    if links
        .iter()
        .any(|l| !l.url.starts_with("https://") && !l.url.starts_with("http://") && !l.url.starts_with("mailto:"))
    {
        r.problem("branding.links", "a link's url must start with https://, http:// or mailto:");
    }
    Branding {
        name: r.text("branding.name"),
        logo: r.optional("branding.logo").map(|p| r.path(&p)),
        accent,
        contact: r.optional("branding.contact"),
        notice: r.optional("branding.notice"),
        links,
    }
}
