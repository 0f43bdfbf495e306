//! The server, spoken to byte by byte over sockets as clients do it.

#![cfg(unix)]

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

/// One control session, as a client sees it.
struct Client {
    socket: TcpStream,
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
        Self { socket, parser: ReplyParser::default(), unread: Vec::new() }
    }

    fn login(server: &Server) -> Self {
        let mut client = Self::connect(server);
        client.expect("USER anonymous", 331);
        client.expect("PASS me@example.org", 230);
        client.expect("TYPE I", 200);
        client
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
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
        SocketAddr::new(self.socket.peer_addr().unwrap().ip(), port)
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

// ---- logging in

fn with_user(sandbox: &Sandbox) -> ServeOptions {
    ServeOptions {
        login: Login::User { name: "anna".into(), password: Secret::new("geheim 1") },
        ..sandbox.options()
    }
}

#[test]
fn the_right_user_gets_in() {
    let sandbox = Sandbox::new();
    let server = Server::start(with_user(&sandbox)).unwrap();
    assert_eq!(server.url(), format!("ftp://anna@{}/", server.address()));
    let mut client = Client::connect(&server);
    client.expect("PWD", 530);
    client.expect("user anna", 331);
    client.expect("pass geheim 1", 230);
    client.expect("PWD", 257);
    client.expect("USER anna", 530);
    client.expect("PASS geheim 1", 503);
    client.expect("ACCT x", 202);
    client.expect("REIN", 220);
    client.expect("PWD", 530);
    client.expect("PASS geheim 1", 503);
    client.expect("QUIT", 221);
    assert!(client.next_reply().is_none());
}

#[test]
fn three_wrong_passwords_end_the_session() {
    let sandbox = Sandbox::new();
    let server = Server::start(with_user(&sandbox)).unwrap();
    let mut client = Client::connect(&server);
    for (user, password) in [("anna", "geheim"), ("bert", "geheim 1"), ("anonymous", "me@")] {
        client.expect(format!("USER {user}"), 331);
        client.expect(format!("PASS {password}"), 530);
    }
    assert!(client.next_reply().is_none());
}

#[test]
fn a_failed_login_makes_the_client_wait_longer_each_time() {
    let sandbox = Sandbox::new();
    let options = ServeOptions { login_pause: Duration::from_millis(20), ..with_user(&sandbox) };
    let server = Server::start(options).unwrap();
    let mut client = Client::connect(&server);
    for pause in [20, 40, 60] {
        client.expect("USER anna", 331);
        let begun = Instant::now();
        client.expect("PASS wrong", 530);
        assert!(begun.elapsed() >= Duration::from_millis(pause));
    }
}

#[test]
fn without_login_there_is_only_help() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::connect(&server);
    for command in ["PWD", "EPSV", "RETR x", "STOR x", "LIST", "STAT", "DELE x", "SITE HELP", "TYPE I"] {
        client.expect(command, 530);
    }
    for (command, code) in
        [("NOOP", 200), ("SYST", 215), ("FEAT", 211), ("HELP", 214), ("OPTS UTF8 ON", 200), ("XYZZY", 500)]
    {
        client.expect(command, code);
    }
}

#[test]
fn who_may_only_read_changes_nothing() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = Server::start(ServeOptions { access: Access::Read, ..sandbox.options() }).unwrap();
    let mut client = Client::login(&server);
    for command in [
        "STOR a.txt",
        "APPE a.txt",
        "DELE a.txt",
        "MKD d",
        "XMKD d",
        "RMD d",
        "RNFR a.txt",
        "RNTO b.txt",
        "MFMT 20200101000000 a.txt",
        "SITE CHMOD 600 a.txt",
    ] {
        client.expect(command, 550);
    }
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    assert_eq!(sandbox.read("a.txt"), "hello");
}

// ---- what the server says of itself

#[test]
fn features_have_a_space_before_them() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let features = |client: &mut Client| -> Vec<String> {
        client.ask("FEAT").body().iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect()
    };
    assert_eq!(
        features(&mut client),
        [
            " EPRT",
            " EPSV",
            " MDTM",
            " MFMT",
            " MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;",
            " PASV",
            " REST STREAM",
            " SIZE",
            " TVFS",
            " UTF8",
        ]
    );
    assert_eq!(client.expect("OPTS MLST size;modify;", 200), "MLST OPTS size;modify;");
    assert!(features(&mut client).contains(&" MLST type;size*;modify*;perm;unique;UNIX.mode;".into()));
}

