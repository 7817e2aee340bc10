//! `db4sci healthcheck`: a liveness check for container engines and supervisors.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::cli::surroundings::{Surroundings, failure, refuse};
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(4);

pub(super) fn run(at: &Surroundings) -> ExitCode {
    let config = match at.config() {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    match ask(&config, "/healthz") {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => failure(&anyhow::anyhow!("the portal responded with {status}")),
        Err(e) => failure(&e.context("the portal is not responding")),
    }
}

/// The status code of a response from the portal on this host.
pub(super) fn ask(config: &Config, path: &str) -> anyhow::Result<u16> {
    let address = local(config.server.listen);
    let mut tcp =
        TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("nothing is listening on {address}"))?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    tcp.set_write_timeout(Some(TIMEOUT))?;
    if config.server.tls { exchange(StreamOwned::new(client()?, tcp), path) } else { exchange(&mut tcp, path) }
}

/// The address of a listener as reached from this host.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn exchange(mut stream: impl Read + Write, path: &str) -> anyhow::Result<u16> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut head = [0u8; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head)?.strip_prefix("HTTP/1.1 ").and_then(|s| s.parse().ok());
    let status: Option<u16> = status;
    ensure!(status.is_some(), "the response is not HTTP");
    Ok(status.unwrap_or_default())
}

fn client() -> anyhow::Result<ClientConnection> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        .with_no_client_auth();
    Ok(ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?)
}

/// Accepts any certificate. The request stays on this host, carries no secrets, and must succeed even if the
/// certificate is for another name or has expired.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
