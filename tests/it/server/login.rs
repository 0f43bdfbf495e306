//! Logging in, and what is had without it.

use super::*;

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
