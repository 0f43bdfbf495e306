//! Stopping a transfer, and the server.

use super::*;

fn with_big_file() -> Sandbox {
    let sandbox = Sandbox::new().file("big", "");
    fs::File::options().write(true).open(sandbox.path("big")).unwrap().set_len(1 << 30).unwrap();
    sandbox
}

#[test]
fn abort_stops_a_download() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("RETR big");
    data.read_exact(&mut [0; 100_000]).unwrap();
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    drop(data);
    client.expect("NOOP", 200);
    client.expect("ABOR", 226);
}

#[test]
fn abort_is_found_behind_telnet_bytes_and_as_urgent_data() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let _data = client.begin("RETR big");
    client.send(b"\xff\xf4");
    rustix::net::send(&client.socket, b"\xff\xf2", rustix::net::SendFlags::OOB).unwrap();
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    // As Python's ftplib does it.
    let _data = client.begin("RETR big");
    rustix::net::send(&client.socket, b"ABOR\r\n", rustix::net::SendFlags::OOB).unwrap();
    client.expect_replies(&[426, 226]);
    client.expect("NOOP", 200);
}

#[test]
fn abort_stops_an_upload_and_keeps_its_place_among_the_replies() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("STOR part");
    data.write_all(b"part").unwrap();
    client.send("NOOP\r\nABOR\r\nPWD\r\n");
    client.expect_replies(&[426, 200, 226, 257]);
    drop(data);
    client.expect("NOOP", 200);
}

#[test]
fn abort_ends_the_wait_for_a_data_connection() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.epsv();
    client.expect("RETR a.txt", 150);
    client.send("ABOR\r\n");
    client.expect_replies(&[426, 226]);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
}

#[test]
fn stopping_the_server_ends_sessions_and_transfers() {
    let sandbox = with_big_file();
    let server = sandbox.serve();
    let mut idle = Client::login(&server);
    let mut busy = Client::login(&server);
    let data = busy.begin("RETR big");
    let mut waiting = Client::login(&server);
    waiting.epsv();
    waiting.expect("RETR big", 150);
    let address = server.address();
    server.stop();
    idle.expect_replies(&[421]);
    busy.expect_replies(&[426, 421]);
    waiting.expect_replies(&[426, 421]);
    for client in [&mut idle, &mut busy, &mut waiting] {
        assert!(client.next_reply().is_none());
    }
    drop(data);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn nobody_waits_for_the_data_connection_of_a_client_that_has_gone() {
    let sandbox = Sandbox::new();
    let server = Server::start(ServeOptions { max_connections: 1, ..sandbox.options() }).unwrap();
    let mut client = Client::login(&server);
    client.epsv();
    client.expect("STOR a", 150);
    drop(client);
    // There is room for another one long before the data connection would be late.
    let begun = Instant::now();
    while Client::to(server.address()).reply().code() != 220 {
        assert!(begun.elapsed() < PATIENCE / 2, "the session is still there");
        thread::sleep(Duration::from_millis(10));
    }
}
