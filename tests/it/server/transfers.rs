//! Content of files, up and down.

use super::*;

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