#[test]
fn parameters_that_change_nothing_are_taken_and_others_refused() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("SYST", 215),
        ("TYPE A", 200),
        ("type a n", 200),
        ("TYPE L 8", 200),
        ("TYPE E", 504),
        ("TYPE", 501),
        ("MODE S", 200),
        ("MODE Z", 504),
        ("STRU F", 200),
        ("STRU R", 504),
        ("ALLO 1000", 202),
        ("OPTS UTF8 ON", 200),
        ("OPTS utf8", 200),
        ("OPTS UTF8 OFF", 504),
        ("OPTS HASH", 501),
        ("NOOP", 200),
        ("HELP", 214),
        ("SITE HELP", 214),
        ("SITE EXEC ls", 504),
        ("AUTH TLS", 502),
        ("XYZZY", 500),
        ("", 500),
        ("REST -1", 501),
        ("REST 1x", 501),
        ("REST 99999999999999999999", 501),
        ("CWD a\tb", 501),
    ] {
        client.expect(command, code);
    }
    let status = client.ask("STAT").to_string();
    assert!(status.starts_with("211 ") && status.contains("Logged in as anonymous"), "{status}");
}

// ---- moving about and changing the tree

#[test]
fn directories_are_made_entered_and_removed() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    assert_eq!(client.expect("MKD a \"b\"", 257), "\"/a \"\"b\"\"\" made");
    client.expect("MKD a \"b\"", 550);
    client.expect("MKD no/such", 550);
    client.expect("MKD /", 550);
    client.expect("CWD a \"b\"", 250);
    client.expect("XMKD c", 257);
    client.expect("XCWD c", 250);
    assert_eq!(client.expect("XPWD", 257), "\"/a \"\"b\"\"/c\" is the working directory");
    client.expect("CDUP", 250);
    client.expect("XCUP", 250);
    client.expect("CDUP", 250);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    client.expect("RMD a \"b\"", 550);
    client.expect("XRMD a \"b\"/c", 250);
    client.expect("RMD a \"b\"", 250);
    client.expect("RMD a \"b\"", 550);
    client.expect("RMD /", 550);
    client.expect("CWD nowhere", 550);
    client.expect("CWD", 501);
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), 0);
}

#[test]
fn files_are_renamed_and_removed() {
    let sandbox = Sandbox::new().file("a.txt", "a").file("b.txt", "b").file("d/c.txt", "c");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("RNTO x", 503);
    client.expect("RNFR missing", 550);
    client.expect("RNFR a.txt", 350);
    client.expect("NOOP", 200);
    client.expect("RNTO x", 503);
    client.expect("RNFR a.txt", 350);
    client.expect("RNTO b.txt", 250);
    assert_eq!(sandbox.read("b.txt"), "a");
    client.expect("RNFR b.txt", 350);
    client.expect("RNTO d/b.txt", 250);
    client.expect("RNFR d", 350);
    client.expect("RNTO d/inside", 550);
    client.expect("RNFR d", 350);
    client.expect("RNTO e", 250);
    assert_eq!(sandbox.read("e/b.txt"), "a");
    client.expect("DELE e", 550);
    client.expect("DELE e/b.txt", 250);
    client.expect("DELE e/b.txt", 550);
    client.expect("DELE", 501);
    assert!(!sandbox.path("e/b.txt").exists());
}

#[test]
fn sizes_times_and_modes() {
    let sandbox = Sandbox::new().file("a b.txt", "hello").file("d/x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.expect("SIZE a b.txt", 213), "5");
    client.expect("SIZE d", 550);
    client.expect("SIZE missing", 550);
    client.expect("SIZE", 501);
    assert_eq!(client.expect("MFMT 20200102030405 a b.txt", 213), "Modify=20200102030405; a b.txt");
    assert_eq!(client.expect("MDTM a b.txt", 213), "20200102030405");
    client.expect("MFMT 19691231235959 d", 213);
    assert_eq!(client.expect("MDTM d", 213), "19691231235959");
    assert_eq!(fs::metadata(sandbox.path("d")).unwrap().mtime(), -1);
    client.expect("MFMT 20201302030405 a b.txt", 501);
    client.expect("MFMT 20200102030405", 501);
    client.expect("MFMT 20200102030405 missing", 550);
    client.expect("MDTM missing", 550);
    // How vsftpd sets a time; here it is a name.
    client.expect("MDTM 20210102030405 a b.txt", 550);
    client.expect("SITE CHMOD 640 a b.txt", 200);
    assert_eq!(fs::metadata(sandbox.path("a b.txt")).unwrap().permissions().mode() & 0o7777, 0o640);
    client.expect("SITE CHMOD 750 d", 200);
    client.expect("SITE CHMOD 4755 d", 501);
    client.expect("SITE CHMOD 640", 501);
    client.expect("SITE CHMOD 640 missing", 550);
}

// ---- transfers

#[test]
fn files_go_up_and_come_back() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.put("STOR a.txt", "hello");
    assert_eq!(sandbox.read("a.txt"), "hello");
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    client.put("STOR a.txt", "hi");
    assert_eq!(sandbox.read("a.txt"), "hi");
    client.put("APPE a.txt", " there");
    client.put("APPE new.txt", "new");
    assert_eq!(sandbox.read("a.txt") + &sandbox.read("new.txt"), "hi therenew");
    client.put("STOR empty", "");
    assert_eq!(client.fetch("RETR empty"), "");
    client.expect("TYPE A", 200);
    client.put("STOR lines", "a\nb\r\n");
    assert_eq!((sandbox.read("lines"), client.fetch("RETR lines")), ("a\nb\r\n".into(), "a\nb\r\n".into()));
}

