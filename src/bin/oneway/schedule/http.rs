//! A small HTTP/1.1 server (RFC 9112) for pages that are read and never written: a request a connection, bounded in size, time and number.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// An answer.
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn html(body: String) -> Self {
        Self { status: "200 OK", kind: "text/html; charset=utf-8", body }
    }

    pub(super) fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// Where the server is to listen: `8080`, which is this machine alone, or an address with its port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse::<u16>().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    port.or_else(|| text.parse().ok())
        .ok_or_else(|| format!("`{text}` is neither a port nor an address with one, as in 127.0.0.1:8080"))
}

/// Serves what `answer` gives for the path of a request, on threads of their own, until the process ends.
///
/// # Errors
/// Why the address can't be had.
pub(super) fn serve(
    at: SocketAddr,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(at)?;
    let bound = listener.local_addr()?;
    let (answer, busy) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Out of descriptors, for instance: others may be done soon.
            let Ok(stream) = stream else {
                thread::sleep(PAUSE);
                continue;
            };
            if busy.fetch_add(1, Ordering::Relaxed) >= MOST_AT_ONCE {
                busy.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (answer, of_thread) = (Arc::clone(&answer), Arc::clone(&busy));
            let spawned = thread::Builder::new().spawn(move || {
                // Whoever hangs up has read enough.
                let _ = converse(stream, bound, &*answer);
                of_thread.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                busy.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
    Ok(bound)
}

const MOST_AT_ONCE: usize = 16;
const MOST_BYTES: usize = 8 << 10;
const MOST_HEADERS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

fn converse(mut stream: TcpStream, bound: SocketAddr, answer: &dyn Fn(&str) -> Answer) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read(&mut stream)?;
    let (answer, has_body) = match understand(&request, bound) {
        Ok((path, has_body)) => (answer(&path), has_body),
        Err(status) => (Answer::text(status, format!("{status}\n")), true),
    };
    let Answer { status, kind, body } = answer;
    // Nothing is fetched from elsewhere, run, framed or kept, whatever a page holds.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\r\n",
        body.len()
    )?;
    if has_body {
        stream.write_all(body.as_bytes())?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // What is closed with something unread is reset, and the answer lost.
    let began = Instant::now();
    let mut rest = [0; 1024];
    while began.elapsed() < PATIENCE && matches!(stream.read(&mut rest), Ok(1..)) {}
    Ok(())
}

/// Reads up to the end of the head, as much as a head may have.
fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let mut head = Vec::new();
    let mut block = [0; 1024];
    while head.len() < MOST_BYTES && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        // Whoever sends a byte now and then is not waited for without end.
        let left = PATIENCE.checked_sub(began.elapsed()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => head.extend_from_slice(&block[..n]),
        }
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(head)
}

/// Returns the path that is asked for, and whether the page itself is wanted.
fn understand(head: &[u8], bound: SocketAddr) -> Result<(String, bool), &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(status) if status.is_complete() => {}
        Ok(_) => return Err("431 Request Header Fields Too Large"),
        Err(_) => return Err("400 Bad Request"),
    }
    let has_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return Err("405 Method Not Allowed"),
    };
    let hosts: Vec<_> =
        request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host")).collect();
    let host = match &hosts[..] {
        [host] => std::str::from_utf8(host.value).map_err(|_| "400 Bad Request")?,
        _ => return Err("400 Bad Request"),
    };
    // A page of somebody else's, open in a browser here, may have its name point to this address, and read what only this machine may.
    if bound.ip().is_loopback() && !is_here(host) {
        return Err("421 Misdirected Request");
    }
    let path = request.path.unwrap_or("/");
    Ok((path.split('?').next().unwrap_or_default().to_owned(), has_body))
}

/// Returns whether a `Host` means this machine whoever resolves it.
fn is_here(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(to: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A request that is too large may be answered before all of it is taken.
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn server() -> SocketAddr {
        serve(address("0").unwrap(), |path| Answer::html(format!("<p>{path}</p>"))).unwrap()
    }

    #[test]
    fn requests_and_their_answers() {
        let to = server();
        let long = "x".repeat(9000);
        for (request, status, body) in [
            ("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "<p>/a</p>"),
            ("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", "200 OK", "<p>/a</p>"),
            ("GET / HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n", "200 OK", "<p>/</p>"),
            ("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", ""),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", "405 ", "405 "),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 ", "421 "),
            ("GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "421 ", "421 "),
            ("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "421 ", "421 "),
            ("GET / HTTP/1.1\r\n\r\n", "400 ", "400 "),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400 ", "400 "),
            ("nonsense\r\n\r\n", "400 ", "400 "),
            ("\u{0}\u{1}\r\n\r\n", "400 ", "400 "),
            (&format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), "431 ", "431 "),
        ] {
            let answer = ask(to, request);
            let (head, found) =
                answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request:?}: {answer:?}"));
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {head}");
            assert!(head.contains("default-src 'none'"), "{head}");
            assert!(
                if body.is_empty() { found.is_empty() } else { found.starts_with(body) },
                "{request:?}: {found}"
            );
        }
    }

    #[test]
    fn who_says_nothing_keeps_nobody_out_for_long() {
        let to = server();
        let silent: Vec<_> = (0..MOST_AT_ONCE).map(|_| TcpStream::connect(to).unwrap()).collect();
        let began = Instant::now();
        while !ask(to, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").contains("200 OK") {
            assert!(began.elapsed() < PATIENCE * 3, "nobody gets in any more");
            thread::sleep(PAUSE);
        }
        drop(silent);
    }

    #[test]
    fn an_address_is_of_this_machine_unless_another_is_named() {
        assert_eq!(address("8080"), Ok("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(address("[::]:80"), Ok("[::]:80".parse().unwrap()));
        for text in ["", "localhost:80", "99999", "127.0.0.1"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
