//! What a client may have too much of.

use super::*;

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
