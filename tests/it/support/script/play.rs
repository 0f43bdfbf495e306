//! Plays a script with one client, on the thread of its connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::line::{Identity, Line};
use super::parse::{Data, Step, When, matches};
use super::plain::{Answer, Plain, Session};
use super::{POLL, Shared, UNHARMED};

/// Has the dialogue of a connection, then answers what handlers and the plain server can answer.
pub(super) fn play(shared: &Shared, number: usize, stream: TcpStream) {
    let script = &shared.script;
    let dialogue = match script.connections.get(number).or(script.further.as_ref()) {
        Some(steps) => steps.as_slice(),
        None if script.connections.is_empty() => &[],
        None => return shared.violation(format!("connection {} was not to be", number + 1)),
    };
    // Some platforms hand the listener's mode on.
    stream.set_nonblocking(false).expect("a socket can block");
    stream.set_read_timeout(Some(READ_POLL)).expect("a time-out is settable");
    stream.set_nodelay(true).expect("replies leave at once");
    let mut connection = Connection {
        shared,
        number,
        stream: Line::Clear(stream),
        identity: Some(Identity::Itself),
        cuts: false,
        unread: Vec::new(),
        unsent: Vec::new(),
        drip: (0, Duration::ZERO),
        listener: None,
        data: None,
        active: None,
        session: Session::default(),
        command: b"CONNECT".to_vec(),
    };
    // Whoever hung up can't be talked to any more; what was still expected is noted by then.
    let _ = connection.serve(dialogue);
}

/// The connection is over: closed by the script or by the client.
struct Over;

struct Connection<'a> {
    shared: &'a Shared,
    number: usize,
    stream: Line,
    /// Who is at the other end of protected data connections; `None` where they aren't protected after all.
    identity: Option<Identity>,
    /// Protected data ends without a word.
    cuts: bool,
    unread: Vec<u8>,
    /// Replies that leave together.
    unsent: Vec<u8>,
    drip: (usize, Duration),
    listener: Option<TcpListener>,
    data: Option<Line>,
    /// Where the client waits for a data connection, by its last PORT or EPRT.
    active: Option<SocketAddr>,
    session: Session,
    /// The command at hand, for `normally` and `data file`.
    command: Vec<u8>,
}

