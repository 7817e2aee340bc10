//! Checks storage tiers, the portal's own directory, keys and certificates.

use std::path::Path;

use chrono::{DateTime, Duration, Utc};

use crate::certificate::{Certificate, private_file_fault};
use crate::cli::doctor::report::{DoctorReport, Level};
use crate::config::{Config, Tier};
use crate::domain::quantity::ByteSize;
use crate::encryption::Identities;
use crate::storage;

/// Remaining validity in days below which a certificate should be renewed.
const RENEW_DAYS: i64 = 30;

pub(super) fn examine(report: &mut DoctorReport, config: &Config, now: DateTime<Utc>) {
    for (i, tier) in config.storage.iter().enumerate() {
        examine_tier(report, tier, i == 0, config.mode.makes_own_secrets());
    }
    data_dir(report, config);
    encryption(report, config);
    if config.server.tls {
        certificate(report, config, now);
    } else if !config.server.listen.ip().is_loopback() {
        let finding =
            format!("the portal serves plain HTTP on {}, which is reachable from outside", config.server.listen);
        report.warn("certificate", finding, "Listen on 127.0.0.1 behind the proxy, or set server.tls.");
    } else {
        report.ok("certificate", "the proxy handles HTTPS, because server.tls is false");
    }
}

/// Checks who can decrypt the backups.
fn encryption(report: &mut DoctorReport, config: &Config) {
    let (backups, what) = (&config.backups, "encryption of backups");
    if let Some(file) = &backups.identity_file
        && let Some(fault) = private_file_fault(file)
    {
        report.warn(what, fault, "Make it readable only by the portal: chmod 600.");
    }
    match (backups.recipients.len(), Identities::of(backups).open(&backups.recipients)) {
        (0, _) => report.ok(what, "off (backups.recipients is empty)"),
        (n, true) => report.ok(what, format!("for {n} recipients; the portal has the key of one")),
        (n, false) => report.warn(
            what,
            format!("for {n} recipients; the portal has no key, so it cannot test or restore backups"),
            "Verify manually that the key decrypts a backup, or set backups.identity_file.",
        ),
    }
}

fn examine_tier(report: &mut DoctorReport, tier: &Tier, is_default: bool, dev: bool) {
    let what = format!("storage {}", tier.name);
    if let Some(reason) = storage::unavailable_reason(tier) {
        let makes = storage::fault(tier).is_none() && !tier.path.with_extension("unavailable").exists();
        let (level, advice) = match (is_default, makes || (dev && is_default)) {
            (_, true) => (Level::Warn, "The portal creates it when it starts."),
            (true, false) => (Level::Fail, "It is the default tier: create or mount it."),
            (false, false) => (Level::Warn, "The tier is unavailable until it is created or mounted."),
        };
        return report.add(level, what, reason, advice);
    }
    match storage::capacity(&tier.path) {
        Err(e) => report.fail(what, e.to_string(), ""),
        Ok(c) => {
            let copies = c.copies.in_words();
            let finding = format!(
                "{} ({}), copies {copies}; {} of {} free",
                tier.path.display(),
                c.file_system,
                ByteSize(c.free),
                ByteSize(c.total)
            );
            match (c.free < c.total / 100, c.free < c.total / 10) {
                (true, _) => report.fail(what, finding, "It is full: move databases or add space."),
                (_, true) => report.warn(what, finding, "Add space soon."),
                _ => report.ok(what, finding),
            }
        }
    }
}

fn data_dir(report: &mut DoctorReport, config: &Config) {
    let dir = &config.data_dir;
    if !dir.exists() {
        let advice = "The portal creates it when it starts, if its user has permission.";
        return report.warn("data directory", format!("{} does not exist yet", dir.display()), advice);
    }
    if let Err(e) = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK) {
        let advice = format!(
            "Make the portal's user the owner: chown {} {}",
            rustix::process::geteuid().as_raw(),
            dir.display()
        );
        return report.fail("data directory", format!("{} is not writable: {e}", dir.display()), advice);
    }
    report.ok("data directory", dir.display().to_string());
    for (what, file) in [("database CA key", "ca/ca.key"), ("mydb_admin's connection", "mydb_admin/connection.json")] {
        let path = dir.join(file);
        if let Some(fault) = private_file_fault(&path).filter(|_| path.exists()) {
            report.fail(what, fault, "");
        }
    }
    let left = dir.join("admin-password");
    if left.exists() && !config.mode.makes_own_secrets() {
        let finding = format!("{} still contains the first administrator's password", left.display());
        report.warn("first administrator", finding, "Sign in, change the password and remove the file.");
    }
}

fn certificate(report: &mut DoctorReport, config: &Config, now: DateTime<Utc>) {
    let path: &Path = &config.server.cert;
    let cert = match Certificate::read(path) {
        Ok(cert) => cert,
        Err(_) if config.mode.makes_own_secrets() && !path.exists() => {
            return report.ok("certificate", "the portal creates one when it starts (dev mode)");
        }
        Err(e) => return report.fail("certificate", format!("{}: {e:#}", path.display()), ""),
    };
    let finding = format!("for {}, until {}", cert.names.join(", "), cert.ends.date_naive());
    if cert.ends < now {
        report.fail(
            "certificate",
            format!("it expired on {}", cert.ends.date_naive()),
            "Replace it; the portal loads the new one within seconds.",
        );
    } else if cert.begins > now {
        report.fail(
            "certificate",
            format!("it is not valid before {}", cert.begins.date_naive()),
            "Check this machine's clock.",
        );
    } else if cert.ends < now + Duration::days(RENEW_DAYS) {
        report.warn("certificate", finding, "Renew it soon.");
    } else {
        report.ok("certificate", finding);
    }
    let public = config.server.public_url.as_deref().and_then(host_of);
    for host in [public, Some(config.databases.host.as_str())].into_iter().flatten() {
        if !cert.covers(host) {
            let advice = "Browsers will show a warning when opening the portal by that name.";
            report.warn("certificate", format!("it does not cover {host}"), advice);
        }
    }
}

/// The host in a URL such as `https://db.example.org:8443`.
fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_extracted_from_a_url() {
        assert_eq!(host_of("https://db.example.org:8443/x"), Some("db.example.org"));
        assert_eq!(host_of("https://[::1]:8443"), Some("::1"));
        assert_eq!(host_of("nothing"), None);
    }
}