#[test]
fn a_large_file_arrives_whole() {
    let content: Vec<u8> = (0..5_000_003_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let sandbox = Sandbox::new().file("big", &content);
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut fetched = Vec::new();
    client.begin("RETR big").read_to_end(&mut fetched).unwrap();
    client.expect_replies(&[226]);
    assert!(fetched == content);
    client.begin("STOR copy").write_all(&content).unwrap();
    client.expect_replies(&[226]);
    assert!(fs::read(sandbox.path("copy")).unwrap() == content);
}

#[test]
fn transfers_begin_where_rest_says() {
    let sandbox = Sandbox::new().file("a.txt", "0123456789");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("REST 7", 350);
    client.expect("NOOP", 200);
    assert_eq!(client.fetch("RETR a.txt"), "789");
    assert_eq!(client.fetch("RETR a.txt"), "0123456789");
    client.expect("REST 10", 350);
    assert_eq!(client.fetch("RETR a.txt"), "");
    client.expect("REST 3", 350);
    client.put("STOR a.txt", "abc");
    assert_eq!(sandbox.read("a.txt"), "012abc6789");
    client.expect("REST 8", 350);
    client.put("STOR a.txt", "xyz");
    assert_eq!(sandbox.read("a.txt"), "012abc67xyz");
    client.expect("REST 3", 350);
    client.put("APPE a.txt", "!");
    assert_eq!(sandbox.read("a.txt"), "012abc67xyz!");
    for command in ["RETR a.txt", "STOR a.txt"] {
        client.expect("REST 13", 350);
        client.epsv();
        client.expect(command, 554);
    }
    // Used up by the transfer that was refused.
    assert_eq!(client.fetch("RETR a.txt"), "012abc67xyz!");
    client.expect("REST 5", 350);
    client.fetch("NLST");
    assert_eq!(client.fetch("RETR a.txt"), "012abc67xyz!");
}

#[test]
fn what_cannot_be_transferred_is_said_before_the_data_connection() {
    let sandbox = Sandbox::new().file("d/x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let address = client.epsv();
    for (command, code) in [
        ("RETR missing", 550),
        ("RETR d", 550),
        ("RETR /", 550),
        ("STOR d", 550),
        ("STOR /", 550),
        ("STOR no/such/dir", 550),
        ("APPE d", 550),
        ("LIST missing", 550),
        ("NLST missing", 550),
        ("MLSD missing", 550),
        ("MLSD d/x", 501),
        ("MLST missing", 550),
        ("STAT missing", 550),
        ("RETR", 501),
        ("STOR", 501),
    ] {
        client.expect(command, code);
    }
    // The agreed port is still good.
    let mut data = TcpStream::connect(address).unwrap();
    client.expect("NLST", 150);
    let mut names = String::new();
    data.read_to_string(&mut names).unwrap();
    assert_eq!(names, "d\r\n");
    client.expect_replies(&[226]);
    // But only once.
    client.expect("NLST", 425);
}

#[test]
fn a_transfer_that_never_begins_destroys_nothing() {
    let sandbox = Sandbox::new().file("a.txt", "precious");
    let options = ServeOptions { data_timeout: Duration::from_millis(50), ..sandbox.options() };
    let server = Server::start(options).unwrap();
    let mut client = Client::login(&server);
    client.expect("STOR a.txt", 425);
    client.expect("STOR new.txt", 425);
    assert!(!sandbox.path("new.txt").exists());
    client.epsv();
    client.expect("STOR a.txt", 150);
    client.expect_replies(&[425]);
    assert_eq!(sandbox.read("a.txt"), "precious");
}

#[test]
fn a_reader_that_stands_still_is_left() {
    let sandbox = Sandbox::new().file("big", "");
    fs::File::options().write(true).open(sandbox.path("big")).unwrap().set_len(1 << 30).unwrap();
    let options = ServeOptions { data_timeout: Duration::from_millis(100), ..sandbox.options() };
    let server = Server::start(options).unwrap();
    let mut client = Client::login(&server);
    let _data = client.begin("RETR big");
    client.expect_replies(&[426]);
    client.expect("NOOP", 200);
}

#[test]
fn a_writer_that_vanishes_is_a_broken_transfer() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("STOR a.txt");
    data.write_all(b"half").unwrap();
    rustix::net::sockopt::set_socket_linger(&data, Some(Duration::ZERO)).unwrap();
    drop(data);
    client.expect_replies(&[426]);
    client.expect("NOOP", 200);
}

// ---- data connections

#[test]
fn pasv_port_and_eprt_work_as_epsv_does() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);

    let text = client.expect("PASV", 227);
    let numbers: Vec<u16> =
        text.split(['(', ')']).nth(1).unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    assert_eq!(numbers[..4], [127, 0, 0, 1]);
    let mut data = TcpStream::connect(("127.0.0.1", numbers[4] * 256 + numbers[5])).unwrap();
    client.expect("RETR a.txt", 150);
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    client.expect_replies(&[226]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for command in
        [format!("PORT 127,0,0,1,{},{}", port / 256, port % 256), format!("EPRT |1|127.0.0.1|{port}|")]
    {
        client.expect(command, 200);
        client.expect("RETR a.txt", 150);
        let (mut data, _) = listener.accept().unwrap();
        data.read_to_string(&mut content).unwrap();
        client.expect_replies(&[226]);
    }
    assert_eq!(content, "hello".repeat(3));

    drop(listener);
    client.expect(format!("EPRT |1|127.0.0.1|{port}|"), 200);
    client.expect("RETR a.txt", 150);
    client.expect_replies(&[425]);
}

