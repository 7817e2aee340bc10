//! Builds the validated configuration from the collected values.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::{Config, Mode, load};
use crate::config::load::Values;
use crate::config::problem::Problem;
use crate::config::reader::Reader;
use crate::config::templates::read;
use crate::config::{
    AdminDb, Branding, Databases, Images, Jobs, Limits, Link, Log, Server, SpareRule, Tier, TtlRule, TtlSettings,
    read_backups,
};
use crate::domain::cpu_set::{CpuSet, topology};
use crate::domain::engine::EngineKind;
use crate::domain::expiry::ReaperFilter;
use crate::domain::names::InstanceId;
use crate::domain::quantity::{ByteSize, MilliCpus};

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
    let mut storage = storage(&mut r, mode);
    let targets = read_backups::targets(&mut r);
    let backups = read_backups::backups(&mut r, &targets);
    let notify = read_backups::notify(&mut r);
    let jobs = jobs(&mut r);
    let admin_db = AdminDb {
        url: r.optional("admin_db.url").map(SecretString::from),
        image: r.text("admin_db.image"),
        memory: ByteSize(r.number("admin_db.memory")),
        connections: u32::try_from(r.number("admin_db.connections").max(2)).unwrap_or(10),
        patience: r.seconds("admin_db.patience_seconds"),
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
    for tier in &mut storage {
        tier.seen = Some(data_dir.join("tiers-used").join(&tier.name));
    }
    let catalog = r.path(&r.text("catalog"));
    let trash_days = r.number("trash.days");
    let (templates, myaas) = (read::templates(&mut r, &data_dir), read::myaas(&mut r));
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
            notify,
            images,
            seal_key,
            trash_days,
            jobs,
            log: Log { json: log_format == "json", level: r.text("log.level") },
            branding,
            templates,
            myaas,
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
            Err(_) => r.problem("server.trusted_proxies", format!("“{text}” is not an IP address")),
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
        connections: at_least(r, "server.connections", 16),
        connections_per_address: at_least(r, "server.connections_per_address", 4),
        header_time: r.seconds("server.header_seconds").max(Duration::from_secs(1)),
        idle: r.seconds("server.idle_seconds").max(Duration::from_secs(1)),
        least_rate: u64::try_from(r.number("server.least_rate")).unwrap_or(0),
        streams_per_person: at_least(r, "server.streams_per_person", 1),
        waits_per_person: at_least(r, "server.waits_per_person", 1),
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
    let host = r.optional("databases.host").unwrap_or_else(host_name);
    let own_names = r.flag("databases.own_names");
    if own_names && host.parse::<std::net::IpAddr>().is_ok() {
        r.problem("databases.own_names", "needs a host name in databases.host, not an IP address");
    }
    Databases {
        host,
        own_names,
        bind: r.text("databases.bind").parse().unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        ports,
        start_timeout: r.seconds("databases.start_timeout"),
        start_longest: r.seconds("databases.start_longest"),
        create_timeout: r.seconds("databases.create_timeout"),
        prepare: r.flag("databases.prepare"),
        spares: spares(r),
        spares_memory: ByteSize(r.number("databases.spares_memory")),
        firewall: r.flag("databases.firewall"),
        pin_cores: small(r, "databases.pin_cores", 1024),
        cpu_map: cpu_map(r),
        system_dir: r.path(&r.text("databases.system_dir")),
        memory_reservation: u8::try_from(small(r, "databases.memory_reservation", 100)).unwrap_or(0),
    }
}

/// A number from 0 to `most`.
fn small(r: &mut Reader<'_>, key: &str, most: u16) -> u16 {
    let found = u16::try_from(r.number(key)).ok().filter(|n| *n <= most);
    if found.is_none() {
        r.problem(key, format!("must be from 0 to {most}"));
    }
    found.unwrap_or(0)
}

fn cpu_map(r: &mut Reader<'_>) -> Option<Vec<CpuSet>> {
    let text = r.optional("databases.cpu_map")?;
    match topology::parse_map(&text) {
        Ok(map) => Some(map),
        Err(e) => {
            r.problem("databases.cpu_map", e.to_string());
            None
        }
    }
}

