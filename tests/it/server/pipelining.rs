//! Many commands at once.

use super::*;

#[test]
fn two_hundred_commands_in_one_segment_are_answered_in_order() {
    let mut sandbox = Sandbox::new();
    for i in 0..50 {
        sandbox = sandbox.file(&format!("f{i}"), "x".repeat(i));
    }
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let commands: String =
        (0..50).map(|i| format!("SIZE f{i}\r\nRNFR f{i}\r\nRNTO g{i}\r\nSIZE f{i}\r\n")).collect();
    client.send(commands);
    for i in 0..50 {
        let reply = client.reply();
        assert_eq!((reply.code(), reply.text()), (213, i.to_string().as_bytes()));
        client.expect_replies(&[350, 250, 550]);
    }
}

#[test]
fn a_whole_session_may_come_in_one_segment() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::connect(&server);
    client.send("USER anonymous\r\nPASS x\r\nTYPE I\r\nEPSV\r\nRETR a.txt\r\nSIZE a.txt\r\nQUIT\r\n");
    client.expect_replies(&[331, 230, 200]);
    let port: u16 = String::from_utf8(client.reply().text().to_vec())
        .unwrap()
        .split('|')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    let mut content = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "hello");
    client.expect_replies(&[150, 226, 213, 221]);
    assert!(client.next_reply().is_none());
}

#[test]
fn a_client_that_closes_its_side_is_served_to_the_end() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.send("MKD a\r\nMKD b\r\nMKD c");
    client.socket.shutdown(Shutdown::Write).unwrap();
    client.expect_replies(&[257, 257]);
    assert!(client.next_reply().is_none());
    // A line without its end may have been cut short.
    assert!(sandbox.path("b").exists() && !sandbox.path("c").exists());
}

#[test]
fn commands_sent_during_a_transfer_are_answered_after_it() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let mut data = client.begin("STOR tmp");
    client.send("RNFR tmp\r\nRNTO final\r\nSIZE final\r\n");
    data.write_all(b"hel").unwrap();
    client.send("NOOP\r\n");
    data.write_all(b"lo").unwrap();
    drop(data);
    client.expect_replies(&[226, 350, 250]);
    let size = client.reply();
    assert_eq!((size.code(), size.text()), (213, &b"5"[..]));
    client.expect_replies(&[200]);
}
