//! A small FTP server for one directory: behind `oneway serve`, in the quickstart and in the tests.
//!
//! A thread listens and gives each control session a thread of its own; sockets never block, so that each wait can end
//! when the server stops or a client sends ABOR. Commands are obeyed strictly in order, however many came in one segment.
//! Each client path is resolved as text to a [`RelPath`](crate::model::RelPath) and then walked from the directory's own
//! handle without following any symbolic link, so nobody gets out of the directory, not even while someone else swaps
//! parts of it.
//!
//! RFC 959, RFC 1123 §4.1, RFC 2389, RFC 2428, RFC 3659, RFC 4217, and MFMT of draft-somers-ftp-mfxx.

mod address;
mod attempts;
mod commands;
mod control;
mod copy;
mod data;
mod event;
mod faults;
mod line;
mod listen;
mod login;
mod ls;
mod mlsx;
mod options;
mod path;
mod session;
mod stream;
mod tls;
mod wait;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use crate::rooted::Rooted;

pub use event::{ServerEvent, ServerObserver, TransferEnd, Transferred};
pub use faults::{CommandFault, DataFault, Faults};
pub use options::{Access, Login, ServeOptions};
pub use tls::{Identity, IdentityError, TlsOptions, TlsVersions};

use listen::{Kind, Port};
use session::Shared;
use wait::Stop;

/// A server at work. Stops when dropped.
///
/// ```
/// use oneway::server::{Access, ServeOptions, Server};
///
/// let dir = tempfile::tempdir()?;
/// let server = Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) })?;
/// assert!(server.url().starts_with("ftp://127.0.0.1:"));
/// server.stop();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    implicit_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the directory, listens, and returns at once; clients are served by threads of their own.
    ///
    /// # Errors
    /// Says what stands in the way: the directory, the address, or the options themselves.
    pub fn start(options: ServeOptions) -> Result<Self, ServeError> {
        options.check()?;
        let root = Rooted::open(&options.root)
            .map_err(|source| ServeError::Root { path: options.root.clone(), source })?;
        let mut ports = vec![open(options.listen, Kind::Explicit)?];
        if let Some(address) = options.tls.as_ref().and_then(|tls| tls.listen_implicit) {
            ports.push(open(address, Kind::Implicit)?);
        }
        let address = ports[0].address;
        let implicit_address = ports.get(1).map(|port| port.address);
        let stop = Stop::new().map_err(ServeError::Thread)?;
        let shared = Arc::new(Shared::new(options, root, stop));
        let for_listener = Arc::clone(&shared);
        let listener = thread::Builder::new()
            .name("ftp listener".into())
            .spawn(move || listen::serve(&ports, &for_listener))
            .map_err(ServeError::Thread)?;
        Ok(Self { address, implicit_address, shared, listener: Some(listener) })
    }

    /// Returns the address it listens on, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address it listens on for implicit TLS, with the port the system chose where 0 was asked for; `None` where it
    /// doesn't.
    pub fn implicit_address(&self) -> Option<SocketAddr> {
        self.implicit_address
    }

    /// Returns the URL of the directory, with the user and without the password: `ftp://127.0.0.1:2121/`, and `ftpes://` from
    /// a server that has TLS.
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "ftpes" } else { "ftp" };
        self.url_at(scheme, self.address)
    }

    /// Returns the URL for implicit TLS, `ftps://127.0.0.1:990/`; `None` where there's none.
    pub fn implicit_url(&self) -> Option<String> {
        self.implicit_address.map(|address| self.url_at("ftps", address))
    }

    fn url_at(&self, scheme: &str, address: SocketAddr) -> String {
        match &self.shared.options.login {
            Login::Anonymous => format!("{scheme}://{address}/"),
            Login::User { name, .. } => {
                format!("{scheme}://{}@{address}/", utf8_percent_encode(name, NON_ALPHANUMERIC))
            }
        }
    }

    /// Stops accepting, ends each session with 421, and returns when the last one is gone. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.raise();
        if let Some(listener) = self.listener.take() {
            // A panic in the listener was told on its own thread; there is nobody left to stop.
            let _ = listener.join();
        }
    }
}

fn open(address: SocketAddr, kind: Kind) -> Result<Port, ServeError> {
    Port::open(address, kind).map_err(|source| ServeError::Listen { address, source })
}

/// Why a server can't start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The directory can't be opened.
    #[error("cannot open the directory `{}`", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address can't be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A range of passive ports that holds none, or port 0.
    #[error("the passive ports {low}-{high} are no range of ports")]
    PassivePorts {
        /// The first port.
        low: u16,
        /// The last port.
        high: u16,
    },
    /// A user without a name or a password, which a client couldn't give.
    #[error("user name and password must not be empty, and hold no control characters")]
    Login,
    /// No thread or pipe can be had.
    #[error("cannot start the server's thread")]
    Thread(#[source] io::Error),
}
