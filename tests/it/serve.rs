//! `oneway serve`, started as people start it.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
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

/// Sends commands in one segment and returns all that is answered until the server closes the connection.
fn dialogue(url: &str, commands: &str) -> String {
    let address = url.trim_end_matches('/').rsplit(['/', '@']).next().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
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
