//! TLS on the control connection: AUTH, the implicit port, and what is demanded.

use oneway::server::{TlsOptions, TlsVersions};
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::support::VERSIONS;

fn with_tls(sandbox: &Sandbox, tls: TlsOptions) -> ServeOptions {
    ServeOptions { tls: Some(tls), ..sandbox.options() }
}

#[test]
fn auth_begins_tls_and_forgets_who_was_logged_in() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    assert_eq!(server.url(), format!("ftpes://{}/", server.address()));
    for version in VERSIONS {
        let config = certificate.client(&[version]);
        let mut client = Client::login(&server);
        client.expect("MKD d", if version.version == TLS13.version { 257 } else { 550 });
        client.expect("CWD d", 250);
        let mut client = client.secure(&config);
        assert_eq!(client.socket.tls.protocol_version(), Some(version.version));
        client.expect("PWD", 530);
        client.expect("AUTH TLS", 503);
        client.expect("CCC", 534);
        client.expect("USER anonymous", 331);
        client.expect("PASS x", 230);
        assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
        let status = client.ask("STAT").to_string();
        assert!(status.contains("TLS, data in clear"), "{status}");
        client.expect("REIN", 220);
        client.expect("PWD", 530);
        client.expect("QUIT", 221);
        assert!(client.next_reply().is_none());
    }
}

#[test]
fn commands_of_tls_come_in_their_order() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut client = Client::connect(&server);
    for (command, code) in [
        ("AUTH KERBEROS_V4", 504),
        ("AUTH", 501),
        ("PBSZ 0", 503),
        ("PROT P", 503),
        ("CCC", 534),
        ("NOOP", 200),
    ] {
        client.expect(command, code);
    }
    let features = client.ask("FEAT").to_string();
    let mut client = client.secure(&certificate.client(VERSIONS));
    for (command, code) in [
        ("PROT P", 503),
        ("PBSZ x", 501),
        ("PBSZ 0", 200),
        ("PROT S", 536),
        ("PROT E", 536),
        ("PROT X", 504),
        ("PROT C", 200),
        ("prot p", 200),
    ] {
        client.expect(command, code);
    }
    assert_eq!(client.ask("FEAT").to_string(), features);
    let body = client.ask("FEAT").body().concat();
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains(" AUTH TLS EPRT") && body.contains(" PASV PBSZ PROT REST"), "{body}");
}

#[test]
fn every_name_of_tls_is_taken_and_ssl_protects_data_at_once() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    for (mechanism, data) in [("tls", "in clear"), ("TLS-C", "in clear"), ("SSL", "protected")] {
        let mut client = Client::connect(&server);
        client.expect(format!("AUTH {mechanism}"), 234);
        let mut client = client.under_tls(&certificate.client(VERSIONS));
        client.expect("USER anonymous", 331);
        client.expect("PASS x", 230);
        let status = client.ask("STAT").to_string();
        assert!(status.contains(&format!("TLS, data {data}")), "{status}");
    }
}

#[test]
fn where_tls_is_demanded_nothing_goes_in_clear() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let tls = TlsOptions { required: true, ..certificate.options() };
    let server = Server::start(with_tls(&sandbox, tls)).unwrap();
    let mut client = Client::connect(&server);
    client.expect("USER anonymous", 530);
    client.expect("PASS x", 503);
    let config = certificate.client(VERSIONS);
    let mut client = client.secure(&config);
    client.expect("USER anonymous", 331);
    client.expect("PASS x", 230);
    client.expect("MLST a.txt", 250);
    client.epsv();
    for command in ["RETR a.txt", "LIST", "NLST", "MLSD", "STOR new", "STOR a.txt", "APPE a.txt"] {
        client.expect(command, 522);
    }
    assert!(!sandbox.path("new").exists() && sandbox.read("a.txt") == "hello");
    client.expect("PBSZ 0", 200);
    client.expect("PROT C", 534);
    client.expect("RETR a.txt", 522);
    client.expect("PROT P", 200);
    assert_eq!(client.fetch_securely("RETR a.txt", &config), b"hello");
}

#[test]
fn what_came_behind_auth_is_not_obeyed() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut client = Client::login(&server);
    client.send("AUTH TLS\r\nMKD injected\r\n");
    client.expect_replies(&[421]);
    assert!(client.next_reply().is_none());
    // Half a command, too.
    let mut client = Client::login(&server);
    client.send("AUTH TLS\r\nMKD inj");
    client.expect_replies(&[421]);
    assert!(client.next_reply().is_none());
    // And what comes after the reply is read as TLS, which it isn't.
    let mut client = Client::login(&server);
    client.expect("AUTH TLS", 234);
    client.send("MKD injected\r\n");
    let mut rest = Vec::new();
    let _ = client.socket.read_to_end(&mut rest);
    // At most an alert.
    assert!(rest.is_empty() || rest[0] == 21, "{rest:?}");
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), 0);
}

#[test]
fn the_implicit_port_begins_with_tls_and_protects_data() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let listen_implicit = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let tls = TlsOptions { required: true, listen_implicit, ..certificate.options() };
    let server = Server::start(with_tls(&sandbox, tls)).unwrap();
    let address = server.implicit_address().unwrap();
    assert_eq!(server.implicit_url().unwrap(), format!("ftps://{address}/"));
    assert_ne!(address, server.address());
    for version in VERSIONS {
        let config = certificate.client(&[version]);
        let mut client = Client::to(address).under_tls(&config);
        client.expect_replies(&[220]);
        client.expect("AUTH TLS", 503);
        client.expect("USER anonymous", 331);
        client.expect("PASS x", 230);
        assert_eq!(client.fetch_securely("RETR a.txt", &config), b"hello");
        client.expect("PBSZ 0", 200);
        client.expect("PROT P", 200);
        assert_eq!(client.fetch_securely("RETR a.txt", &config), b"hello");
    }
    // The other port is still there, and in clear.
    Client::connect(&server).expect("NOOP", 200);
}

