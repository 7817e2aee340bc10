//! Inspects certificate files on this machine and checks whether the portal can use them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;

/// The first certificate of a chain: the server's own.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The name the certificate was issued to.
    pub subject: String,
    /// The name of the issuer.
    pub issuer: String,
    /// Host names and addresses the certificate is valid for.
    pub names: Vec<String>,
    /// Start of its validity.
    pub begins: DateTime<Utc>,
    /// End of its validity.
    pub ends: DateTime<Utc>,
}

impl Certificate {
    /// Reads the first certificate in a PEM file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(path).context("can't be read")?;
        let (_, block) = x509_parser::pem::parse_x509_pem(&pem).context("is not a PEM file")?;
        let cert = block.parse_x509().context("contains no X.509 certificate")?;
        let time = |t: i64| DateTime::from_timestamp(t, 0).context("has an invalid date");
        let names = match cert.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            names,
            begins: time(cert.validity().not_before.timestamp())?,
            ends: time(cert.validity().not_after.timestamp())?,
        })
    }

    /// Why browsers would not trust the certificate (created in dev mode or self-signed), or `None`.
    pub fn home_made(&self) -> Option<&'static str> {
        if self.issuer.contains("database authority") {
            Some("was made by a portal in dev mode")
        } else if self.issuer == self.subject {
            Some("is self-signed")
        } else {
            None
        }
    }

    /// Whether the certificate is valid for this host name or address.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix("*.") {
                Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
                None => name == host,
            }
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}

/// Checks that a server can use this certificate chain with this key.
pub fn check_pair(cert: &Path, key: &Path) -> Result<(), String> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|e| format!("{} can't be read: {e}", cert.display()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("{} can't be read: {e}", key.display()))?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_no_client_auth().with_single_cert(chain, private))
        .map(|_| ())
        .map_err(|e| format!("{} and {} can't be used together: {e}", cert.display(), key.display()))
}

/// The problem with a file that only the portal should read: missing, unreadable, or accessible to others.
pub fn private_file_fault(path: &Path) -> Option<String> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(format!("{} is missing", path.display())),
        Err(e) => return Some(format!("cannot inspect {}: {e}", path.display())),
    };
    if !meta.is_file() {
        return Some(format!("{} is not a file", path.display()));
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Some(format!(
            "{} is readable by others (mode {mode:o}); run: chmod 600 {}",
            path.display(),
            path.display()
        ));
    }
    std::fs::File::open(path).err().map(|e| format!("{} can't be read by the portal's user: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::write_private;
    use crate::tls::Authority;
    use secrecy::ExposeSecret;

    #[test]
    fn a_certificate_is_described_and_its_key_checked() {
        let dir = std::env::temp_dir().join(format!("db4sci-certificate-{}", std::process::id()));
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let authority = Authority::load_or_create(&dir, "DB4SCI", now).unwrap();
        let made = authority.issue(&["*.example.org".to_owned(), "127.0.0.1".to_owned()], now).unwrap();
        let (cert, key, other) = (dir.join("cert.pem"), dir.join("key.pem"), dir.join("other.pem"));
        std::fs::write(&cert, &made.cert).unwrap();
        write_private(&key, made.key.expose_secret().as_bytes()).unwrap();
        let another = authority.issue(&["localhost".to_owned()], now).unwrap();
        std::fs::write(&other, another.key.expose_secret()).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o640)).unwrap();

        let read = Certificate::read(&cert).unwrap();
        assert!(read.home_made().unwrap().contains("dev mode"));
        assert!(read.begins < now && now < read.ends);
        for (host, is_for) in
            [("db.Example.org", true), ("127.0.0.1", true), ("a.b.example.org", false), ("org", false)]
        {
            assert_eq!(read.covers(host), is_for, "{host}");
        }
        assert!(Certificate::read(&dir.join("ca.pem")).unwrap().home_made().is_some());
        assert!(Certificate::read(&key).is_err());

        assert_eq!(check_pair(&cert, &key), Ok(()));
        assert!(check_pair(&cert, &other).unwrap_err().contains("together"));
        assert!(check_pair(&cert, &dir.join("absent")).is_err());

        assert_eq!(private_file_fault(&key), None);
        assert!(private_file_fault(&other).unwrap().contains("chmod 600"));
        assert!(private_file_fault(&dir).unwrap().contains("not a file"));
        assert!(private_file_fault(&dir.join("absent")).unwrap().contains("missing"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
