//! The tests' own tools, tried with a bare TCP client: a tool that lies makes every test that uses it lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{
    Daemon, Direction, LONG_AGO, Sandbox, ScriptServer, Software, assert_same_tree,
    assert_same_tree_and_times, differences, files, for_each_daemon, snapshot,
};

#[test]
fn a_dialogue_is_had_word_for_word() {
    let server = ScriptServer::new("< 220 hello\n> USER me\n< 331 go on\n> PASS *\n< 230 in\n");
    let mut client = Client::connect(server.port());
    assert_eq!(client.line(), "220 hello");
    assert_eq!(client.ask("USER me"), "331 go on");
    assert_eq!(client.ask("PASS any thing"), "230 in");
    drop(client);
    let transcript = server.finish();
    assert_eq!(transcript.lines(), ["USER me", "PASS any thing"]);
    assert_eq!(transcript.raw(0), b"USER me\r\nPASS any thing\r\n");
}

#[test]
fn another_command_than_the_expected_one_fails_the_test() {
    let server = ScriptServer::new("< 220 hello\n> USER me\n");
    let mut client = Client::connect(server.port());
    client.line();
    assert_eq!(client.ask("QUIT"), "");
    assert!(failure(|| drop(server.finish())).contains(r#""QUIT" came, not "USER me""#));
}

#[test]
fn a_dialogue_cut_short_fails_the_test() {
    let server = ScriptServer::new("< 220 hello\n> USER me\n");
    Client::connect(server.port()).line();
    assert!(failure(|| drop(server.finish())).contains(r#"the client hung up before "USER me""#));
}

#[test]
fn a_connection_that_never_comes_fails_the_test() {
    let server = ScriptServer::new("connection\n< 220 one\nconnection\n< 220 two\n");
    assert_eq!(Client::connect(server.port()).line(), "220 one");
    assert!(failure(|| drop(server.finish())).contains("connection 2 never came"));
}

#[test]
fn a_command_that_nothing_is_said_about_fails_the_test() {
    let server = ScriptServer::new("on CONNECT\n< 220 hello\n");
    let mut client = Client::connect(server.port());
    client.line();
    assert_eq!(client.ask("NOOP"), "");
    assert!(failure(|| drop(server.finish())).contains(r#"nothing is said about "NOOP""#));
}

#[test]
fn escapes_stand_for_any_byte() {
    let server = ScriptServer::new("< 220-a\\tb\\x00\\xFF\\\\\\ \n<| \\r\\n220 x\\n\n");
    let mut client = Client::connect(server.port());
    let mut bytes = vec![0; 21];
    client.stream.read_exact(&mut bytes).expect("it sends as much");
    assert_eq!(bytes, b"220-a\tb\0\xFF\\ \r\n\r\n220 x\n");
    drop(client);
    server.finish();
}

#[test]
fn replies_without_a_step_between_them_leave_in_one_segment() {
    let server = ScriptServer::new("< 220 hello\n> NOOP\n< 200 ok\n< 421 bye\ndrop\n");
    let mut client = Client::connect(server.port());
    client.line();
    client.send("NOOP");
    let mut block = [0; 100];
    let read = client.stream.get_mut().read(&mut block).expect("it answers");
    assert_eq!(&block[..read], b"200 ok\r\n421 bye\r\n");
    assert_eq!(client.line(), "");
    server.finish();
}

#[test]
fn a_dripping_reply_comes_byte_by_byte() {
    let server = ScriptServer::new("drip 1 5ms\n< 220 hello\ndrip off\n");
    let begun = Instant::now();
    let mut client = Client::connect(server.port());
    let mut block = [0; 100];
    assert!(client.stream.get_mut().read(&mut block).expect("it greets") < 11);
    client.line();
    assert!(begun.elapsed() >= Duration::from_millis(50), "{:?}", begun.elapsed());
    drop(client);
    server.finish();
}

#[test]
fn a_pause_holds_the_greeting_back_and_does_not_hold_the_test_up() {
    let begun = Instant::now();
    let server = ScriptServer::new("on CONNECT\npause 60s\n< 220 late\n");
    let client = Client::connect(server.port());
    client
        .stream
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time-out is settable");
    assert!(client.stream.get_ref().peek(&mut [0]).is_err());
    drop(client);
    server.finish();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn an_endless_reply_ends_with_the_client() {
    let server = ScriptServer::new("endless \"220-more\\r\\n\"");
    let mut client = Client::connect(server.port());
    for _ in 0..100_000 {
        assert_eq!(client.line(), "220-more");
    }
    drop(client);
    server.finish();
}

#[test]
fn a_reset_is_no_orderly_end() {
    let server = ScriptServer::new("< 220 hello\n> NOOP\nreset\n");
    let mut client = Client::connect(server.port());
    client.line();
    client.send("NOOP");
    let error = client.stream.read(&mut [0; 10]).expect_err("the connection is reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    server.finish();
}

#[test]
fn repeated_steps_are_had_as_often_as_said() {
    let server = ScriptServer::new("< 220 hello\nrepeat 3\n> NOOP\n< 200 ok\nend\n> QUIT\n");
    let mut client = Client::connect(server.port());
    client.line();
    for _ in 0..3 {
        assert_eq!(client.ask("NOOP"), "200 ok");
    }
    client.send("QUIT");
    drop(client);
    server.finish();
}

#[test]
fn each_connection_has_its_own_dialogue() {
    let server = ScriptServer::new("connection\n< 220 one\nconnection\n< 220 two\nconnections\n< 421 full\n");
    for greeting in ["220 one", "220 two", "421 full", "421 full"] {
        assert_eq!(Client::connect(server.port()).line(), greeting);
    }
    assert_eq!(server.finish().connections(), 4);
}

#[test]
fn a_data_connection_goes_where_the_reply_says() {
    let script = r#"
        < 220 hello
        > EPSV
        < 229 ok (|||{port}|)
        > LIST
        < 150 here
        data send 2 x "a\r\n"
        data close
        < 226 done
        > PASV
        < 227 ok (10,1,2,3,{p1},{p2})
        > STOR a.txt
        < 150 go on
        data recv 3
        data close
        < 426 that was enough
    "#;
    let server = ScriptServer::new(script);
    let mut client = Client::connect(server.port());
    client.line();
    let mut data = client.passive();
    assert_eq!(client.ask("LIST"), "150 here");
    assert_eq!(data.rest(), b"a\r\na\r\n");
    assert_eq!(client.line(), "226 done");

    let reply = client.ask("PASV");
    let numbers: Vec<u16> =
        reply[8..reply.len() - 1].split(',').map(|number| number.parse().expect("six")).collect();
    assert_eq!(numbers[..4], [10, 1, 2, 3]);
    let mut data = Client::connect(numbers[4] * 256 + numbers[5]);
    client.ask("STOR a.txt");
    data.stream.get_mut().write_all(b"abc").expect("it receives");
    assert_eq!(client.line(), "426 that was enough");
    drop(client);
    assert_eq!(server.finish().uploads(), [("STOR a.txt".to_owned(), b"abc".to_vec())]);
}

#[test]
fn a_plain_server_lists_serves_and_stores() {
    let server = ScriptServer::plain(files! {"a.txt" => "hi", "sub/b.txt" => "there", "empty/"}, "");
    let mut client = Client::login(server.port());
    assert_eq!(client.ask("PWD"), r#"257 "/" is where you are"#);
    assert_eq!(client.ask("SIZE /sub/b.txt"), "213 5");
    assert_eq!(client.ask("MDTM a.txt"), "213 20240506070809");
    let listing = client.download("MLSD /");
    assert_eq!(
        listing,
        "type=file;size=2;modify=20240506070809; a.txt\r\ntype=dir;modify=20240506070809; empty\r\n\
         type=dir;modify=20240506070809; sub\r\n"
    );
    assert_eq!(client.ask("CWD sub"), "250 ok");
    assert_eq!(client.download("LIST"), "-rw-r--r--   1 ftp      ftp             5 May 06  2024 b.txt\r\n");
    assert_eq!(client.download("RETR b.txt"), "there");
    assert_eq!(client.ask("REST 2"), "350 from there");
    assert_eq!(client.download("RETR b.txt"), "ere");

    client.upload("STOR /new.part", b"something new");
    assert_eq!(client.ask("MFMT 20200102030405 /new.part"), "213 Modify=20200102030405 /new.part");
    assert_eq!(client.ask("RNFR /new.part"), "350 to what?");
    assert_eq!(client.ask("RNTO /new.txt"), "250 renamed");
    assert_eq!(client.ask("MDTM /new.txt"), "213 20200102030405");
    assert_eq!(client.ask("MKD /made"), r#"257 "/made" created"#);
    assert_eq!(client.ask("RMD /sub"), "550 can't be done");
    assert_eq!(client.ask("DELE /sub/b.txt"), "250 removed");
    assert_eq!(client.ask("RMD /sub"), "250 removed");
    assert_eq!(client.ask("QUIT"), "221 bye");
    let transcript = server.finish();
    assert_eq!(transcript.tree(), "a.txt = \"hi\"\nempty/\nmade/\nnew.txt = \"something new\"\n");
    assert_eq!(transcript.sent(&["DELE", "RMD"]), ["RMD /sub", "DELE /sub/b.txt", "RMD /sub"]);
}

#[test]
fn a_handler_changes_one_thing_about_a_plain_server() {
    let script = r#"
        on SIZE
        < 500 what?
        nth 2 RETR
        < 150 here
        data file 3
        data close
        < 226 done
        once NOOP
        pause 50ms
        normally
        < 421 bye
        drop
    "#;
    let server = ScriptServer::plain(files! {"a.txt" => "content"}, script);
    let mut client = Client::login(server.port());
    assert_eq!(client.ask("SIZE a.txt"), "500 what?");
    assert_eq!(client.download("RETR a.txt"), "content");
    assert_eq!(client.download("RETR a.txt"), "con");
    assert_eq!(client.download("RETR a.txt"), "content");
    assert_eq!(client.ask("NOOP"), "200 ok");
    assert_eq!(client.line(), "421 bye");
    assert_eq!(client.line(), "");
    let mut client = Client::login(server.port());
    assert_eq!(client.ask("NOOP"), "200 ok");
    assert_eq!(client.ask("NOOP"), "200 ok");
    drop(client);
    server.finish();
}

#[test]
fn a_dialogue_may_wait_for_one_command_of_a_plain_session() {
    let server = ScriptServer::plain(files! {}, "> MKD *\n< 550 no\n> MKD *\n< 421 bye\ndrop\n");
    let mut client = Client::login(server.port());
    assert_eq!(client.ask("MKD a"), "550 no");
    assert_eq!(client.ask("NOOP"), "200 ok");
    assert_eq!(client.ask("MKD a"), "421 bye");
    server.finish();
}

#[test]
fn trees_are_compared_by_names_kinds_contents_and_times() {
    let sandbox = Sandbox::new();
    let left = sandbox
        .tree("left", files! {"same" => "x", "only left" => "", "kind/", "size" => "12", "byte" => "abc"});
    let right = sandbox.tree(
        "right",
        files! {"same" => "x", "kind" => "", "size" => "123", "byte" => "abd", "more/a" => ""},
    );
    let expected = [
        r#""byte": same size, but byte 2 differs"#,
        r#""kind": a directory ≠ a file"#,
        r#""only left": only in the first, a file"#,
        r#""size": 2 bytes ≠ 3 bytes"#,
        r#""more": only in the second, a directory"#,
        r#""more/a": only in the second, a file"#,
    ];
    assert_eq!(differences(left.path(), right.path(), true), expected);

    let later = sandbox.tree("later", files! {"a" => "x"});
    let sooner = sandbox.tree("sooner", files! {"a" => "x"});
    later.set_time("a", "2024-05-06T07:08:10Z");
    assert_same_tree(&later, &sooner);
    assert!(failure(|| assert_same_tree_and_times(&later, &sooner)).contains("2024-05-06 07:08:10"));
    assert_eq!(sooner.time("a"), LONG_AGO);
}

#[test]
fn a_snapshot_shows_a_tree_as_text() {
    let sandbox = Sandbox::new();
    let dir = sandbox.tree("dir", files! {"a.txt" => "hi\n", "b/", "b/long" => [b'x'; 1000]});
    std::os::unix::fs::symlink("a.txt", dir.at("link")).expect("links can be made");
    let text = snapshot(&dir);
    assert!(text.starts_with("a.txt = \"hi\\n\"\nb/\nb/long = 1000 bytes, "), "{text}");
    assert!(text.ends_with("\nlink -> a.txt\n"), "{text}");
}

#[test]
fn a_hanging_run_fails_its_test_and_is_killed() {
    let sandbox = Sandbox::new();
    // A server that never greets makes oneway wait.
    let server = ScriptServer::new("on CONNECT\npause 60s\n");
    let run = sandbox.command(["ls", &server.url("/")]).time_limit(Duration::from_millis(300));
    assert!(failure(|| drop(run.run().expect_status(0))).contains("still running after 300ms"));
}

#[test]
fn a_run_sees_nothing_of_the_outer_environment() {
    let sandbox = Sandbox::new();
    let mut command = std::process::Command::new("env");
    sandbox.isolate(&mut command);
    let printed = String::from_utf8(command.output().expect("env runs").stdout).expect("plain names");
    let place = sandbox.path("").to_str().expect("plain").to_owned();
    for line in
        printed.lines().filter(|line| !line.starts_with("PATH=") && !line.starts_with("LLVM_PROFILE_FILE="))
    {
        let own = ["COLUMNS=100", "TZ=UTC", "RUST_BACKTRACE=1"].contains(&line);
        assert!(own || line.contains(&place), "{line} comes from outside");
    }
}

#[test]
fn a_daemon_takes_the_right_password_alone() {
    for_each_daemon(|daemon, _| {
        let mut client = Client::connect(daemon.port());
        client.line();
        client.ask("USER mirror");
        assert_eq!(&client.ask("PASS s3cret-%41/@;")[..4], "530 ");
        let mut client = Client::connect(daemon.port());
        client.line();
        client.ask("USER nobody");
        assert_eq!(&client.ask("PASS s3cret-%41/@:")[..4], "530 ");
        let mut client = Client::connect(daemon.port());
        client.line();
        client.ask("USER mirror");
        assert_eq!(&client.ask("PASS s3cret-%41/@:")[..4], "230 ");
        assert!(
            daemon.url("/a").starts_with("ftp://mirror:s3cret%2D%2541%2F%40%3A@127.0.0.1:"),
            "{}",
            daemon.url("/a")
        );
    });
}

#[test]
fn a_daemon_stores_in_its_root_and_notes_each_transfer() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"there/before it" => "12345"});
        let mut client = Client::login(daemon.port());
        client.upload("STOR /a new.txt", b"new");
        assert_eq!(client.download("RETR /there/before it"), "12345");
        let set = if daemon.software() == Software::Vsftpd { "MDTM" } else { "MFMT" };
        assert_eq!(&client.ask(&format!("{set} 20240506070809 /a new.txt"))[..4], "213 ");
        assert_eq!(&client.ask("MKD /dir")[..4], "257 ");
        client.ask("QUIT");
        assert_same_tree_and_times(
            daemon.root(),
            sandbox.tree("same", files! {"a new.txt" => "new", "there/before it" => "12345", "dir/"}),
        );
        assert_eq!(daemon.transferred(Direction::In), ["/a_new.txt"]);
        assert_eq!(daemon.transferred(Direction::Out), ["/there/before_it"]);
        let transfers = daemon.transfers();
        assert_eq!((transfers[1].bytes, transfers[1].complete), (5, true));
    });
}

#[test]
fn a_daemon_can_be_given_a_zone_a_limit_and_a_secret() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let options = Daemon::prepare(software).time_zone("EST5").max_clients(1).deny("secret");
        let Some(daemon) = options.start(&sandbox) else { continue };
        // Of this year, so that the listing tells the hour.
        let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let days_ago = |days: u64| today.as_secs() - days * 86400;
        let midnight = days_ago(2) / 86400 * 86400;
        let midnight =
            chrono::DateTime::from_timestamp(midnight.try_into().expect("small"), 0).expect("small");
        daemon.root().add(files! {"a.txt" => "hi", "secret/b" => "b"});
        daemon.root().set_time("a.txt", &midnight.to_rfc3339());
        let mut client = Client::login(daemon.port());
        let listing = client.download("LIST");
        assert!(listing.contains(" 19:00 a.txt"), "{listing}");
        assert_eq!(&client.ask("CWD secret")[..4], "550 ");
        assert_eq!(&client.ask("SIZE /secret/b")[..4], "550 ");
        let mut second = Client::connect(daemon.port());
        let greeting = second.line();
        let refused = greeting.starts_with("421") || {
            second.ask("USER mirror");
            second.ask("PASS s3cret-%41/@:").starts_with("530")
        };
        assert!(refused, "{greeting}");
        assert_eq!(&client.ask("QUIT")[..4], "221 ");
    }
}

#[test]
fn a_daemon_ends_with_its_test() {
    for_each_daemon(|daemon, _| {
        let sandbox = Sandbox::new();
        let Some(second) = Daemon::prepare(daemon.software()).start(&sandbox) else { return };
        let (port, id) = (second.port(), second.id());
        let mut client = Client::login(port);
        drop(second);
        assert_eq!(client.line(), "");
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    });
}

/// A client that knows nothing of FTP.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out is settable");
        Self { stream: BufReader::new(stream) }
    }

    fn login(port: u16) -> Self {
        let mut client = Self::connect(port);
        assert_eq!(&client.line()[..4], "220 ");
        assert_eq!(&client.ask("USER mirror")[..4], "331 ");
        assert_eq!(&client.ask("PASS s3cret-%41/@:")[..4], "230 ");
        assert_eq!(&client.ask("TYPE I")[..4], "200 ");
        client
    }

    fn send(&mut self, command: &str) {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("it listens");
    }

    /// Returns the next line without its end, nothing at the end of the connection.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stream.read_line(&mut line);
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.send(command);
        self.line()
    }

    fn passive(&mut self) -> Self {
        let reply = self.ask("EPSV");
        let port = reply.rsplit('|').nth(1).and_then(|port| port.parse().ok());
        Self::connect(port.unwrap_or_else(|| panic!("no port in {reply:?}")))
    }

    fn download(&mut self, command: &str) -> String {
        let mut data = self.passive();
        assert_eq!(&self.ask(command)[..4], "150 ");
        let bytes = data.rest();
        drop(data);
        assert_eq!(&self.line()[..4], "226 ");
        String::from_utf8(bytes).expect("text")
    }

    fn upload(&mut self, command: &str, bytes: &[u8]) {
        let mut data = self.passive();
        assert_eq!(&self.ask(command)[..4], "150 ");
        data.stream.get_mut().write_all(bytes).expect("it receives");
        drop(data);
        assert_eq!(&self.line()[..4], "226 ");
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("it sends to the end");
        bytes
    }
}

/// Returns what a test that has to fail says.
fn failure(test: impl FnOnce()) -> String {
    let panic = catch_unwind(std::panic::AssertUnwindSafe(test)).expect_err("that had to fail");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .expect("a message")
}
