//! `oneway serve`, started as people start it.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::support::{SelfSigned, TlsSocket, VERSIONS};

/// A running `oneway serve`, killed when the test ends early.
struct Serve(Child);

impl Serve {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneway"));
        command.arg("serve").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Returns the first line of standard output.
    fn url(&mut self) -> String {
        let [line] = self.lines();
        line
    }

    /// Returns the first lines of standard output.
    fn lines<const N: usize>(&mut self) -> [String; N] {
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        std::array::from_fn(|_| lines.next().unwrap().unwrap())
    }

    /// Sends a signal; returns the exit status and what stands on standard error.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.0.wait().unwrap().code(), log)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_end_matches('/').rsplit(['/', '@']).next().unwrap().parse().unwrap()
}

/// Runs one that ends by itself.
fn serve_and_fail(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_oneway")).arg("serve").args(args).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    output
}

/// Returns the one line that says why nothing was done.
#[track_caller]
fn usage_error(args: &[&str]) -> String {
    let output = serve_and_fail(args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    text
}

/// Takes any certificate and keeps its hash, as a client does that asks people.
#[derive(Debug, Default)]
struct Witness(Mutex<String>);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Asks for TLS, or begins with it on an `ftps` URL; returns what `commands` are answered under it, and the hash of the
/// certificate.
fn dialogue_under_tls(url: &str, commands: &str) -> (String, String) {
    let witness = Arc::new(Witness::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    let mut socket = TcpStream::connect(address(url)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    if !url.starts_with("ftps:") {
        socket.write_all(b"AUTH TLS\r\n").unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let codes = [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()];
        assert!(codes[0].starts_with("220 ") && codes[1].starts_with("234 "), "{codes:?}");
    }
    let mut tls = TlsSocket::new(socket, &Arc::new(config));
    tls.write_all(commands.as_bytes()).unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).unwrap();
    let hash = witness.0.lock().unwrap().clone();
    (answer, hash)
}

/// Sends commands in one segment and returns all that is answered until the server closes the connection.
fn dialogue(url: &str, commands: &str) -> String {
    let mut socket = TcpStream::connect(address(url)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(commands.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_url_comes_first_and_a_signal_is_a_good_end() {
    let dir = tempfile::tempdir().unwrap();
    for signal in ["-INT", "-TERM"] {
        let mut serve = Serve::start(&[dir.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        let url = serve.url();
        assert!(url.starts_with("ftp://127.0.0.1:") && url.ends_with('/'), "{url}");
        let answer = dialogue(&url, "USER anonymous\r\nPASS me@\r\nMKD d\r\nQUIT\r\n");
        assert!(answer.contains("\r\n550 ") && answer.ends_with("221 Goodbye\r\n"), "{answer}");
        let (status, log) = serve.end(signal);
        assert_eq!(status, Some(0), "{log}");
        assert!(log.contains(" logged in as anonymous\n"), "{log}");
    }
}

#[test]
fn a_user_comes_with_a_password_file_and_changes_are_logged() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, password) = (temp.path().join("dir"), temp.path().join("password"));
    fs::create_dir(&dir).unwrap();
    fs::write(&password, "geheim 1\n").unwrap();
    let (dir, password) = (dir.to_str().unwrap(), password.to_str().unwrap());
    let mut serve = Serve::start(&[
        dir,
        "--listen=127.0.0.1:0",
        "--user=anna",
        "--password-file",
        password,
        "--write",
        "--idle-timeout=1m",
        "--max-connections=3",
    ]);
    let url = serve.url();
    assert!(url.starts_with("ftp://anna@127.0.0.1:"), "{url}");
    let answer = dialogue(&url, "USER anna\r\nPASS geheim 1\r\nMKD d\r\nRNFR d\r\nRNTO e\r\nQUIT\r\n");
    assert!(answer.contains("257 \"/d\" made"), "{answer}");
    let (_, log) = serve.end("-TERM");
    assert!(log.contains(" made directory d\n") && log.contains(" renamed d to e\n"), "{log}");
    assert!(!log.contains("geheim"), "{log}");
}

#[test]
fn what_nobody_asked_for_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), "hello").unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_oneway")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("[default: 127.0.0.1:2121]"), "{help}");
    let mut serve = Serve::start(&[dir.path().to_str().unwrap(), "--listen=127.0.0.1:0"]);
    let url = serve.url();
    let answer = dialogue(
        &url,
        "USER ftp\r\nPASS x\r\nSTOR b\r\nDELE a.txt\r\nSIZE ../../etc/passwd\r\nPORT 127,0,0,2,200,1\r\n\
         PORT 127,0,0,1,0,25\r\nAUTH TLS\r\nQUIT\r\n",
    );
    let codes: Vec<_> = answer.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "331", "230", "550", "550", "550", "504", "504", "502", "221"], "{answer}");
    let (_, log) = serve.end("-TERM");
    assert!(!log.contains("warning"), "{log}");
}