impl Connection<'_> {
    fn serve(&mut self, dialogue: &[Step]) -> Result<(), Over> {
        if matches!(dialogue.first(), None | Some(Step::Expect(_))) {
            self.handle(b"CONNECT".to_vec())?;
        }
        self.steps(dialogue)?;
        while let Some(command) = self.next_command()? {
            if !self.handle(command.clone())? {
                self.violation(&format!("nothing is said about {:?}", String::from_utf8_lossy(&command)));
                return Err(Over);
            }
        }
        Ok(())
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Over> {
        for step in steps {
            if !matches!(step, Step::Send(_)) {
                self.flush()?;
            }
            self.step(step)?;
        }
        self.flush()
    }

    fn step(&mut self, step: &Step) -> Result<(), Over> {
        match step {
            Step::Expect(pattern) => self.expect(pattern),
            Step::Send(bytes) => {
                self.send(bytes);
                Ok(())
            }
            Step::Endless(bytes) => self.send_endlessly(bytes),
            Step::Drip(count, pause) => {
                self.drip = (*count, *pause);
                Ok(())
            }
            Step::Pause(duration) => self.pause(*duration),
            Step::Drop => {
                let _ = self.stream.socket().shutdown(Shutdown::Both);
                Err(Over)
            }
            Step::Secure => self.secure(),
            Step::Reset => {
                reset(self.stream.socket());
                Err(Over)
            }
            Step::Normally => self.normally(),
            Step::Unheard => {
                self.flush()?;
                self.perform()?;
                self.unsent.clear();
                Ok(())
            }
            Step::Data(data) => self.data_step(data),
        }
    }

    fn expect(&mut self, pattern: &[u8]) -> Result<(), Over> {
        let expected = String::from_utf8_lossy(pattern).into_owned();
        loop {
            let Some(command) = self.next_command()? else {
                self.violation(&format!("the client hung up before {expected:?}"));
                return Err(Over);
            };
            if matches(pattern, &command) {
                self.command = command;
                return Ok(());
            }
            if !self.handle(command.clone())? {
                self.violation(&format!("{:?} came, not {expected:?}", String::from_utf8_lossy(&command)));
                return Err(Over);
            }
        }
    }

    /// Answers a command that no step waits for. False when nothing is said about it.
    fn handle(&mut self, command: Vec<u8>) -> Result<bool, Over> {
        let handlers = &self.shared.script.handlers;
        let chosen = {
            let mut seen = self.shared.seen.lock().expect(UNHARMED);
            let mut chosen = None;
            for (index, handler) in handlers.iter().enumerate() {
                if matches(&handler.pattern, &command) {
                    seen[index] += 1;
                    if handler.when == When::Each || handler.when == When::Nth(seen[index]) {
                        chosen = Some(handler);
                    }
                }
            }
            chosen
        };
        let is_greeting = command == b"CONNECT";
        self.command = command;
        match chosen {
            Some(handler) => self.steps(&handler.steps)?,
            None if self.shared.plain.is_some() => self.normally()?,
            None => return Ok(is_greeting),
        }
        Ok(true)
    }

    /// Does what a plain server would do with the command at hand.
    fn normally(&mut self) -> Result<(), Over> {
        self.perform()?;
        self.flush()
    }

    /// The same, but for the last reply, which is not on its way yet.
    fn perform(&mut self) -> Result<(), Over> {
        let shared = self.shared;
        let plain = shared.plain.as_ref().expect("`normally` is for ScriptServer::plain");
        match plain.answer(&mut self.session, &self.command) {
            Answer::Reply(bytes) => self.send(&bytes),
            Answer::Secure => {
                self.send(b"234 go on\r\n");
                self.flush()?;
                self.secure()?;
            }
            Answer::Download(bytes) => {
                self.send(b"150 here it comes\r\n");
                self.flush()?;
                self.send_data(&bytes);
                self.close_data();
                self.send(b"226 that's all\r\n");
            }
            Answer::Upload { path, mut kept } => {
                self.send(b"150 go on\r\n");
                self.flush()?;
                kept.extend(self.receive_data(None));
                self.close_data();
                plain.store(path, kept);
                self.send(b"226 stored\r\n");
            }
            Answer::Bye => {
                self.send(b"221 bye\r\n");
                self.flush()?;
                let _ = self.stream.socket().shutdown(Shutdown::Both);
                return Err(Over);
            }
        }
        Ok(())
    }

    fn data_step(&mut self, step: &Data) -> Result<(), Over> {
        match step {
            Data::Open => {
                self.open_data();
            }
            Data::Send(bytes) => self.send_data(bytes),
            Data::Endless(bytes) => {
                let block = bytes.repeat(65536 / bytes.len().max(1) + 1);
                let shared = self.shared;
                if let Some(stream) = self.open_data() {
                    while stream.write_all(&block).is_ok() && !shared.stopped.load(Ordering::Relaxed) {}
                }
            }
            Data::SendFile(count) => {
                let argument = self.command.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default();
                let path = Plain::resolve(&self.session, argument);
                let content =
                    self.shared.plain.as_ref().and_then(|plain| plain.content(&path)).unwrap_or_default();
                self.send_data(&content[..count.unwrap_or(content.len()).min(content.len())]);
            }
            Data::Receive(count) => {
                self.receive_data(*count);
            }
            Data::Store(count) => {
                let argument = self.command.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default();
                let path = Plain::resolve(&self.session, argument);
                let restart = std::mem::take(&mut self.session.restart);
                let plain = self.shared.plain.as_ref().expect("`data store` is for ScriptServer::plain");
                let mut content = plain.content(&path).unwrap_or_default();
                content.truncate(restart);
                content.extend(self.receive_data(*count));
                plain.store(path, content);
            }
            Data::Close => {
                self.open_data();
                self.close_data();
            }
            Data::Clear => self.identity = None,
            Data::Another => self.identity = Some(Identity::Another),
            Data::Cut => self.cuts = true,
            Data::Stranger(bytes) => self.intrude(bytes),
            Data::Reset => {
                if let Some(line) = self.open_data() {
                    reset(line.socket());
                }
                self.data = None;
            }
        }
        Ok(())
    }

    /// Returns the data connection, which the client has to have opened by now or to open soon, or which is opened to the
    /// port that the client named.
    fn open_data(&mut self) -> Option<&mut Line> {
        if self.data.is_none() {
            let (begun, mut gone) = (Instant::now(), false);
            let listener = self.listener.take();
            if listener.is_none()
                && let Some(Ok(stream)) = self.active.take().map(TcpStream::connect)
            {
                stream.set_read_timeout(Some(READ_POLL)).expect("a time-out is settable");
                self.data = Some(self.data_line(stream));
            }
            while let Some(listener) = &listener {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(false).expect("a socket can block");
                    stream.set_read_timeout(Some(READ_POLL)).expect("a time-out is settable");
                    self.data = Some(self.data_line(stream));
                    break;
                }
                // Whoever has hung up owes no connection.
                gone = has_hung_up(self.stream.socket());
                if gone || begun.elapsed() > DATA_LIMIT || self.stopped() {
                    break;
                }
                thread::sleep(POLL);
            }
            if self.data.is_none() && !gone {
                let command = String::from_utf8_lossy(&self.command).into_owned();
                self.violation(&format!("no data connection came for {command:?}"));
            }
        }
        self.data.as_mut()
    }

    /// Sends bytes to where the client waits for the server, from an address of loopback that isn't the server's.
    fn intrude(&self, bytes: &[u8]) {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let (Some(address), stranger) = (self.active, SocketAddr::from(([127, 0, 0, 2], 0))) else {
            return self.violation("the client waits for nobody");
        };
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("there are sockets");
        bind(&socket, &stranger).expect("all of 127/8 is loopback");
        connect(&socket, &address).expect("the client listens");
        // A client that looks whom it has there hangs up at once.
        let _ = TcpStream::from(socket).write_all(bytes);
    }

    fn data_line(&self, stream: TcpStream) -> Line {
        let line = Line::Clear(stream);
        match self.identity.filter(|_| self.session.protects_data) {
            Some(identity) => line.protect(identity),
            None => line,
        }
    }

    fn close_data(&mut self) {
        if let Some(mut line) = self.data.take()
            && !self.cuts
        {
            line.end();
        }
    }

    /// Goes on through TLS.
    fn secure(&mut self) -> Result<(), Over> {
        self.flush()?;
        let stream = self.stream.socket().try_clone().map_err(|_| Over)?;
        self.stream = Line::Clear(stream).protect(Identity::Itself);
        Ok(())
    }

    /// A client may hang up whenever it likes.
    fn send_data(&mut self, bytes: &[u8]) {
        if let Some(stream) = self.open_data() {
            let _ = stream.write_all(bytes);
        }
    }

    fn receive_data(&mut self, count: Option<usize>) -> Vec<u8> {
        let mut received = Vec::new();
        let shared = self.shared;
        if let Some(stream) = self.open_data() {
            let mut block = [0; 65536];
            while count.is_none_or(|count| received.len() < count) && !shared.stopped.load(Ordering::Relaxed)
            {
                let room = count.map_or(block.len(), |count| (count - received.len()).min(block.len()));
                match stream.read(&mut block[..room]) {
                    Ok(0) => break,
                    Ok(read) => received.extend_from_slice(&block[..read]),
                    Err(error) if is_poll(&error) => {}
                    Err(_) => break,
                }
            }
        }
        let command = String::from_utf8_lossy(&self.command).into_owned();
        shared.recorded.lock().expect(UNHARMED).uploads.push((command, received.clone()));
        received
    }

    /// Reads the next command line; `None` when the client has hung up.
    fn next_command(&mut self) -> Result<Option<Vec<u8>>, Over> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                if line.ends_with(b"\r") {
                    line.pop();
                }
                self.shared.recorded.lock().expect(UNHARMED).commands.push((self.number, line.clone()));
                self.active = active_port(&line).or(self.active);
                return Ok(Some(line));
            }
            if self.stopped() {
                return Ok(None);
            }
            let mut block = [0; 4096];
            match self.stream.read(&mut block) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    self.unread.extend_from_slice(&block[..read]);
                    self.shared.recorded.lock().expect(UNHARMED).raw[self.number]
                        .extend_from_slice(&block[..read]);
                }
                Err(error) if is_poll(&error) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let bytes = self.with_data_port(bytes);
        self.unsent.extend(bytes);
    }

    /// Puts the number of a new data port into a reply that asks for one.
    fn with_data_port(&mut self, reply: &[u8]) -> Vec<u8> {
        let names: [&[u8]; 3] = [b"{port}", b"{p1}", b"{p2}"];
        if !names.iter().any(|name| find(reply, name).is_some()) {
            return reply.to_vec();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let port = listener.local_addr().expect("it is bound").port();
        (self.listener, self.data) = (Some(listener), None);
        let [high, low] = port.to_be_bytes();
        let mut reply = reply.to_vec();
        for (name, value) in names.into_iter().zip([port.to_string(), high.to_string(), low.to_string()]) {
            while let Some(at) = find(&reply, name) {
                reply.splice(at..at + name.len(), value.bytes());
            }
        }
        reply
    }

    fn flush(&mut self) -> Result<(), Over> {
        let bytes = std::mem::take(&mut self.unsent);
        if bytes.is_empty() {
            return Ok(());
        }
        let (count, pause) = self.drip;
        if count == 0 {
            return self.stream.write_all(&bytes).map_err(|_| Over);
        }
        for piece in bytes.chunks(count) {
            self.stream.write_all(piece).map_err(|_| Over)?;
            self.pause(pause)?;
        }
        Ok(())
    }

    fn send_endlessly(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let block = bytes.repeat(4096 / bytes.len().max(1) + 1);
        self.stream.socket().set_write_timeout(Some(READ_POLL)).expect("a time-out is settable");
        loop {
            match self.stream.write(&block) {
                Err(error) if is_poll(&error) && !self.stopped() => {}
                Err(_) => return Err(Over),
                Ok(_) if self.stopped() => return Err(Over),
                Ok(_) => {}
            }
        }
    }

    fn pause(&self, duration: Duration) -> Result<(), Over> {
        let until = Instant::now() + duration;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.stopped() || self.client_is_gone_at_the_end() {
                return Err(Over);
            }
            thread::sleep(left.min(READ_POLL));
        }
        Ok(())
    }

    /// A test that waits for the end doesn't wait for a pause that nobody sees.
    fn client_is_gone_at_the_end(&self) -> bool {
        self.shared.finishing.load(Ordering::Relaxed) && matches!(self.stream.socket().peek(&mut [0]), Ok(0))
    }

    fn stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Relaxed)
    }

    fn violation(&self, what: &str) {
        self.shared.violation(format!("connection {}: {what}", self.number + 1));
    }
}

/// Returns whether the client has closed its end, whatever of it is still unread.
fn has_hung_up(stream: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(stream, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Closes with RST: what is sent behind a closed read side is answered so, and nothing is waited for.
fn reset(stream: &TcpStream) {
    // Setting SO_LINGER to zero makes the close an RST.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// Returns the address that `PORT h1,h2,h3,h4,p1,p2` names.
fn active_port(line: &[u8]) -> Option<SocketAddr> {
    let numbers = std::str::from_utf8(line).ok()?.strip_prefix("PORT ")?;
    let numbers: Vec<u8> = numbers.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else { return None };
    Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
}

pub(super) fn is_poll(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

const READ_POLL: Duration = Duration::from_millis(20);
/// How long a client may take to open a data connection.
const DATA_LIMIT: Duration = Duration::from_secs(10);