#[test]
fn the_server_calls_nobody_but_the_client() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("PORT 127,0,0,2,200,1", 504),
        ("PORT 192,0,2,1,200,1", 504),
        ("PORT 127,0,0,1,0,25", 504),
        ("PORT 127,0,0,1,3,255", 504),
        ("PORT 127,0,0,1,200", 501),
        ("PORT", 501),
        ("EPRT |1|127.0.0.2|50000|", 504),
        ("EPRT |2|::1|50000|", 504),
        ("EPRT |1|127.0.0.1|1023|", 504),
        ("EPRT |3|x|50000|", 522),
        ("EPRT 127.0.0.1", 501),
        ("RETR a.txt", 425),
    ] {
        client.expect(command, code);
    }
}

#[test]
fn epsv_takes_a_protocol_and_all() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("EPSV 1", 229),
        ("EPSV 2", 522),
        ("EPSV 3", 522),
        ("EPSV x", 501),
        ("epsv all", 200),
        ("PASV", 503),
        ("PORT 127,0,0,1,200,1", 503),
        ("EPRT |1|127.0.0.1|50000|", 503),
        ("EPSV", 229),
    ] {
        client.expect(command, code);
    }
}

#[test]
fn ipv6_has_epsv_and_eprt_but_no_pasv() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let options = ServeOptions { listen: "[::1]:0".parse().unwrap(), ..sandbox.options() };
    // Where the machine has no IPv6 there is nothing to show.
    let Ok(server) = Server::start(options) else { return };
    assert!(server.url().starts_with("ftp://[::1]:"), "{}", server.url());
    let mut client = Client::login(&server);
    client.expect("PASV", 425);
    client.expect("EPSV 1", 522);
    client.expect("EPSV 2", 229);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    let listener = TcpListener::bind("[::1]:0").unwrap();
    client.expect(format!("EPRT |2|::1|{}|", listener.local_addr().unwrap().port()), 200);
    client.expect("NLST", 150);
    drop(listener.accept().unwrap());
    assert!(matches!(client.reply().code(), 226 | 426));
}

#[test]
fn one_socket_serves_both_protocols() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let options = ServeOptions { listen: "[::]:0".parse().unwrap(), ..sandbox.options() };
    let Ok(server) = Server::start(options) else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    // Some systems keep the two apart.
    let Ok(probe) = TcpStream::connect(address) else { return };
    drop(probe);
    let mut client = Client::to(address);
    client.expect_replies(&[220]);
    client.expect("USER ftp", 331);
    client.expect("PASS x", 230);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    client.expect("PASV", 227);
}

#[test]
fn passive_ports_stay_in_their_range() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    // Two ports that are free, below those that systems give away by themselves, and others in each process.
    let range = (20_000..30_000)
        .step_by(2)
        .cycle()
        .skip(std::process::id() as usize % 5000)
        .map(|low| low..=low + 1)
        .find(|range| range.clone().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .unwrap();
    let server =
        Server::start(ServeOptions { passive_ports: Some(range.clone()), ..sandbox.options() }).unwrap();
    let mut clients = [Client::login(&server), Client::login(&server)];
    let ports = clients.each_mut().map(|client| client.epsv().port());
    assert!(ports.iter().all(|port| range.contains(port)) && ports[0] != ports[1], "{ports:?}");
    Client::login(&server).expect("EPSV", 425);
    assert_eq!(clients[0].fetch("RETR a.txt"), "hello");
}

