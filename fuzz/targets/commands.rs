//! The server's command lines: a client that says anything at all, logged in and allowed to write. Whatever it says, the server answers
//! the next one, and nothing beside its directory is touched.
#![no_main]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use oneway::ftp::command::Command;
use oneway::server::{Access, ServeOptions, Server};

static SERVED: LazyLock<(SocketAddr, PathBuf)> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("oneway-fuzz-{}", std::process::id()));
    let root = place.join("root");
    fs::create_dir_all(&root).expect("there is room");
    fs::write(place.join("beside"), "untouched").expect("there is room");
    let options = ServeOptions {
        access: Access::Write,
        max_failed_logins: u32::MAX,
        login_pause: Duration::ZERO,
        data_timeout: Duration::from_millis(50),
        ..ServeOptions::new(root)
    };
    let server = Server::start(options).expect("loopback has free ports");
    let address = server.address();
    std::mem::forget(server);
    (address, place)
});

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|&b| b == b'\n') {
        if let Ok(command) = Command::parse(line) {
            let mut written = Vec::new();
            command.encode(&mut written);
            assert_eq!(written.iter().filter(|&&b| b == b'\n').count(), 1);
        }
    }
    let (address, place) = &*SERVED;
    let mut client = TcpStream::connect(address).expect("the server is there");
    let said = [b"USER anonymous\r\nPASS x\r\n", bytes, b"\r\n"].concat();
    // It may hang up on the way.
    let _ = client.write_all(&said).and_then(|()| client.shutdown(Shutdown::Write));
    let _ = client.read_to_end(&mut Vec::new());
    assert_eq!(fs::read(place.join("beside")).expect("it is still there"), b"untouched");
});
