//! TLS as a client speaks it: a certificate for the tests, and connections whose every step is in the test's hands.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use oneway::server::{Identity, TlsOptions};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion};

/// Both versions, newest first.
pub(crate) const VERSIONS: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// A certificate for `localhost` that nobody signed, and its key, in PEM.
pub(crate) struct SelfSigned {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

impl SelfSigned {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { pem: made.cert.pem(), key_pem: made.signing_key.serialize_pem() }
    }

    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions::new(Identity::from_pem(self.pem.as_bytes(), self.key_pem.as_bytes()).unwrap())
    }

    /// Returns what one client knows, who trusts this certificate alone and has sessions of its own to resume.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(32);
        Arc::new(config)
    }
}

/// A connection under TLS.
pub(crate) struct TlsSocket {
    pub(crate) tls: ClientConnection,
    pub(crate) tcp: TcpStream,
}

impl TlsSocket {
    /// Begins with nothing but the state; the handshake comes with the first use.
    pub(crate) fn new(tcp: TcpStream, config: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self { tls: ClientConnection::new(Arc::clone(config), name).unwrap(), tcp }
    }

    /// Shakes hands.
    pub(crate) fn shake_hands(&mut self) -> std::io::Result<()> {
        while self.tls.is_handshaking() || self.tls.wants_write() {
            self.tls.complete_io(&mut self.tcp)?;
        }
        Ok(())
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Says that this is all.
    pub(crate) fn end(&mut self) {
        self.tls.send_close_notify();
        self.flush().unwrap();
    }

    fn stream(&mut self) -> rustls::Stream<'_, ClientConnection, TcpStream> {
        rustls::Stream::new(&mut self.tls, &mut self.tcp)
    }
}

impl Read for TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream().read(buffer)
    }
}

impl Write for TlsSocket {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream().flush()
    }
}
