//! The language of scripts, a step per line. `mod.rs` describes it.

use std::time::Duration;

/// A script: what goes for each connection, and what is answered whenever no step waits for it.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The dialogues of the first, second, … connection.
    pub(super) connections: Vec<Vec<Step>>,
    /// The dialogue of each further connection, where it was given.
    pub(super) further: Option<Vec<Step>>,
    pub(super) handlers: Vec<Handler>,
}

/// What is done when a command arrives that no step waits for.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) pattern: Vec<u8>,
    pub(super) when: When,
    pub(super) steps: Vec<Step>,
}

/// Which of the matching commands a handler is for, counted over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Each,
    Nth(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Waits for a command.
    Expect(Vec<u8>),
    /// Sends bytes on the control connection.
    Send(Vec<u8>),
    /// Sends the bytes over and over until the client closes.
    Endless(Vec<u8>),
    /// From here on sends so many bytes at a time with a pause in between; all at once for 0.
    Drip(usize, Duration),
    Pause(Duration),
    Drop,
    Reset,
    /// Goes on through TLS.
    Secure,
    /// Does what a plain server does with the command at hand.
    Normally,
    Unheard,
    Data(Data),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Open,
    Send(Vec<u8>),
    /// Sends until the client hangs up.
    Endless(Vec<u8>),
    /// Sends the file that the command at hand names, or its first bytes.
    SendFile(Option<usize>),
    /// Receives to the end, or so many bytes.
    Receive(Option<usize>),
    /// Receives to the end, or so many bytes, and has them in the file that the command at hand names, behind where REST said.
    Store(Option<usize>),
    Close,
    Reset,
    /// Isn't protected, whatever was agreed on.
    Clear,
    /// Is protected by somebody else.
    Another,
    /// Ends without TLS's word for it.
    Cut,
    /// Sends bytes to where the client waits for the server, from another address than the server's.
    Stranger(Vec<u8>),
}

/// Parses a script. Panics with the line that is wrong: scripts are part of a test.
pub(super) fn parse(text: &str) -> Script {
    let mut script = Script::default();
    let mut place = Place::Connection(0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = split(line);
        match word {
            "connection" => {
                script.connections.push(Vec::new());
                place = Place::Connection(script.connections.len() - 1);
            }
            "connections" => {
                script.further = Some(Vec::new());
                place = Place::Further;
            }
            "on" => place = handler(&mut script, rest, When::Each),
            "once" => place = handler(&mut script, rest, When::Nth(1)),
            "nth" => {
                let (count, pattern) = split(rest);
                place = handler(&mut script, pattern, When::Nth(number(count, line)));
            }
            "repeat" => {
                let steps: Vec<_> =
                    lines.by_ref().map(str::trim_start).take_while(|line| *line != "end").map(step).collect();
                for _ in 0..number(rest, line) {
                    steps_of(&mut script, place).extend(steps.iter().cloned());
                }
            }
            _ => steps_of(&mut script, place).push(step(line)),
        }
    }
    script
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Connection(usize),
    Further,
    Handler(usize),
}

fn handler(script: &mut Script, pattern: &str, when: When) -> Place {
    script.handlers.push(Handler { pattern: unescape(pattern), when, steps: Vec::new() });
    Place::Handler(script.handlers.len() - 1)
}

fn steps_of(script: &mut Script, place: Place) -> &mut Vec<Step> {
    match place {
        Place::Connection(index) => {
            if script.connections.len() <= index {
                script.connections.push(Vec::new());
            }
            &mut script.connections[index]
        }
        Place::Further => script.further.get_or_insert_default(),
        Place::Handler(index) => &mut script.handlers[index].steps,
    }
}

fn step(line: &str) -> Step {
    let (word, rest) = split(line);
    match word {
        ">" => Step::Expect(unescape(rest)),
        "<" => Step::Send([unescape(rest), b"\r\n".to_vec()].concat()),
        "<|" => Step::Send(unescape(rest)),
        "endless" => Step::Endless(text(rest, line)),
        "drip" if rest == "off" => Step::Drip(0, Duration::ZERO),
        "drip" => {
            let (count, pause) = split(rest);
            Step::Drip(number(count, line), duration(pause, line))
        }
        "pause" => Step::Pause(duration(rest, line)),
        "drop" => Step::Drop,
        "reset" => Step::Reset,
        "secure" => Step::Secure,
        "normally" => Step::Normally,
        "unheard" => Step::Unheard,
        "data" => Step::Data(data(rest, line)),
        _ => panic!("no such step: {line}"),
    }
}

fn data(what: &str, line: &str) -> Data {
    let (word, rest) = split(what);
    let count = |text: &str| (!text.is_empty()).then(|| number(text, line));
    match word {
        "open" => Data::Open,
        "send" => match rest.split_once(" x ") {
            Some((count, bytes)) => Data::Send(text(bytes, line).repeat(number(count, line))),
            None => Data::Send(text(rest, line)),
        },
        "endless" => Data::Endless(text(rest, line)),
        "file" => Data::SendFile(count(rest)),
        "recv" => Data::Receive(count(rest)),
        "store" => Data::Store(count(rest)),
        "close" => Data::Close,
        "reset" => Data::Reset,
        "clear" => Data::Clear,
        "another" => Data::Another,
        "cut" => Data::Cut,
        "stranger" => Data::Stranger(text(rest, line)),
        _ => panic!("no such step: {line}"),
    }
}

/// Splits off the first word; of what follows, only the one blank behind it is taken.
fn split(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or((line, ""))
}

fn number(text: &str, line: &str) -> usize {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number: {line}"))
}

fn duration(text: &str, line: &str) -> Duration {
    let millis =
        |text: &str, unit| text.trim().strip_suffix(unit).and_then(|count| count.parse::<u64>().ok());
    let parsed = millis(text, "ms").or_else(|| millis(text, "s").map(|seconds| seconds * 1000));
    Duration::from_millis(
        parsed.unwrap_or_else(|| panic!("{text:?} is no duration such as 100ms or 2s: {line}")),
    )
}

fn text(quoted: &str, line: &str) -> Vec<u8> {
    let inner = quoted.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unescape(inner.unwrap_or_else(|| panic!("{quoted} is not in quotes: {line}")))
}

/// Takes `\r`, `\n`, `\t`, `\0`, `\"`, `\\`, `\xFF` and a blank after `\` for the bytes they stand for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [escape, behind @ ..] = rest else { panic!("a lone \\ at the end of {text:?}") };
        rest = behind;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' | b'"' | b' ' => *escape,
            b'x' => {
                let hex = text.get(text.len() - rest.len()..).and_then(|rest| rest.get(..2));
                rest = rest.get(2..).unwrap_or_default();
                hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())
                    .unwrap_or_else(|| panic!("bad \\x in {text:?}"))
            }
            _ => panic!("unknown escape \\{} in {text:?}", char::from(*escape)),
        });
    }
    bytes
}

/// Tells whether a command line is what a pattern means: `*` stands for anything, and a verb alone for any arguments.
pub(super) fn matches(pattern: &[u8], command: &[u8]) -> bool {
    if !pattern.contains(&b' ') && !pattern.contains(&b'*') {
        return command.split(|byte| *byte == b' ').next() == Some(pattern);
    }
    glob(pattern, command)
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        [first, rest @ ..] => {
            text.split_first().is_some_and(|(byte, behind)| byte == first && glob(rest, behind))
        }
    }
}
