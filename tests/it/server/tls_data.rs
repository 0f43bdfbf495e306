//! TLS on data connections: PROT P, whole files, resumed sessions.

use oneway::server::TlsOptions;
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::support::VERSIONS;

fn with_tls(sandbox: &Sandbox, tls: TlsOptions) -> ServeOptions {
    ServeOptions { tls: Some(tls), ..sandbox.options() }
}

fn noise(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn files_go_up_and_come_back_under_tls() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    fs::create_dir(sandbox.path("d")).unwrap();
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    for version in VERSIONS {
        let config = certificate.client(&[version]);
        let mut client = Client::login_securely(&server, &config);
        for (name, content) in [("empty", Vec::new()), ("small", noise(5)), ("large", noise(3_000_001))] {
            client.put_securely(&format!("STOR {name}"), &content, &config);
            assert!(fs::read(sandbox.path(name)).unwrap() == content, "{name}");
            assert!(client.fetch_securely(&format!("RETR {name}"), &config) == content, "{name}");
        }
        client.put_securely("APPE small", b"more", &config);
        client.expect("REST 5", 350);
        assert_eq!(client.fetch_securely("RETR small", &config), b"more");
        assert_eq!(client.fetch_securely("NLST", &config), b"d\r\nempty\r\nlarge\r\nsmall\r\n");
        assert_eq!(client.fetch_securely("MLSD d", &config), b"");
        client.expect("PROT C", 200);
        assert_eq!(client.fetch("NLST d"), "");
    }
}

#[test]
fn an_upload_without_close_notify_is_not_taken_for_whole() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let recorder = Arc::new(interface::Recorder::default());
    let options = ServeOptions {
        observer: Some(Arc::<interface::Recorder>::clone(&recorder)),
        ..with_tls(&sandbox, certificate.options())
    };
    let server = Server::start(options).unwrap();
    for version in VERSIONS {
        let config = certificate.client(&[version]);
        let mut client = Client::login_securely(&server, &config);
        for content in [&b""[..], b"half", &noise(100_000)] {
            let mut data = client.begin_securely("STOR a", &config);
            data.write_all(content).unwrap();
            data.tcp.shutdown(Shutdown::Write).unwrap();
            let reply = client.reply();
            assert_eq!(reply.code(), 426, "{reply}");
            assert!(reply.to_string().contains("close_notify"), "{reply}");
        }
        client.expect("NOOP", 200);
    }
    server.stop();
    let events = recorder.0.lock().unwrap().clone();
    assert_eq!(events.iter().filter(|event| *event == "STOR a 100000 false").count(), 2, "{events:?}");
    assert!(!events.iter().any(|event| event.ends_with(" true")), "{events:?}");
}

#[test]
fn a_data_connection_that_speaks_no_tls_gets_nothing() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut client = Client::login_securely(&server, &certificate.client(VERSIONS));
    let mut data = client.begin("STOR a.txt");
    data.write_all(b"in clear, in clear").unwrap();
    client.expect_replies(&[425]);
    let data = client.begin("RETR a.txt");
    data.shutdown(Shutdown::Write).unwrap();
    client.expect_replies(&[425]);
    assert_eq!(sandbox.read("a.txt"), "hello");
}

#[test]
fn a_handshake_that_stands_still_ends_like_a_transfer() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let config = certificate.client(VERSIONS);
    let options =
        ServeOptions { data_timeout: Duration::from_secs(1), ..with_tls(&sandbox, certificate.options()) };
    let server = Server::start(options).unwrap();
    let mut client = Client::login_securely(&server, &config);
    let _data = client.begin("RETR a.txt");
    client.expect_replies(&[425]);
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut client = Client::login_securely(&server, &config);
    let _data = client.begin("RETR a.txt");
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    let mut waiting = Client::login_securely(&server, &config);
    let _data = waiting.begin("RETR a.txt");
    server.stop();
    waiting.expect_replies(&[426, 421]);
}

#[test]
fn transfers_under_tls_end_as_in_clear() {
    let (sandbox, certificate) = (Sandbox::new().file("big", ""), SelfSigned::new());
    fs::File::options().write(true).open(sandbox.path("big")).unwrap().set_len(1 << 30).unwrap();
    let config = certificate.client(VERSIONS);
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let mut client = Client::login_securely(&server, &config);
    // A download, and an upload with much on its way.
    let mut data = client.begin_securely("RETR big", &config);
    data.read_exact(&mut [0; 100_000]).unwrap();
    client.send("NOOP\r\nABOR\r\nPWD\r\n");
    client.expect_replies(&[426, 200, 226, 257]);
    let mut data = client.begin_securely("STOR up", &config);
    data.write_all(&noise(3_000_000)).unwrap();
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    let mut busy = Client::login_securely(&server, &config);
    let data = busy.begin_securely("RETR big", &config);
    server.stop();
    busy.expect_replies(&[426, 421]);
    drop(data);

    let options =
        ServeOptions { data_timeout: Duration::from_secs(1), ..with_tls(&sandbox, certificate.options()) };
    let server = Server::start(options).unwrap();
    let mut client = Client::login_securely(&server, &config);
    let _data = client.begin_securely("RETR big", &config);
    client.expect_replies(&[426]);
    let mut data = client.begin_securely("STOR up", &config);
    data.write_all(b"and no more").unwrap();
    client.expect_replies(&[426]);
    client.expect("NOOP", 200);
}

