//! The server, spoken to byte by byte over sockets as clients do it.

#![cfg(unix)]

mod abort;
mod data;
mod faults;
mod info;
mod interface;
mod limits;
mod listings;
mod login;
mod paths;
mod pipelining;
mod tls_control;
mod tls_data;
mod transfers;
mod tree;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use oneway::ftp::reply::{Limits, Reply, ReplyParser};
use oneway::model::Secret;
use oneway::server::{
    Access, Login, ServeError, ServeOptions, Server, ServerEvent, ServerObserver, TransferEnd,
};
use rustls::ClientConfig;

use crate::support::{SelfSigned, TlsSocket};

/// How long a test waits for what must come. Long enough for a busy machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// A served directory with something beside it that must stay out of reach.
struct Sandbox {
    temp: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("served")).unwrap();
        fs::create_dir_all(temp.path().join("outside")).unwrap();
        fs::write(temp.path().join("outside/secret"), "secret").unwrap();
        Self { temp }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.temp.path().join("served").join(below)
    }

    fn file(self, below: &str, content: impl AsRef<[u8]>) -> Self {
        fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        fs::write(self.path(below), content).unwrap();
        self
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    fn options(&self) -> ServeOptions {
        ServeOptions {
            access: Access::Write,
            login_pause: Duration::ZERO,
            data_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            ..ServeOptions::new(self.path(""))
        }
    }

    fn serve(&self) -> Server {
        Server::start(self.options()).unwrap()
    }
}

fn with_user(sandbox: &Sandbox) -> ServeOptions {
    ServeOptions {
        login: Login::User { name: "anna".into(), password: Secret::new("geheim 1") },
        ..sandbox.options()
    }
}

/// One control session, as a client sees it.
struct Client<S = TcpStream> {
    socket: S,
    address: SocketAddr,
    parser: ReplyParser,
    unread: Vec<u8>,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let mut client = Self::to(server.address());
        assert_eq!(client.reply().code(), 220);
        client
    }

    fn to(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, address, parser: ReplyParser::default(), unread: Vec::new() }
    }

    fn login(server: &Server) -> Self {
        let mut client = Self::connect(server);
        client.expect("USER anonymous", 331);
        client.expect("PASS me@example.org", 230);
        client.expect("TYPE I", 200);
        client
    }

    /// Asks for TLS and shakes hands.
    fn secure(mut self, config: &Arc<ClientConfig>) -> Client<TlsSocket> {
        self.expect("AUTH TLS", 234);
        let mut client = self.under_tls(config);
        client.socket.shake_hands().unwrap();
        client
    }

    fn under_tls(self, config: &Arc<ClientConfig>) -> Client<TlsSocket> {
        Client {
            socket: TlsSocket::new(self.socket, config),
            address: self.address,
            parser: self.parser,
            unread: self.unread,
        }
    }
}

impl Client<TlsSocket> {
    /// Logs in under TLS, with protected data.
    fn login_securely(server: &Server, config: &Arc<ClientConfig>) -> Self {
        let mut client = Client::connect(server).secure(config);
        for (command, code) in [
            ("USER anonymous", 331),
            ("PASS me@example.org", 230),
            ("PBSZ 0", 200),
            ("PROT P", 200),
            ("TYPE I", 200),
        ] {
            client.expect(command, code);
        }
        client
    }

    /// Opens a data connection, gives the command that uses it, and shakes hands.
    fn begin_securely(&mut self, command: &str, config: &Arc<ClientConfig>) -> TlsSocket {
        let mut data = TlsSocket::new(self.begin(command), config);
        data.shake_hands().unwrap();
        data
    }

    fn fetch_securely(&mut self, command: &str, config: &Arc<ClientConfig>) -> Vec<u8> {
        let mut content = Vec::new();
        self.begin_securely(command, config).read_to_end(&mut content).unwrap();
        self.expect_replies(&[226]);
        content
    }

    fn put_securely(&mut self, command: &str, content: &[u8], config: &Arc<ClientConfig>) {
        let mut data = self.begin_securely(command, config);
        data.write_all(content).unwrap();
        data.end();
        // The server confirms its end, too.
        assert_eq!(data.read(&mut [0]).unwrap(), 0);
        self.expect_replies(&[226]);
    }
}

impl<S: Read + Write> Client<S> {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
        self.socket.flush().unwrap();
    }

    /// Returns the next reply; `None` when the server closed the connection.
    fn next_reply(&mut self) -> Option<Reply> {
        loop {
            let (taken, reply) = self.parser.push(&self.unread, Limits::LISTING).unwrap();
            self.unread.drain(..taken);
            if reply.is_some() {
                return reply;
            }
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer).unwrap() {
                0 => return None,
                n => self.unread.extend_from_slice(&buffer[..n]),
            }
        }
    }

    fn reply(&mut self) -> Reply {
        self.next_reply().expect("a reply before the end of the connection")
    }

    fn ask(&mut self, command: impl AsRef<[u8]>) -> Reply {
        self.send([command.as_ref(), b"\r\n"].concat());
        self.reply()
    }

    /// Sends a command, demands a code, and returns the text.
    #[track_caller]
    fn expect(&mut self, command: impl AsRef<[u8]>, code: u16) -> String {
        let reply = self.ask(command.as_ref());
        assert_eq!(reply.code(), code, "{} -> {reply}", String::from_utf8_lossy(command.as_ref()));
        String::from_utf8_lossy(reply.text()).into_owned()
    }

    #[track_caller]
    fn expect_replies(&mut self, codes: &[u16]) {
        let got: Vec<_> = codes.iter().map(|_| self.reply().code()).collect();
        assert_eq!(got, codes);
    }

    fn epsv(&mut self) -> SocketAddr {
        let text = self.expect("EPSV", 229);
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        SocketAddr::new(self.address.ip(), port)
    }

    /// Opens a data connection and gives the command that uses it, which must begin.
    fn begin(&mut self, command: &str) -> TcpStream {
        let address = self.epsv();
        let data = TcpStream::connect(address).unwrap();
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        self.expect(command, 150);
        data
    }

    fn fetch(&mut self, command: &str) -> String {
        let mut content = String::new();
        self.begin(command).read_to_string(&mut content).unwrap();
        self.expect_replies(&[226]);
        content
    }

    fn put(&mut self, command: &str, content: &str) {
        self.begin(command).write_all(content.as_bytes()).unwrap();
        self.expect_replies(&[226]);
    }
}