/// Connects from another address of this machine, as somebody else would.
#[cfg(target_os = "linux")]
fn connect_from(source: [u8; 4], target: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    connect(&socket, &target).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_else_gets_nothing_from_a_passive_port() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let address = client.epsv();
    let mut thief = connect_from([127, 0, 0, 2], address);
    let mut data = connect_from([127, 0, 0, 1], address);
    client.expect("RETR a.txt", 150);
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    client.expect_replies(&[226]);
    let mut stolen = Vec::new();
    let _ = thief.read_to_end(&mut stolen);
    assert_eq!((content.as_str(), stolen.as_slice()), ("hello", &b""[..]));
}

// ---- listings

#[test]
fn list_writes_lines_of_ls() {
    let sandbox = Sandbox::new().file("b c.txt", "hello").file("d/x", "").file(".hidden", "");
    symlink("d", sandbox.path("link")).unwrap();
    fs::set_permissions(sandbox.path("b c.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("MFMT 20200102030405 b c.txt", 213);
    let listing = client.fetch("LIST");
    let lines: Vec<&str> = listing.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("-") && lines[0].ends_with(" .hidden"), "{listing}");
    assert!(
        lines[1].starts_with("-rw-r--r-- ") && lines[1].ends_with(" 5 Jan  2  2020 b c.txt"),
        "{listing}"
    );
    assert!(lines[2].starts_with("d") && lines[2].ends_with(" d"), "{listing}");
    assert!(lines[3].starts_with("lrwxrwxrwx ") && lines[3].ends_with(" link -> d"), "{listing}");
    for command in ["LIST -a", "LIST -la", "LIST -al .", "LIST /", "LIST -l -a /d/.."] {
        assert_eq!(client.fetch(command), listing, "{command}");
    }
    assert_eq!(client.fetch("LIST b c.txt"), format!("{}\r\n", lines[1]));
    assert_eq!(client.fetch("LIST link"), format!("{}\r\n", lines[3]));
    let status = client.ask("STAT -la /");
    let body: Vec<String> =
        status.body().iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect();
    assert_eq!(body, lines.iter().map(|line| format!(" {line}")).collect::<Vec<_>>());
    assert_eq!(client.expect("STAT d", 213), "Status of /d");
}

#[test]
fn nlst_writes_names_that_retr_takes() {
    let sandbox = Sandbox::new().file("d/a b", "").file("d/.c", "").file("e/x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.fetch("NLST"), "d\r\ne\r\n");
    assert_eq!(client.fetch("NLST d"), "d/.c\r\nd/a b\r\n");
    assert_eq!(client.fetch("NLST /d/"), "/d/.c\r\n/d/a b\r\n");
    assert_eq!(client.fetch("NLST d/a b"), "d/a b\r\n");
    client.expect("CWD d", 250);
    assert_eq!(client.fetch("NLST"), ".c\r\na b\r\n");
    assert_eq!(client.fetch("NLST ../e"), "../e/x\r\n");
}

#[test]
fn mlsd_and_mlst_write_facts() {
    let sandbox = Sandbox::new().file("d/ a;b ", "hello").file("d/e/x", "");
    symlink("e", sandbox.path("d/link")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("MFMT 20200102030405 /d/ a;b ", 213);
    client.expect("SITE CHMOD 604 /d/ a;b ", 200);
    let meta = fs::metadata(sandbox.path("d/ a;b ")).unwrap();
    let facts = format!(
        "type=file;size=5;modify=20200102030405;perm=adfrw;unique={:x}g{:x};UNIX.mode=0604;",
        meta.dev(),
        meta.ino()
    );
    let listing = client.fetch("MLSD d");
    let lines: Vec<&str> = listing.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{listing}");
    assert_eq!(lines[0], format!("{facts}  a;b "));
    assert!(lines[1].starts_with("type=dir;modify=") && lines[1].ends_with("; e"), "{listing}");
    assert!(
        lines[2].starts_with("type=OS.unix=symlink;modify=") && lines[2].ends_with("; link"),
        "{listing}"
    );
    let reply = client.ask("MLST d/ a;b ");
    assert_eq!((reply.code(), reply.body()), (250, &[format!(" {facts} /d/ a;b ").into_bytes()][..]));
    client.expect("CWD d/e", 250);
    let reply = client.ask("MLST");
    assert!(reply.body()[0].ends_with(b"; /d/e"), "{reply}");
    client.expect("OPTS MLST type;size;", 200);
    assert_eq!(client.fetch("MLSD"), "type=file;size=0; x\r\n");
    client.expect("OPTS MLST", 200);
    assert_eq!(client.fetch("MLSD"), " x\r\n");
}

#[test]
fn an_empty_directory_has_an_empty_listing() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "NLST", "MLSD"] {
        assert_eq!(client.fetch(command), "");
    }
    assert_eq!(client.ask("STAT .").body().len(), 0);
}

#[test]
fn a_large_directory_is_listed_whole() {
    let sandbox = Sandbox::new();
    for i in 0..3000 {
        fs::write(sandbox.path(&format!("file-{i:04}")), "").unwrap();
    }
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "NLST", "MLSD"] {
        assert_eq!(client.fetch(command).lines().count(), 3000, "{command}");
    }
    assert_eq!(client.ask("STAT /").body().len(), 3000);
    assert_eq!(client.expect("NOOP", 200), "OK");
}

