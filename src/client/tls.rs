//! TLS for outgoing requests: the trusted certificates. There is no way to trust none or all.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ClientError;
use super::identity::Identity;

/// The most certificates that are read from one file.
const CERTIFICATES: usize = 1000;

/// The most bytes of a file of certificates.
const FILE_BYTES: u64 = 1024 * 1024;

/// The rule that identifies one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The SHA-256 of its certificate, whatever name and dates the certificate has.
    Fingerprint([u8; 32]),
    /// Its certificate is one of these, or is signed by one of these for the server's name.
    Certificates(Vec<CertificateDer<'static>>),
}

impl Pin {
    /// Reads the certificates of a PEM file.
    ///
    /// # Errors
    /// The fault, if the file cannot be read, is too long, or has no certificate.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let meta = std::fs::metadata(path).map_err(|error| told(&error))?;
        if !meta.is_file() || meta.len() > FILE_BYTES {
            return Err(told(&format!("it is not a file of at most {FILE_BYTES} bytes")));
        }
        let pem = std::fs::read(path).map_err(|error| told(&error))?;
        Self::of_pem(&pem).map_err(|error| told(&error))
    }

    /// Reads the first 1000 certificates of a PEM text.
    ///
    /// # Errors
    /// The fault, if it has no certificate, or one that cannot be read.
    pub fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let all = CertificateDer::pem_slice_iter(pem).take(CERTIFICATES);
        let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        if all.is_empty() {
            return Err("it holds no certificate in PEM".to_owned());
        }
        Ok(Self::Certificates(all))
    }

    fn is(&self, certificate: &CertificateDer<'_>) -> bool {
        match self {
            Self::Fingerprint(pin) => {
                ring::digest::digest(&ring::digest::SHA256, certificate).as_ref() == pin.as_slice()
            }
            Self::Certificates(all) => all.iter().any(|one| one.as_ref() == certificate.as_ref()),
        }
    }
}

/// Accepts only the pinned server. As always, the handshake checks that the server has the key of its certificate.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    /// Checks certificates that one of the pinned ones has signed.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(pin: Pin, provider: Arc<CryptoProvider>) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let mut roots = RootCertStore::empty();
        if let Pin::Certificates(all) = &pin {
            roots.add_parsable_certificates(all.iter().cloned());
        }
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok();
        Self { pin, authorities, algorithms }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pin.is(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificate authorities or the one server that are trusted.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Trusts the authorities of this system, which are read once, at the first use.
    ///
    /// # Errors
    /// The fault, if it has none.
    pub fn system() -> Result<Self, String> {
        static SYSTEM: OnceLock<Result<Trust, String>> = OnceLock::new();
        SYSTEM.get_or_init(Self::read_system).clone()
    }

    fn read_system() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::warn!("a certificate authority of this system could not be read: {error}");
        }
        let mut roots = RootCertStore::empty();
        let (good, _) = roots.add_parsable_certificates(found.certs);
        if good == 0 {
            return Err("this system has no certificate authorities; install the package ca-certificates".to_owned());
        }
        Self::of(roots)
    }

    /// Trusts the authorities in a PEM file, and no others.
    ///
    /// # Errors
    /// The fault, if the file cannot be read or has no certificate.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut roots = RootCertStore::empty();
        let all = CertificateDer::pem_file_iter(path).map_err(|error| told(&error))?;
        for certificate in all.take(CERTIFICATES) {
            let certificate = certificate.map_err(|error| told(&error))?;
            roots.add(certificate).map_err(|error| told(&error))?;
        }
        if roots.is_empty() {
            return Err(told(&"it holds no certificate in PEM"));
        }
        Self::of(roots)
    }

    /// Trusts only this server, and presents this identity to it.
    ///
    /// # Errors
    /// The fault, if TLS does not accept the identity's key.
    pub fn of_server(pin: &Pin, identity: &Identity) -> Result<Self, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        let (certificate, key) = identity.parts();
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned::new(pin.clone(), provider)))
            .with_client_auth_cert(vec![certificate], key)
            .map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(config)))
    }

    fn of(roots: RootCertStore) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Starts TLS on a connection, with the server of this name.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, ClientError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ClientError::Invalid("the host".to_owned()))?;
        let connected = TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await;
        connected.map_err(|error| ClientError::Tls(error.to_string()))
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::time::{Duration, Instant};

    use rustls::server::WebPkiClientVerifier;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::client::http::{ClientRequest, call_over_tls};

    struct TlsDir(std::path::PathBuf);

    impl Drop for TlsDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn identity(name: &str) -> (TlsDir, Identity) {
        let dir = TlsDir(std::env::temp_dir().join(format!("taosd-tls-{}-{name}", std::process::id())));
        let identity = Identity::open(&dir.0).unwrap();
        (dir, identity)
    }

    /// A server that replies to clients with the certificate of `known`, and to no others.
    fn server(own: &Identity, known: &Identity) -> SocketAddr {
        let provider = Arc::new(crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(known.parts().0).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let (certificate, key) = own.parts();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.unwrap())
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(tls, stream);
                let mut asked = [0; 1024];
                if stream.read(&mut asked).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            }
        });
        address
    }

    fn ask(at: SocketAddr, pin: &Pin, as_whom: &Identity) -> Result<u16, ClientError> {
        let request = ClientRequest::new("GET", "/", Instant::now() + Duration::from_secs(20));
        let trust = Trust::of_server(pin, as_whom).unwrap();
        // No certificate has this name, so only the pin decides.
        call_over_tls(at, "shed.lan", &trust, request).map(|answer| answer.status)
    }

    #[test]
    fn a_pinned_server_is_asked_and_its_impostor_is_not() {
        let ((_a, own), (_b, mine), (_c, other)) = (identity("server"), identity("mine"), identity("other"));
        let at = server(&own, &mine);
        let der = own.parts().0;
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &der);
        let pin = Pin::Fingerprint(sha256.as_ref().try_into().unwrap());
        assert_eq!(ask(at, &pin, &mine).unwrap(), 204);
        assert_eq!(ask(at, &Pin::of_file(own.place()).unwrap(), &mine).unwrap(), 204);
        for wrong in [Pin::Fingerprint([0; 32]), Pin::of_file(other.place()).unwrap(), Pin::Certificates(Vec::new())] {
            assert!(matches!(ask(at, &wrong, &mine), Err(ClientError::Tls(_))), "{wrong:?}");
        }
        // The server refuses a client that it does not know.
        assert!(ask(at, &pin, &other).is_err());
    }

    #[test]
    fn a_file_of_certificates_holds_some_and_is_short() {
        let (dir, own) = identity("file");
        assert!(matches!(Pin::of_file(own.place()).unwrap(), Pin::Certificates(all) if all.len() == 1));
        let file = dir.0.join("other");
        for text in [String::new(), "no PEM".into(), "x".repeat(2 << 20), "-----BEGIN CERTIFICATE-----\nAA".into()] {
            std::fs::write(&file, text).unwrap();
            assert!(Pin::of_file(&file).is_err());
        }
        assert!(Pin::of_file(&dir.0).is_err() && Pin::of_file(&dir.0.join("none")).is_err());
    }
}
