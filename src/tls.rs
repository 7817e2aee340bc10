//! Certificates: the portal's own authority, which signs for databases (and in dev mode for the portal itself).

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use secrecy::SecretString;
use uuid::Uuid;

use crate::config::Config;
use crate::engine::ServerCert;
use crate::secrets::{write_private, write_whole};

/// Validity of issued certificates in years. It is long, because replacing one would require a restart of the database
/// server. Administrators who want shorter validity can install files of another authority.
const YEARS: i64 = 10;

/// The authority. Users can download its certificate to verify their database's certificate.
pub struct Authority {
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Reads `ca.pem` and `ca.key` in `dir`, or creates them.
    pub fn load_or_create(dir: &Path, name: &str, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (cert_file, key_file) = (dir.join("ca.pem"), dir.join("ca.key"));
        if !cert_file.exists() || !key_file.exists() {
            // A key without a certificate is left by an interrupted start.
            let key = match std::fs::read_to_string(&key_file) {
                Ok(pem) => KeyPair::from_pem(&pem).context("the authority's key can't be used")?,
                Err(_) => KeyPair::generate()?,
            };
            let mut params = params(&[], now)?;
            params.distinguished_name.push(DnType::CommonName, format!("{name} database authority"));
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let cert = params.self_signed(&key)?;
            if !key_file.exists() {
                write_private(&key_file, key.serialize_pem().as_bytes())?;
            }
            write_whole(&cert_file, cert.pem().as_bytes())?;
        }
        let read =
            |file: &Path| std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()));
        let cert_pem = read(&cert_file)?;
        let key = KeyPair::from_pem(&read(&key_file)?).context("the authority's key can't be used")?;
        let issuer = Issuer::from_ca_cert_pem(&cert_pem, key).context("the authority's certificate can't be used")?;
        Ok(Self { cert_pem, issuer })
    }

    /// The authority's certificate in PEM format.
    pub fn certificate(&self) -> &str {
        &self.cert_pem
    }

    /// Issues a server certificate for these host names or addresses.
    pub fn issue(&self, names: &[String], now: DateTime<Utc>) -> anyhow::Result<ServerCert> {
        self.issue_to(&ServerNames { hosts: names.to_vec(), id: None }, now)
    }

    /// Issues a certificate with its own key, for this server only.
    pub fn issue_to(&self, server: &ServerNames, now: DateTime<Utc>) -> anyhow::Result<ServerCert> {
        let names = &server.hosts;
        let key = KeyPair::generate()?;
        let mut params = params(names, now)?;
        if let Some(id) = &server.id {
            params.subject_alt_names.push(SanType::URI(id.as_str().try_into()?));
        }
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCert {
            cert: format!("{}{}", cert.pem(), self.cert_pem),
            key: SecretString::from(key.serialize_pem()),
            authority: self.cert_pem.clone(),
        })
    }
}

/// The names in a server's certificate: only its own, as far as clients can distinguish it from other servers.
#[derive(Debug, Clone)]
pub struct ServerNames {
    hosts: Vec<String>,
    id: Option<String>,
}

impl ServerNames {
    /// The names of a database: the host name its users connect to, and its id. If all databases share one host,
    /// clients distinguish them only by port, so certificates cannot distinguish them either.
    pub fn of(config: &Config, name: &str, id: Uuid) -> Self {
        let mut hosts = vec![config.databases.host_of(name)];
        if config.databases.host == "localhost" {
            hosts.push("127.0.0.1".to_owned());
        }
        Self { hosts, id: Some(format!("urn:db4sci:{}:{id}", config.instance)) }
    }

    /// The names of a server that is reached only from inside its container.
    pub fn local() -> Self {
        Self { hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()], id: None }
    }
}

fn params(names: &[String], now: DateTime<Utc>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec())?;
    let at = |t: DateTime<Utc>| std::time::SystemTime::from(t).into();
    // Valid from a day ago, so that clients with a slow clock accept a new certificate.
    params.not_before = at(now - Duration::days(1));
    params.not_after = at(now + Duration::days(365 * YEARS));
    Ok(params)
}

/// In dev mode, creates the portal's own certificate if it is missing or was signed by another authority, and stores
/// the authority's certificate next to it as `ca.pem`, which browsers can be told to trust.
pub fn ensure_dev_certificate(
    authority: &Authority,
    cert: &Path,
    key: &Path,
    names: &[String],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let dir = cert.parent().context("the certificate has no directory")?;
    let ca_copy = dir.join("ca.pem");
    let ours = std::fs::read_to_string(&ca_copy).is_ok_and(|text| text == authority.certificate());
    if cert.exists() && key.exists() && (ours || !ca_copy.exists()) {
        return Ok(());
    }
    std::fs::create_dir_all(dir)?;
    for old in [cert, key] {
        if old.exists() {
            std::fs::remove_file(old)?;
        }
    }
    let made = authority.issue(names, now)?;
    // Write the file that marks the others as ours first, and the one that completes the pair last: after an
    // interruption, the pair is created again.
    write_whole(&ca_copy, authority.certificate().as_bytes())?;
    write_private(key, secrecy::ExposeSecret::expose_secret(&made.key).as_bytes())?;
    write_whole(cert, made.cert.as_bytes())?;
    Ok(())
}

/// The expiry date and the issuer of a PEM certificate.
pub fn describe(pem: &str) -> anyhow::Result<(DateTime<Utc>, String)> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).context("not a PEM certificate")?;
    let cert = block.parse_x509().context("not an X.509 certificate")?;
    let end =
        DateTime::from_timestamp(cert.validity().not_after.timestamp(), 0).context("its expiry date is invalid")?;
    Ok((end, cert.issuer().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_created_once_and_signs_for_names_and_addresses() {
        let dir = std::env::temp_dir().join(format!("db4sci-tls-{}", std::process::id()));
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let first = Authority::load_or_create(&dir, "DB4SCI", now).unwrap();
        let again = Authority::load_or_create(&dir, "DB4SCI", now).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let made = again.issue(&["db.example.org".to_owned(), "127.0.0.1".to_owned()], now).unwrap();
        let (end, issuer) = describe(&made.cert).unwrap();
        assert!(end > now + Duration::days(3600));
        assert!(issuer.contains("DB4SCI database authority"), "{issuer}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