// ---- nobody gets out

#[test]
fn dots_lead_nowhere_but_to_the_root() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("CWD ..", 250);
    client.expect("CDUP", 250);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    client.expect("CWD ../../../..", 250);
    for command in [
        "RETR ../outside/secret",
        "RETR /../outside/secret",
        "RETR a.txt/../../outside/secret",
        "SIZE ../outside/secret",
        "DELE ../outside/secret",
        "CWD ../outside",
        "RNFR ../outside/secret",
        "RETR /etc/passwd",
    ] {
        client.expect(command, 550);
    }
    client.put("STOR ../../b.txt", "inside");
    assert_eq!(sandbox.read("b.txt"), "inside");
    assert!(!sandbox.temp.path().join("b.txt").exists());
}

#[test]
fn links_are_shown_and_removed_but_never_followed() {
    let sandbox = Sandbox::new().file("d/x", "hello");
    symlink("../outside", sandbox.path("out")).unwrap();
    symlink("../outside/secret", sandbox.path("file")).unwrap();
    symlink("/etc", sandbox.path("etc")).unwrap();
    symlink("d", sandbox.path("within")).unwrap();
    symlink("gone", sandbox.path("dangling")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in [
        "RETR file",
        "RETR out/secret",
        "RETR etc/passwd",
        "RETR within/x",
        "STOR file",
        "STOR dangling",
        "APPE file",
        "STOR out/new",
        "CWD out",
        "CWD within",
        "CWD etc",
        "SIZE file",
        "SIZE out/secret",
        "MDTM file",
        "MFMT 20200101000000 file",
        "MFMT 20200101000000 out/secret",
        "SITE CHMOD 777 file",
        "SITE CHMOD 777 out",
        "LIST out/secret",
        "MLST out/secret",
        "STAT etc/passwd",
        "DELE out/secret",
        "MKD out/new",
        "RMD out",
        "RNFR out/secret",
    ] {
        client.epsv();
        client.expect(command, 550);
    }
    client.expect("MLSD out", 501);
    client.expect("RNFR d/x", 350);
    client.expect("RNTO out/x", 550);
    assert_eq!(client.fetch("LIST out").lines().count(), 1);
    client.expect("DELE out", 250);
    client.expect("DELE file", 250);
    client.expect("DELE dangling", 250);
    assert_eq!(fs::read_to_string(sandbox.temp.path().join("outside/secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(sandbox.temp.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn a_directory_swapped_for_a_link_at_any_moment_lets_nobody_out() {
    let sandbox = Sandbox::new().file("a/secret", "harmless");
    symlink("../outside", sandbox.path("link")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let (way, dir, link) = (sandbox.path("way"), sandbox.path("a"), sandbox.path("link"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for thing in [&dir, &link] {
                    fs::rename(thing, &way).unwrap();
                    fs::rename(&way, thing).unwrap();
                }
            }
        });
        for _ in 0..300 {
            assert!(
                ["8", "Not a directory", "No such file or directory"]
                    .contains(&String::from_utf8_lossy(client.ask("SIZE way/secret").text()).as_ref())
            );
            client.ask("DELE way/new");
            client.ask("MKD way/new");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(sandbox.temp.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn special_files_are_shown_but_never_opened() {
    let sandbox = Sandbox::new();
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert!(client.fetch("LIST").starts_with('p'));
    assert!(client.fetch("MLSD").starts_with("type=OS.unix=special;"));
    for command in ["RETR fifo", "STOR fifo", "APPE fifo", "SIZE fifo", "SITE CHMOD 600 fifo"] {
        client.epsv();
        client.expect(command, 550);
    }
    client.expect("DELE fifo", 250);
}

#[test]
fn names_with_line_ends_are_not_listed() {
    let sandbox = Sandbox::new().file("good", "").file("forged\r\n-rw-r--r-- 1 0 0 0 Jan 1 2020 x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "MLSD", "NLST"] {
        assert_eq!(client.fetch(command).lines().count(), 1, "{command}");
    }
}

// ---- many commands at once

#[test]
fn two_hundred_commands_in_one_segment_are_answered_in_order() {
    let mut sandbox = Sandbox::new();
    for i in 0..50 {
        sandbox = sandbox.file(&format!("f{i}"), "x".repeat(i));
    }
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let commands: String =
        (0..50).map(|i| format!("SIZE f{i}\r\nRNFR f{i}\r\nRNTO g{i}\r\nSIZE f{i}\r\n")).collect();
    client.send(commands);
    for i in 0..50 {
        let reply = client.reply();
        assert_eq!((reply.code(), reply.text()), (213, i.to_string().as_bytes()));
        client.expect_replies(&[350, 250, 550]);
    }
}

#[test]
fn a_whole_session_may_come_in_one_segment() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::connect(&server);
    client.send("USER anonymous\r\nPASS x\r\nTYPE I\r\nEPSV\r\nRETR a.txt\r\nSIZE a.txt\r\nQUIT\r\n");
    client.expect_replies(&[331, 230, 200]);
    let port: u16 = String::from_utf8(client.reply().text().to_vec())
        .unwrap()
        .split('|')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    let mut content = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "hello");
    client.expect_replies(&[150, 226, 213, 221]);
    assert!(client.next_reply().is_none());
}

#[test]
fn a_client_that_closes_its_side_is_served_to_the_end() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.send("MKD a\r\nMKD b\r\nMKD c");
    client.socket.shutdown(Shutdown::Write).unwrap();
    client.expect_replies(&[257, 257]);
    assert!(client.next_reply().is_none());
    // A line without its end may have been cut short.
    assert!(sandbox.path("b").exists() && !sandbox.path("c").exists());
}

#[test]
fn commands_sent_during_a_transfer_are_answered_after_it() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("STOR tmp");
    client.send("RNFR tmp\r\nRNTO final\r\nSIZE final\r\n");
    data.write_all(b"hel").unwrap();
    client.send("NOOP\r\n");
    data.write_all(b"lo").unwrap();
    drop(data);
    client.expect_replies(&[226, 350, 250]);
    let size = client.reply();
    assert_eq!((size.code(), size.text()), (213, &b"5"[..]));
    client.expect_replies(&[200]);
}

// ---- stopping a transfer

fn with_big_file() -> Sandbox {
    let sandbox = Sandbox::new().file("big", "");
    fs::File::options().write(true).open(sandbox.path("big")).unwrap().set_len(1 << 30).unwrap();
    sandbox
}

#[test]
fn abort_stops_a_download() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("RETR big");
    data.read_exact(&mut [0; 100_000]).unwrap();
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    drop(data);
    client.expect("NOOP", 200);
    client.expect("ABOR", 226);
}

#[test]
fn abort_is_found_behind_telnet_bytes_and_as_urgent_data() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let _data = client.begin("RETR big");
    client.send(b"\xff\xf4");
    rustix::net::send(&client.socket, b"\xff\xf2", rustix::net::SendFlags::OOB).unwrap();
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    // As Python's ftplib does it.
    let _data = client.begin("RETR big");
    rustix::net::send(&client.socket, b"ABOR\r\n", rustix::net::SendFlags::OOB).unwrap();
    client.expect_replies(&[426, 226]);
    client.expect("NOOP", 200);
}

#[test]
fn abort_stops_an_upload_and_keeps_its_place_among_the_replies() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("STOR part");
    data.write_all(b"part").unwrap();
    client.send("NOOP\r\nABOR\r\nPWD\r\n");
    client.expect_replies(&[426, 200, 226, 257]);
    drop(data);
    client.expect("NOOP", 200);
}