#[test]
fn idle_and_too_many_clients_are_sent_away() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let mut serve = Serve::start(&[dir, "--listen=127.0.0.1:0", "--max-connections=1", "--idle-timeout=2s"]);
    let url = serve.url();
    let first = TcpStream::connect(address(&url)).unwrap();
    let mut greeting = [0; 3];
    (&first).read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220");
    let second = dialogue(&url, "");
    assert!(second.starts_with("421 Too many"), "{second}");
    let mut rest = String::new();
    (&first).read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\r\n421 Idle"), "{rest}");
    let (_, log) = serve.end("-TERM");
    assert!(log.contains("turned away: too many connections"), "{log}");
    assert!(usage_error(&[dir, "--max-connections=0"]).contains("--max-connections"));
    assert!(usage_error(&[dir, "--idle-timeout=0"]).contains("--idle-timeout"));
}

#[test]
fn a_certificate_for_one_run_comes_with_its_pin() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let start = || {
        Serve::start(&[
            dir,
            "--listen=127.0.0.1:0",
            "--listen-implicit=127.0.0.1:0",
            "--tls-self-signed",
            "--tls-required",
        ])
    };
    let (mut serve, mut other) = (start(), start());
    let [explicit, implicit, pin] = serve.lines();
    assert!(explicit.starts_with("ftpes://127.0.0.1:") && implicit.starts_with("ftps://127.0.0.1:"));
    let login = "USER ftp\r\nPASS x\r\nEPSV\r\nNLST\r\nQUIT\r\n";
    for (url, last) in [(&explicit, "522 "), (&implicit, "150 ")] {
        // On the implicit port data is protected from the beginning, and nobody comes for it here.
        let commands = if last == "150 " { login.replace("NLST\r\n", "") } else { login.to_owned() };
        let (answer, hash) = dialogue_under_tls(url, &commands);
        assert_eq!(pin, format!("pin sha256:{hash}"));
        assert!(answer.contains("230 ") && answer.contains("221 "), "{answer}");
        assert_eq!(answer.contains("522 "), last == "522 ", "{answer}");
    }
    assert!(dialogue(&explicit, "USER ftp\r\nQUIT\r\n").contains("\r\n530 "));
    let [_, _, other_pin] = other.lines();
    assert_ne!(pin, other_pin);
    let mut confused = TcpStream::connect(address(&implicit)).unwrap();
    confused.write_all(b"USER ftp\r\n").unwrap();
    let _ = confused.read_to_end(&mut Vec::new());
    let (_, log) = serve.end("-TERM");
    assert!(log.contains(" no TLS: "), "{log}");
}