#[test]
fn commands_that_come_with_the_end_of_the_handshake_are_answered() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    for version in VERSIONS {
        let mut client = Client::connect(&server);
        client.expect("AUTH TLS", 234);
        let mut client = client.under_tls(&certificate.client(&[version]));
        // rustls keeps it until it may be sent, and sends it in one segment with the last part of the handshake.
        client.socket.tls.writer().write_all(b"USER anonymous\r\nPASS x\r\nNOOP\r\n").unwrap();
        client.expect_replies(&[331, 230, 200]);
        let many = "NOOP\r\n".repeat(5000);
        client.send(&many);
        client.expect_replies(&[200; 5000]);
        // All that came before close_notify counts, and then the server ends it, though the client's side is open.
        client.socket.tls.writer().write_all(b"NOOP\r\nPWD\r\n").unwrap();
        client.socket.end();
        client.expect_replies(&[200, 257]);
        assert!(client.next_reply().is_none());
    }
}

#[test]
fn versions_are_as_told() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    for (versions, spoken, refused) in
        [(TlsVersions::Tls12, &TLS12, &TLS13), (TlsVersions::Tls13, &TLS13, &TLS12)]
    {
        let recorder = Arc::new(interface::Recorder::default());
        let options = ServeOptions {
            observer: Some(Arc::<interface::Recorder>::clone(&recorder)),
            ..with_tls(&sandbox, TlsOptions { versions, ..certificate.options() })
        };
        let server = Server::start(options).unwrap();
        let client = Client::connect(&server).secure(&certificate.client(VERSIONS));
        assert_eq!(client.socket.tls.protocol_version(), Some(spoken.version));
        let mut client = Client::connect(&server);
        client.expect("AUTH TLS", 234);
        let mut client = client.under_tls(&certificate.client(&[refused]));
        let error = client.socket.shake_hands().unwrap_err().to_string();
        assert!(error.contains("ProtocolVersion"), "{error}");
        server.stop();
        let events = recorder.0.lock().unwrap().join("\n");
        assert!(events.contains("TlsFailed"), "{events}");
    }
}

#[test]
fn a_client_that_stalls_in_the_handshake_is_left() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let listen_implicit = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    for login_timeout in [Duration::from_secs(1), PATIENCE] {
        let options = ServeOptions {
            login_timeout,
            idle_timeout: if login_timeout == PATIENCE { Duration::from_secs(1) } else { PATIENCE },
            ..with_tls(&sandbox, TlsOptions { listen_implicit, ..certificate.options() })
        };
        let server = Server::start(options).unwrap();
        let mut explicit = Client::connect(&server);
        explicit.expect("AUTH TLS", 234);
        let implicit = Client::to(server.implicit_address().unwrap());
        for client in [explicit, implicit] {
            let mut client = client.under_tls(&certificate.client(VERSIONS));
            let mut hello = Vec::new();
            client.socket.tls.write_tls(&mut hello).unwrap();
            client.socket.tcp.write_all(&hello[..hello.len() / 2]).unwrap();
            let mut drip = client.socket.tcp.try_clone().unwrap();
            thread::scope(|scope| {
                // One byte at a time is no better.
                scope.spawn(move || {
                    for byte in &hello[hello.len() / 2..] {
                        if drip.write_all(&[*byte]).is_err() {
                            break;
                        }
                        thread::sleep(Duration::from_millis(10));
                    }
                });
                let begun = Instant::now();
                // The end, or a reset by the bytes that came late.
                let _ = client.socket.tcp.read_to_end(&mut Vec::new());
                assert!(begun.elapsed() < PATIENCE / 2);
            });
        }
    }
}

#[test]
fn stopping_the_server_ends_a_session_under_tls_in_order() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut idle = Client::login_securely(&server, &certificate.client(VERSIONS));
    let mut halfway = Client::connect(&server);
    halfway.expect("AUTH TLS", 234);
    server.stop();
    idle.expect_replies(&[421]);
    assert!(idle.next_reply().is_none());
    let _ = halfway.socket.read_to_end(&mut Vec::new());
}

#[test]
fn nothing_that_is_no_tls_harms_the_server() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut hello = Vec::new();
    let mut honest =
        TlsSocket::new(TcpStream::connect(server.address()).unwrap(), &certificate.client(VERSIONS));
    honest.tls.write_tls(&mut hello).unwrap();
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    for _ in 0..60 {
        let mut bytes = hello.clone();
        for _ in 0..=random() % 4 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() % hello.len() + 1);
        let mut client = Client::connect(&server);
        client.expect("AUTH TLS", 234);
        client.send(&bytes);
        client.socket.shutdown(Shutdown::Write).unwrap();
        let _ = client.socket.read_to_end(&mut Vec::new());
    }
    Client::connect(&server).secure(&certificate.client(VERSIONS)).expect("NOOP", 200);
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::connect(&server);
    client.expect("AUTH TLS", 502);
    client.expect("PROT P", 503);
    assert_eq!((server.implicit_address(), server.implicit_url()), (None, None));
    let help = client.ask("HELP").to_string();
    assert!(!help.contains("AUTH"), "{help}");
}