#[test]
fn abort_ends_the_wait_for_a_data_connection() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.epsv();
    client.expect("RETR a.txt", 150);
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
}

#[test]
fn stopping_the_server_ends_sessions_and_transfers() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut idle = Client::login(&server);
    let mut busy = Client::login(&server);
    let data = busy.begin("RETR big");
    let mut waiting = Client::login(&server);
    waiting.epsv();
    waiting.expect("RETR big", 150);
    let address = server.address();
    server.stop();
    idle.expect_replies(&[421]);
    busy.expect_replies(&[426, 421]);
    waiting.expect_replies(&[426, 421]);
    for client in [&mut idle, &mut busy, &mut waiting] {
        assert!(client.next_reply().is_none());
    }
    drop(data);
    assert!(TcpStream::connect(address).is_err());
}

// ---- limits

#[test]
fn an_overlong_line_is_refused_and_the_session_goes_on() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("x".repeat(100_000), 500);
    client.expect("NOOP", 200);
    client.expect(format!("CWD {}", "x".repeat(4096)), 500);
    client.expect(format!("CWD {}", "x".repeat(4000)), 553);
    client.expect("NOOP", 200);
}

#[test]
fn an_idle_session_ends() {
    let sandbox = Sandbox::new();
    let options = ServeOptions { idle_timeout: Duration::from_millis(100), ..sandbox.options() };
    let server = Server::start(options).unwrap();
    let mut client = Client::connect(&server);
    client.expect_replies(&[421]);
    assert!(client.next_reply().is_none());
}

