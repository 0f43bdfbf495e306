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

#[test]
fn a_client_that_does_not_log_in_is_sent_away_whatever_it_says() {
    let sandbox = Sandbox::new();
    let options = ServeOptions { login_timeout: Duration::from_secs(1), ..sandbox.options() };
    let server = Server::start(options).unwrap();
    let mut known = Client::login(&server);
    // The server's clock begins while this end still connects.
    let begun = Instant::now();
    let mut busy = Client::connect(&server);
    // REIN begins anew, but not for somebody who never was anybody.
    let code = std::iter::repeat_with(|| {
        thread::sleep(Duration::from_millis(20));
        busy.ask("REIN").code()
    })
    .find(|code| *code != 220);
    assert_eq!(code, Some(421));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(busy.next_reply().is_none());
    // Who is logged in has time.
    known.expect("NOOP", 200);
    known.expect("REIN", 220);
    known.expect_replies(&[421]);
}

#[test]
fn connecting_again_does_not_help_who_guesses() {
    let sandbox = Sandbox::new();
    let options =
        ServeOptions { max_failed_logins: 5, lockout: Duration::from_secs(3), ..with_user(&sandbox) };
    let server = Server::start(options).unwrap();
    let guess = |client: &mut Client| {
        client.expect("USER anna", 331);
        client.ask("PASS wrong").code()
    };
    let mut early = Client::connect(&server);
    let mut codes = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&server);
        codes.extend((0..if codes.is_empty() { 3 } else { 2 }).map(|_| guess(&mut client)));
    }
    assert_eq!(codes, [530; 5]);
    let last = Instant::now();
    // No more guesses, not even right ones, from whoever is connected already.
    early.expect("USER anna", 331);
    early.expect("PASS geheim 1", 421);
    assert!(early.next_reply().is_none());
    let mut late = Client::to(server.address());
    late.expect_replies(&[421]);
    assert!(late.next_reply().is_none());
    // Until it was quiet for a while.
    while Client::to(server.address()).reply().code() == 421 {
        assert!(last.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(50));
    }
    let mut client = Client::connect(&server);
    // A right password makes up for wrong ones.
    for _ in 0..3 {
        assert_eq!((guess(&mut client), guess(&mut client)), (530, 530));
        client.expect("USER anna", 331);
        client.expect("PASS geheim 1", 230);
        client.expect("REIN", 220);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn who_guesses_shuts_nobody_else_out() {
    let sandbox = Sandbox::new();
    let server = Server::start(ServeOptions { max_failed_logins: 1, ..with_user(&sandbox) }).unwrap();
    let mut guessing = Client::connect(&server);
    guessing.expect("USER anna", 331);
    guessing.expect("PASS wrong", 530);
    Client::to(server.address()).expect_replies(&[421]);
    let mut socket = data::connect_from([127, 0, 0, 2], server.address());
    socket.write_all(b"USER anna\r\nPASS geheim 1\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\r\n230 "), "{answer}");
}
