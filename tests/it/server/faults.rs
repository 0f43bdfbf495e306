//! Faults on demand: each goes wrong as it says, where it says, and nothing else does.

use oneway::ftp::command::Verb;
use oneway::server::{CommandFault, DataFault, Faults};

use super::*;

fn serve(sandbox: &Sandbox, faults: Faults) -> Server {
    Server::start(ServeOptions { faults: Some(Arc::new(faults)), ..sandbox.options() }).unwrap()
}

#[test]
fn a_command_is_cut_closed_or_refused_and_not_obeyed() {
    for (fault, reply) in
        [(CommandFault::Cut, None), (CommandFault::Close, Some(421)), (CommandFault::Refuse(450), Some(450))]
    {
        let sandbox = Sandbox::new();
        let server = serve(&sandbox, Faults::default().on_verb(Verb::Mkd, 1, fault));
        let mut client = Client::login(&server);
        client.send("MKD d\r\n");
        assert_eq!(client.next_reply().map(|reply| reply.code()), reply, "{fault:?}");
        let goes_on = matches!(fault, CommandFault::Refuse(_));
        assert!(!sandbox.path("d").exists(), "{fault:?}");
        if goes_on {
            client.expect("MKD d", 257);
        } else {
            assert!(client.next_reply().is_none(), "{fault:?}");
        }
    }
}

#[test]
fn a_lost_reply_leaves_the_uploaded_file() {
    let sandbox = Sandbox::new();
    let server = serve(&sandbox, Faults::default().on_verb(Verb::Stor, 1, CommandFault::LoseReply));
    let mut client = Client::login(&server);
    client.begin("STOR a").write_all(b"hello").unwrap();
    assert!(client.next_reply().is_none());
    assert_eq!(sandbox.read("a"), "hello");
}

#[test]
fn a_silence_comes_before_the_deed_or_after_it() {
    let pause = Duration::from_millis(200);
    let faults = Faults::default().on_verb(Verb::Mkd, 1, CommandFault::Stall(pause)).on_verb(
        Verb::Mkd,
        2,
        CommandFault::AnswerLate(pause),
    );
    let sandbox = Sandbox::new();
    let server = serve(&sandbox, faults);
    let mut client = Client::login(&server);
    for dir in ["one", "two"] {
        let begun = Instant::now();
        client.expect(format!("MKD {dir}"), 257);
        assert!(begun.elapsed() >= pause, "{dir}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_download_breaks_off_or_ends_short_after_as_many_bytes_as_said() {
    let content = "0123456789".repeat(50_000);
    for (after, fault, reply) in [
        (300_000, DataFault::Cut { after: 300_000 }, Some(426)),
        (0, DataFault::CutBoth { after: 0 }, None),
        (7, DataFault::Short { after: 7 }, Some(226)),
        (500_000, DataFault::Drip { bytes: 100_000, pause: Duration::from_millis(1) }, Some(226)),
        (500_000, DataFault::Stall { after: 9, pause: Duration::from_millis(1) }, Some(226)),
        (500_000, DataFault::Short { after: 500_000 }, Some(226)),
    ] {
        let sandbox = Sandbox::new().file("a", &content);
        let server = serve(&sandbox, Faults::default().on_data(1, fault));
        let mut client = Client::login(&server);
        let mut got = String::new();
        client.begin("RETR a").read_to_string(&mut got).unwrap();
        assert_eq!(got.len(), after, "{fault:?}");
        assert_eq!(client.next_reply().map(|reply| reply.code()), reply, "{fault:?}");
    }
    let sandbox = Sandbox::new().file("a", &content);
    let server = serve(&sandbox, Faults::default().on_data(1, DataFault::Reset { after: 5 }));
    let error = Client::login(&server).begin("RETR a").read_to_string(&mut String::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn an_upload_loses_its_end_or_finds_the_disk_full() {
    for (faults, kept, reply) in [
        (Faults::default().on_data(1, DataFault::Short { after: 3 }), "hel", 226),
        (Faults::default().with_disk(4, 452), "hell", 452),
        (Faults::default().with_disk(0, 552), "", 552),
    ] {
        let sandbox = Sandbox::new();
        let server = serve(&sandbox, faults);
        let mut client = Client::login(&server);
        let mut data = client.begin("STOR a");
        data.write_all(b"hello").unwrap();
        drop(data);
        client.expect_replies(&[reply]);
        assert_eq!(sandbox.read("a"), kept);
    }
}

#[test]
fn a_listing_that_ends_short_never_ends_like_a_whole_one() {
    for after in 0..130 {
        let sandbox = Sandbox::new().file("a", "1").file("b", "2").file("c", "3");
        let server = serve(&sandbox, Faults::default().on_data(1, DataFault::Short { after }));
        let listing = Client::login(&server).fetch("MLSD");
        assert!(listing.lines().count() == 3 || !listing.ends_with('\n'), "{after}: {listing:?}");
        assert!(!listing.is_empty(), "{after}");
    }
}

#[test]
fn sessions_beyond_the_limit_are_refused_at_the_greeting_or_at_the_password() {
    for (code, at_password) in [(421, false), (530, true)] {
        let sandbox = Sandbox::new();
        let server = serve(&sandbox, Faults::default().with_sessions(1, code));
        let _first = Client::login(&server);
        let mut second = Client::to(server.address());
        if at_password {
            second.expect_replies(&[220]);
            second.expect("USER anonymous", 331);
            second.expect("PASS x", code);
        } else {
            second.expect_replies(&[code]);
        }
    }
}
