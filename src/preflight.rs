//! Checks the files and directories that the portal needs before it starts. The settings themselves are checked when
//! they are read.

use std::path::Path;

use crate::catalog::Catalog;
use crate::certificate::{Certificate, check_pair, private_file_fault};
use crate::config::{Config, Problem};
use crate::secrets::{Random, Sealer};
use crate::storage::fault;

/// Returns all problems. In dev mode, files that the portal creates itself may be missing. Expired certificates are
/// left to `doctor`, because refusing to start would not help to replace them.
pub fn check(config: &Config, catalog: &Catalog) -> Vec<Problem> {
    let mut problems = images(config, catalog);
    let made = |path: &Path| config.mode.makes_own_secrets() && !path.exists();
    if !made(&config.seal_key) {
        problems.extend(seal_key(config));
    }
    if config.server.tls && !(made(&config.server.cert) || made(&config.server.key)) {
        problems.extend(server_certificate(config));
    }
    problems.extend(tiers(config));
    problems
}

/// Problems with tiers that are unavailable and are not created at startup.
fn tiers(config: &Config) -> Vec<Problem> {
    let file = config.mode_dir.join("config.toml");
    let made = |n: usize| n == 0 && config.mode.makes_own_secrets();
    let faults = config.storage.iter().enumerate().filter(|(n, tier)| !made(*n) || tier.path.exists());
    faults
        .filter_map(|(n, tier)| {
            let why = fault(tier)?;
            Some(problem(&file, &format!("storage[{n}].path"), format!("the tier “{}” is unusable: {why}", tier.name)))
        })
        .collect()
}

fn problem(source: &Path, key: &str, rule: impl Into<String>) -> Problem {
    Problem { source: source.display().to_string(), key: key.to_owned(), rule: rule.into() }
}

/// Image names missing from the catalog: typing errors that would otherwise be noticed much later.
fn images(config: &Config, catalog: &Catalog) -> Vec<Problem> {
    let file = config.mode_dir.join("config.toml");
    let mut problems = Vec::new();
    if config.admin_db.url.is_none() && catalog.find(&config.admin_db.image).is_none() {
        let rule = format!("{} is not in the catalog; use one of its images", config.admin_db.image);
        problems.push(problem(&file, "admin_db.image", rule));
    }
    for image in config.images.replace.keys().filter(|i| catalog.find(i).is_none()) {
        problems.push(problem(
            &file,
            "images.replace",
            format!("{image} is not in the catalog, so nothing is replaced"),
        ));
    }
    problems
}

fn seal_key(config: &Config) -> Vec<Problem> {
    let key = &config.seal_key;
    if !key.exists() {
        let rule =
            format!("the sealing key is missing; create it once and keep a copy: db4sci secret-key {}", key.display());
        return vec![problem(key, "secrets.key_file", rule)];
    }
    let unreadable = || Sealer::from_file(key, Random::system()).err().map(|e| format!("{e:#}"));
    private_file_fault(key).or_else(unreadable).map(|rule| problem(key, "secrets.key_file", rule)).into_iter().collect()
}

fn server_certificate(config: &Config) -> Vec<Problem> {
    let (cert, key) = (&config.server.cert, &config.server.key);
    let mut problems = Vec::new();
    if let Some(fault) = private_file_fault(key) {
        problems.push(problem(key, "server.key", fault));
    }
    if !cert.exists() {
        let rule =
            "the certificate is missing; put the chain of your authority there (docs/OPERATIONS.md, Certificates)";
        problems.push(problem(cert, "server.cert", rule));
        return problems;
    }
    match Certificate::read(cert) {
        Err(e) => problems.push(problem(cert, "server.cert", format!("{e:#}"))),
        Ok(read) => {
            if let Some(why) = read.home_made().filter(|_| !config.mode.makes_own_secrets()) {
                let rule = format!("the certificate {why}; prod needs one from an authority that browsers trust");
                problems.push(problem(cert, "server.cert", rule));
            }
        }
    }
    if problems.is_empty()
        && let Err(rule) = check_pair(cert, key)
    {
        problems.push(problem(cert, "server.cert", rule));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::tls::{Authority, ensure_dev_certificate};

    #[test]
    fn prod_reports_everything_missing_and_rejects_dev_certificates() {
        let home = std::env::temp_dir().join(format!("db4sci-preflight-{}", std::process::id()));
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        std::fs::create_dir_all(home.join("prod")).unwrap();
        let settings = "[[storage]]\nname = \"s\"\npath = \"/nowhere\"\n[images.replace]\n\"postgrs:17\" = \"x\"\n";
        std::fs::write(home.join("prod/config.toml"), settings).unwrap();
        let config = Config::load_mode(Mode::Prod, &home, &[]).unwrap();
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dbconfig/catalog.toml")).unwrap();
        let catalog = Catalog::parse(&text).unwrap();
        let keys = |config: &Config| -> Vec<String> { check(config, &catalog).into_iter().map(|p| p.key).collect() };
        assert_eq!(keys(&config), ["images.replace", "secrets.key_file", "server.key", "server.cert"]);

        let authority = Authority::load_or_create(&home.join("ca"), "DB4SCI", now).unwrap();
        let server = &config.server;
        ensure_dev_certificate(&authority, &server.cert, &server.key, &["localhost".to_owned()], now).unwrap();
        Sealer::create_key_file(&config.seal_key, &Random::system()).unwrap();
        let found = check(&config, &catalog);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].rule.contains("dev mode"), "{found:?}");

        let behind_proxy = [("DB4SCI__SERVER__TLS".to_owned(), "false".to_owned())];
        assert_eq!(keys(&Config::load_mode(Mode::Prod, &home, &behind_proxy).unwrap()), ["images.replace"]);
        std::fs::remove_dir_all(home).unwrap();
    }
}