#[test]
fn a_writer_that_is_slow_keeps_what_it_sent() {
    let (sandbox, certificate) = (Sandbox::new(), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let config = certificate.client(VERSIONS);
    let mut client = Client::login_securely(&server, &config);
    let content = noise(40_000);
    let mut data = client.begin_securely("STOR a", &config);
    let mut wire = Vec::new();
    data.tls.writer().write_all(&content).unwrap();
    data.tls.send_close_notify();
    while data.tls.wants_write() {
        data.tls.write_tls(&mut wire).unwrap();
    }
    // Records arrive in pieces that end anywhere.
    data.tcp.set_nodelay(true).unwrap();
    for piece in wire.chunks(1201) {
        data.tcp.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    client.expect_replies(&[226]);
    assert!(fs::read(sandbox.path("a")).unwrap() == content);
}

// ---- resumption

#[test]
fn data_connections_resume_the_session_of_their_control_connection() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let tls = TlsOptions { require_reuse: true, ..certificate.options() };
    let server = Server::start(with_tls(&sandbox, tls)).unwrap();
    for version in VERSIONS {
        let config = certificate.client(&[version]);
        let mut client = Client::login_securely(&server, &config);
        for _ in 0..10 {
            // Each download brings tickets of its own.
            let mut data = client.begin_securely("RETR a.txt", &config);
            assert!(data.is_resumed());
            data.read_to_end(&mut Vec::new()).unwrap();
            client.expect_replies(&[226]);
        }
        client.put_securely("STOR b.txt", b"hi", &config);
        client.expect("NOOP", 200);
    }
}

#[test]
fn where_reuse_is_demanded_no_other_session_will_do() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let tls = TlsOptions { require_reuse: true, ..certificate.options() };
    let strict = Server::start(with_tls(&sandbox, tls)).unwrap();
    let lenient = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    for version in VERSIONS {
        for (server, code) in [(&strict, 522), (&lenient, 226)] {
            let (config, other) = (certificate.client(&[version]), certificate.client(&[version]));
            let mut client = Client::login_securely(server, &config);
            let mut elsewhere = Client::login_securely(server, &other);
            elsewhere.expect("NOOP", 200);
            // That of another control connection; none; and what was had when it was refused.
            for foreign in [&other, &other, &certificate.client(&[version])] {
                let mut data = client.begin_securely("RETR a.txt", foreign);
                assert!(code == 226 || !data.is_resumed());
                let mut content = Vec::new();
                data.read_to_end(&mut content).unwrap();
                assert_eq!(content, if code == 522 { &b""[..] } else { b"hello" });
                client.expect_replies(&[code]);
            }
            let mut data = client.begin_securely("STOR a.txt", &certificate.client(&[version]));
            // What is refused may be closed before all is sent.
            let _ = data.write_all(b"hello");
            data.tls.send_close_notify();
            let _ = data.flush();
            client.expect_replies(&[code]);
            assert_eq!(sandbox.read("a.txt"), "hello");
            // And the session goes on.
            assert_eq!(client.fetch_securely("RETR a.txt", &config), b"hello");
        }
    }
}

/// A client that only sends never reads, and what it leaves unread would reset the connection with the end of the file in it.
#[test]
fn an_upload_gets_no_tickets_and_a_download_does() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let config = certificate.client(&[&TLS13]);
    let mut client = Client::login_securely(&server, &config);
    let mut data = client.begin_securely("RETR a.txt", &config);
    data.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(data.tls.tls13_tickets_received(), 2);
    client.expect_replies(&[226]);
    for i in 0..20 {
        let mut data = client.begin_securely("STOR b.txt", &config);
        data.write_all(&noise(100_000 + i)).unwrap();
        data.end();
        drop(data);
        client.expect_replies(&[226]);
        client.expect("SIZE b.txt", 213);
        assert_eq!(fs::metadata(sandbox.path("b.txt")).unwrap().len(), u64::from(100_000 + i));
    }
    let mut data = client.begin_securely("STOR b.txt", &config);
    data.end();
    assert_eq!(data.read(&mut [0]).unwrap(), 0);
    assert_eq!(data.tls.tls13_tickets_received(), 0);
    client.expect_replies(&[226]);
}

#[test]
fn active_connections_are_protected_with_the_server_as_the_server() {
    let (sandbox, certificate) = (Sandbox::new().file("a.txt", "hello"), SelfSigned::new());
    let server = Server::start(with_tls(&sandbox, certificate.options())).unwrap();
    let config = certificate.client(&[&TLS12]);
    let mut client = Client::login_securely(&server, &config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    client.expect(format!("EPRT |1|127.0.0.1|{}|", listener.local_addr().unwrap().port()), 200);
    client.expect("RETR a.txt", 150);
    let mut data = TlsSocket::new(listener.accept().unwrap().0, &config);
    let mut content = Vec::new();
    data.read_to_end(&mut content).unwrap();
    assert_eq!((content.as_slice(), data.is_resumed()), (&b"hello"[..], true));
    client.expect_replies(&[226]);
}