#[test]
fn a_client_that_drips_bytes_is_idle() {
    let sandbox = Sandbox::new();
    let options = ServeOptions { idle_timeout: Duration::from_millis(200), ..sandbox.options() };
    let server = Server::start(options).unwrap();
    let mut client = Client::connect(&server);
    let mut drip = client.socket.try_clone().unwrap();
    let dripping = thread::spawn(move || {
        while drip.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    client.expect_replies(&[421]);
    drop(client);
    dripping.join().unwrap();
}

#[test]
fn there_are_no_more_sessions_than_allowed() {
    let sandbox = Sandbox::new();
    let server = Server::start(ServeOptions { max_connections: 2, ..sandbox.options() }).unwrap();
    let (first, mut second) = (Client::connect(&server), Client::connect(&server));
    let mut third = Client::to(server.address());
    third.expect_replies(&[421]);
    assert!(third.next_reply().is_none());
    drop(first);
    // The server may take a moment to see that the first is gone.
    let begun = Instant::now();
    while Client::to(server.address()).reply().code() != 220 {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
    second.expect("NOOP", 200);
}

#[test]
fn many_sessions_at_once_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    thread::scope(|scope| {
        for worker in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = Client::login(server);
                client.expect(format!("MKD d{worker}"), 257);
                client.expect(format!("CWD d{worker}"), 250);
                for i in 0..30 {
                    let content = format!("{worker}/{i}").repeat(i);
                    client.put(&format!("STOR f{i}"), &content);
                    assert_eq!(client.fetch(&format!("RETR f{i}")), content);
                }
                assert_eq!(client.fetch("NLST").lines().count(), 30);
            });
        }
    });
}

// ---- the interface

#[test]
fn options_that_cannot_work_are_refused() {
    let sandbox = Sandbox::new();
    let with = |change: &dyn Fn(&mut ServeOptions)| {
        let mut options = sandbox.options();
        change(&mut options);
        Server::start(options).unwrap_err()
    };
    assert!(matches!(with(&|o| o.root = sandbox.path("missing")), ServeError::Root { .. }));
    #[expect(clippy::reversed_empty_ranges)]
    let backwards = 2000..=1000;
    assert!(matches!(
        with(&|o| o.passive_ports = Some(backwards.clone())),
        ServeError::PassivePorts { low: 2000, high: 1000 }
    ));
    let nobody = Login::User { name: "anna".into(), password: Secret::new("") };
    assert!(matches!(with(&|o| o.login = nobody.clone()), ServeError::Login));
    let server = sandbox.serve();
    assert!(matches!(with(&|o| o.listen = server.address()), ServeError::Listen { .. }));
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl ServerObserver for Recorder {
    fn event(&self, _: SocketAddr, event: &ServerEvent<'_>) {
        let text = match event {
            ServerEvent::Command(command) => command.to_string(),
            ServerEvent::LoggedIn { user } => format!("in {}", String::from_utf8_lossy(user)),
            ServerEvent::LoginFailed { user } => format!("failed {}", String::from_utf8_lossy(user)),
            ServerEvent::Transferred(t) => {
                format!("{} {} {} {}", t.verb, t.path, t.bytes, t.end == TransferEnd::Complete)
            }
            ServerEvent::Changed { verb, path, to } => format!("changed {verb} {path} {to:?}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

#[test]
fn the_observer_is_told_what_happens_but_no_password() {
    let sandbox = Sandbox::new();
    let recorder = Arc::new(Recorder::default());
    let options = ServeOptions { observer: Some(Arc::<Recorder>::clone(&recorder)), ..with_user(&sandbox) };
    let server = Server::start(options).unwrap();
    let mut client = Client::connect(&server);
    client.expect("USER anna", 331);
    client.expect("PASS wrong", 530);
    client.expect("USER anna", 331);
    client.expect("PASS geheim 1", 230);
    client.put("STOR a", "hello");
    client.expect("RNFR a", 350);
    client.expect("RNTO b", 250);
    client.expect("QUIT", 221);
    server.stop();
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [
            "Connected",
            "USER anna",
            "PASS ***",
            "failed anna",
            "USER anna",
            "PASS ***",
            "in anna",
            "EPSV",
            "STOR a",
            "STOR a 5 true",
            "RNFR a",
            "RNTO b",
            "changed RNTO a Some(\"b\")",
            "QUIT",
            "Closed",
        ]
    );
}

#[test]
fn the_root_may_be_a_link_and_need_not_be_absolute() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let link = sandbox.temp.path().join("link");
    symlink(Path::new("served"), &link).unwrap();
    let server = Server::start(ServeOptions::new(&link)).unwrap();
    assert_eq!(Client::login(&server).fetch("RETR a.txt"), "hello");
}
