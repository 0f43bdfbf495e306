//! Data connections: who calls whom, and who gets nothing.

use super::*;

#[test]
fn pasv_port_and_eprt_work_as_epsv_does() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);

    let text = client.expect("PASV", 227);
    let numbers: Vec<u16> =
        text.split(['(', ')']).nth(1).unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    assert_eq!(numbers[..4], [127, 0, 0, 1]);
    let mut data = TcpStream::connect(("127.0.0.1", numbers[4] * 256 + numbers[5])).unwrap();
    client.expect("RETR a.txt", 150);
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    client.expect_replies(&[226]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for command in
        [format!("PORT 127,0,0,1,{},{}", port / 256, port % 256), format!("EPRT |1|127.0.0.1|{port}|")]
    {
        client.expect(command, 200);
        client.expect("RETR a.txt", 150);
        let (mut data, _) = listener.accept().unwrap();
        data.read_to_string(&mut content).unwrap();
        client.expect_replies(&[226]);
    }
    assert_eq!(content, "hello".repeat(3));

    drop(listener);
    client.expect(format!("EPRT |1|127.0.0.1|{port}|"), 200);
    client.expect("RETR a.txt", 150);
    client.expect_replies(&[425]);
}

#[test]
fn the_server_calls_nobody_but_the_client() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("PORT 127,0,0,2,200,1", 504),
        ("PORT 192,0,2,1,200,1", 504),
        ("PORT 127,0,0,1,0,25", 504),
        ("PORT 127,0,0,1,3,255", 504),
        ("PORT 127,0,0,1,200", 501),
        ("PORT", 501),
        ("EPRT |1|127.0.0.2|50000|", 504),
        ("EPRT |2|::1|50000|", 504),
        ("EPRT |1|127.0.0.1|1023|", 504),
        ("EPRT |3|x|50000|", 522),
        ("EPRT 127.0.0.1", 501),
        ("RETR a.txt", 425),
    ] {
        client.expect(command, code);
    }
}

#[test]
fn epsv_takes_a_protocol_and_all() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("EPSV 1", 229),
        ("EPSV 2", 522),
        ("EPSV 3", 522),
        ("EPSV x", 501),
        ("epsv all", 200),
        ("PASV", 503),
        ("PORT 127,0,0,1,200,1", 503),
        ("EPRT |1|127.0.0.1|50000|", 503),
        ("EPSV", 229),
    ] {
        client.expect(command, code);
    }
}

#[test]
fn ipv6_has_epsv_and_eprt_but_no_pasv() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let options = ServeOptions { listen: "[::1]:0".parse().unwrap(), ..sandbox.options() };
    // Where the machine has no IPv6 there is nothing to show.
    let Ok(server) = Server::start(options) else { return };
    assert!(server.url().starts_with("ftp://[::1]:"), "{}", server.url());
    let mut client = Client::login(&server);
    client.expect("PASV", 425);
    client.expect("EPSV 1", 522);
    client.expect("EPSV 2", 229);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    let listener = TcpListener::bind("[::1]:0").unwrap();
    client.expect(format!("EPRT |2|::1|{}|", listener.local_addr().unwrap().port()), 200);
    client.expect("NLST", 150);
    drop(listener.accept().unwrap());
    assert!(matches!(client.reply().code(), 226 | 426));
}

#[test]
fn one_socket_serves_both_protocols() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let options = ServeOptions { listen: "[::]:0".parse().unwrap(), ..sandbox.options() };
    let Ok(server) = Server::start(options) else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    // Some systems keep the two apart.
    let Ok(probe) = TcpStream::connect(address) else { return };
    drop(probe);
    let mut client = Client::to(address);
    client.expect_replies(&[220]);
    client.expect("USER ftp", 331);
    client.expect("PASS x", 230);
    assert_eq!(client.fetch("RETR a.txt"), "hello");
    client.expect("PASV", 227);
}

#[test]
fn passive_ports_stay_in_their_range() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    // Two ports that are free, below those that systems give away by themselves, and others in each process.
    let range = (20_000..30_000)
        .step_by(2)
        .cycle()
        .skip(std::process::id() as usize % 5000)
        .map(|low| low..=low + 1)
        .find(|range| range.clone().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .unwrap();
    let server =
        Server::start(ServeOptions { passive_ports: Some(range.clone()), ..sandbox.options() }).unwrap();
    let mut clients = [Client::login(&server), Client::login(&server)];
    let ports = clients.each_mut().map(|client| client.epsv().port());
    assert!(ports.iter().all(|port| range.contains(port)) && ports[0] != ports[1], "{ports:?}");
    Client::login(&server).expect("EPSV", 425);
    assert_eq!(clients[0].fetch("RETR a.txt"), "hello");
}

/// Connects from another address of this machine, as somebody else would.
#[cfg(target_os = "linux")]
pub(super) fn connect_from(source: [u8; 4], target: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    connect(&socket, &target).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_else_gets_nothing_from_a_passive_port() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let address = client.epsv();
    let mut thief = connect_from([127, 0, 0, 2], address);
    let mut data = connect_from([127, 0, 0, 1], address);
    client.expect("RETR a.txt", 150);
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    client.expect_replies(&[226]);
    let mut stolen = Vec::new();
    let _ = thief.read_to_end(&mut stolen);
    assert_eq!((content.as_str(), stolen.as_slice()), ("hello", &b""[..]));
}
