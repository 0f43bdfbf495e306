//! A connection of the scripted server: in clear text, or through TLS from some moment on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

#[derive(Debug)]
pub(super) enum Line {
    Clear(TcpStream),
    Protected(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// Who the server says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Itself,
    /// Somebody with a certificate of their own.
    Another,
}

struct Known {
    config: Arc<ServerConfig>,
    der: Vec<u8>,
}

static ITSELF: LazyLock<Known> = LazyLock::new(Known::new);
static ANOTHER: LazyLock<Known> = LazyLock::new(Known::new);

impl Known {
    fn new() -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("both are names");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("key and certificate belong together");
        Self { config: Arc::new(config), der: made.cert.der().to_vec() }
    }
}

/// Returns the certificate that a scripted server shows.
pub(super) fn certificate() -> &'static [u8] {
    &ITSELF.der
}

impl Line {
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Protected(stream) => &stream.sock,
        }
    }

    /// Protects a connection that was in clear text. What was read of it before is lost.
    pub(super) fn protect(self, identity: Identity) -> Self {
        let Self::Clear(stream) = self else { panic!("TLS inside of TLS") };
        let known = match identity {
            Identity::Itself => &ITSELF,
            Identity::Another => &ANOTHER,
        };
        let tls = ServerConnection::new(Arc::clone(&known.config)).expect("the configuration is sound");
        Self::Protected(Box::new(StreamOwned::new(tls, stream)))
    }

    /// Says that nothing more comes, as TLS wants it said.
    pub(super) fn end(&mut self) {
        if let Self::Protected(stream) = self {
            stream.conn.send_close_notify();
            // Whoever has hung up doesn't hear it.
            let _ = stream.flush();
            let _ = stream.sock.shutdown(Shutdown::Write);
        }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Protected(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            // The other end may take its time with the handshake.
            Self::Protected(stream) => loop {
                match stream.write(bytes) {
                    Err(e) if super::play::is_poll(&e) => {}
                    done => return done,
                }
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Protected(stream) => stream.flush(),
        }
    }
}