#[test]
fn a_certificate_comes_from_files() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (mine, other) = (SelfSigned::new(), SelfSigned::new());
    for (name, content) in [
        ("cert.pem", mine.pem.clone()),
        ("key.pem", mine.key_pem.clone()),
        ("both.pem", format!("{}{}{}", mine.key_pem, mine.pem, other.pem)),
        ("other.pem", other.key_pem),
        ("text.pem", "nothing".into()),
    ] {
        fs::write(path(name), content).unwrap();
    }
    let dir = path("");
    for (certificate, key) in [("cert.pem", "key.pem"), ("both.pem", "both.pem")] {
        let (certificate, key) = (path(certificate), path(key));
        let mut serve =
            Serve::start(&[&dir, "--listen=127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key]);
        let [url, pin] = serve.lines();
        let (answer, hash) = dialogue_under_tls(&url, "USER ftp\r\nPASS x\r\nQUIT\r\n");
        assert_eq!(pin, format!("pin sha256:{hash}"));
        assert!(answer.contains("230 "), "{answer}");
        // TLS is offered and not demanded.
        assert!(dialogue(&url, "USER ftp\r\nPASS x\r\nQUIT\r\n").contains("230 "));
    }
    for (certificate, key, why) in [
        ("cert.pem", "other.pem", "the private key doesn't belong to the certificate"),
        ("text.pem", "key.pem", "there is no certificate in PEM form"),
        ("cert.pem", "text.pem", "there is no private key in PEM form"),
        ("missing.pem", "key.pem", "cannot read the certificate file"),
        ("cert.pem", "missing.pem", "cannot read the key file"),
    ] {
        let (certificate, key) = (path(certificate), path(key));
        let error = usage_error(&[&dir, "--tls-cert", &certificate, "--tls-key", &key]);
        assert!(error.contains(why), "{error}");
        let named = [&certificate, &key].into_iter().any(|file| error.contains(file.as_str()));
        assert!(named && Path::new(&dir).is_dir(), "{error}");
    }
}

#[test]
fn options_of_tls_need_each_other() {
    for args in [
        &["--tls-required"][..],
        &["--listen-implicit=127.0.0.1:0"],
        &["--tls-cert=x"],
        &["--tls-key=x"],
        &["--tls-self-signed", "--tls-cert=x", "--tls-key=x"],
    ] {
        let error = usage_error(&[&["."], args].concat());
        assert!(error.contains("--tls-"), "{error}");
    }
}

#[test]
fn who_listens_to_others_is_warned_of_what_they_can_do() {
    let temp = tempfile::tempdir().unwrap();
    let password = temp.path().join("password");
    fs::write(&password, "geheim\n").unwrap();
    let (dir, password) = (temp.path().to_str().unwrap(), password.to_str().unwrap());
    let user = ["--user=anna", "--password-file", password];
    let open = ["--listen=0.0.0.0:0"];
    let closed = ["--listen=127.0.0.1:0"];
    for (args, warning) in [
        ([&closed[..], &user].concat(), None),
        ([&open[..], &user].concat(), Some("sends passwords and files in clear")),
        ([&open[..], &user, &["--tls-self-signed"]].concat(), Some("--tls-required refuses it")),
        ([&open[..], &user, &["--tls-self-signed", "--tls-required"]].concat(), None),
        ([&closed[..], &user, &["--tls-self-signed", "--listen-implicit=0.0.0.0:0"]].concat(), None),
        (open.to_vec(), Some("may read the directory")),
        ([&open[..], &["--write"]].concat(), Some("may change the directory")),
        (
            [&closed[..], &["--write", "--tls-self-signed", "--listen-implicit=0.0.0.0:0"]].concat(),
            Some("may change the directory"),
        ),
    ] {
        let mut serve = Serve::start(&[&[dir], &args[..]].concat());
        serve.url();
        let (status, log) = serve.end("-TERM");
        assert_eq!(status, Some(0), "{log}");
        match warning {
            Some(warning) => assert!(log.starts_with("warning: ") && log.contains(warning), "{args:?} {log}"),
            None => assert!(!log.contains("warning"), "{args:?} {log}"),
        }
    }
}