fn spares(r: &mut Reader<'_>) -> Vec<SpareRule> {
    let mut rules = Vec::new();
    for text in r.list("databases.spares") {
        match SpareRule::parse(&text) {
            Ok(rule) => rules.push(rule),
            Err(why) => r.problem("databases.spares", why),
        }
    }
    rules
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn limits(r: &mut Reader<'_>) -> Limits {
    let cpus = |r: &Reader<'_>, key| MilliCpus(i32::try_from(r.number(key)).unwrap_or(1000));
    let limits = Limits {
        memory_default: ByteSize(r.number("limits.memory_default")),
        memory_max: ByteSize(r.number("limits.memory_max")),
        cpus_default: cpus(r, "limits.cpus_default"),
        cpus_max: cpus(r, "limits.cpus_max"),
        pids: r.number("limits.pids"),
        containers_per_user: r.number("limits.containers_per_user"),
        loads_per_person: r.number("limits.loads_per_person"),
        memory_per_person: ByteSize(r.number("limits.memory_per_person")),
        cpus_per_person: cpus(r, "limits.cpus_per_person"),
        ttl: ttl(r),
    };
    if limits.loads_per_person < 1 {
        r.problem("limits.loads_per_person", "must be at least 1");
    }
    if limits.memory_default > limits.memory_max {
        r.problem("limits.memory_default", "must not be above limits.memory_max");
    }
    if limits.cpus_default > limits.cpus_max {
        r.problem("limits.cpus_default", "must not be above limits.cpus_max");
    }
    if limits.pids < 64 {
        r.problem("limits.pids", "must be at least 64, or servers will not start");
    }
    limits
}

fn ttl(r: &mut Reader<'_>) -> TtlSettings {
    let mut settings = TtlSettings::default();
    for (key, rules) in [("limits.ttl_max", &mut settings.longest), ("limits.ttl_default", &mut settings.default)] {
        for text in r.list(key) {
            match TtlRule::parse(&text) {
                Ok(rule) if rules.add(rule) => {}
                Ok(_) => r.problem(key, format!("“{text}” is the second entry for the same databases")),
                Err(why) => r.problem(key, why),
            }
        }
    }
    if let Some(why) = settings.contradiction() {
        r.problem("limits.ttl_default", why);
    }
    settings
}

fn storage(r: &mut Reader<'_>, mode: Mode) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = r.table("storage");
    if tiers.is_empty() && r.values.problems.iter().all(|p| p.key != "storage") {
        r.problem("storage", format!("no [[storage]] tier is configured in {mode}/config.toml; add at least one"));
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
            problem("engines", format!("“{engine}” is not an engine"));
        }
        if let Some(Err(rule)) = tier.limit.as_deref().map(ByteSize::parse) {
            problem("limit", rule);
        }
    }
    tiers
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
        favicon: r.optional("branding.favicon").map(|p| r.path(&p)),
        accent,
        contact: r.optional("branding.contact"),
        notice: r.optional("branding.notice"),
        links,
    }
}

/// Reads a number and reports it if it is below `least`.
fn at_least(r: &mut Reader<'_>, key: &str, least: usize) -> usize {
    let found = usize::try_from(r.number(key)).unwrap_or(0);
    if found < least {
        r.problem(key, format!("must be at least {least}"));
    }
    found
}

fn jobs(r: &mut Reader<'_>) -> Jobs {
    let count = |r: &Reader<'_>, key: &str| usize::try_from(r.number(key)).unwrap_or(0);
    let mut hours = |key: &str| {
        if r.number(key) < 1 {
            r.problem(key, "must be at least 1");
        }
        r.seconds(key) * 3600
    };
    let (short, long, load) = (hours("jobs.short_hours"), hours("jobs.long_hours"), hours("limits.load_hours"));
    Jobs {
        workers: count(r, "jobs.workers").max(1),
        short_workers: count(r, "jobs.short_workers"),
        short,
        long,
        load,
        lease: r.seconds("jobs.lease_seconds"),
        retry: r.seconds("jobs.retry_seconds"),
        reconcile: r.seconds("jobs.reconcile_seconds"),
        usage: r.seconds("jobs.usage_seconds"),
        survey: r.seconds("jobs.survey_seconds"),
        prepare: r.seconds("jobs.prepare_seconds"),
        spares: r.seconds("jobs.spares_seconds"),
        reaper_every: r.seconds("jobs.reaper_seconds"),
        reaper: reaper(r),
    }
}

fn reaper(r: &mut Reader<'_>) -> Vec<ReaperFilter> {
    let mut filters = Vec::new();
    for word in r.list("jobs.reaper") {
        match ReaperFilter::parse(&word) {
            Some(filter) => filters.push(filter),
            None => r.problem("jobs.reaper", format!("“{word}” is not one of expired, dead and unhealthy")),
        }
    }
    filters
}

impl Config {
    /// Reads the configuration of the mode that `env` names.
    pub fn load(home: &Path, env: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let text = env.iter().find(|(k, _)| k == "DB4SCI_MODE").map(|(_, v)| v.as_str());
        let mode = Mode::parse(text).map_err(|p| vec![p])?;
        Self::load_mode(mode, home, env)
    }

    /// Reads the configuration of `mode`.
    pub fn load_mode(mode: Mode, home: &Path, env: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let file = home.join(mode.as_str()).join("config.toml");
        read(mode, home, load::gather(mode, &file, env))
    }
}
