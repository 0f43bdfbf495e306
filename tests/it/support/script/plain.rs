//! What a plain server answers: a tree in memory, the commands of RFC 959, 2389, 2428, 3659 that a mirror has a use
//! for, and no opinions. Anybody may log in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::sync::Mutex;

use super::UNHARMED;
use crate::support::dir::Files;

#[derive(Debug)]
pub(super) struct Plain {
    /// Names that differ in case alone are one, in the spelling that came first.
    folds_case: bool,
    /// Nothing is renamed onto a file that is there.
    keeps_names: bool,
    nodes: Mutex<BTreeMap<Vec<u8>, Node>>,
}

#[derive(Debug, Clone)]
enum Node {
    Dir,
    File { content: Vec<u8>, modified: String },
}

/// What a control connection remembers from one command to the next.
#[derive(Debug)]
pub(super) struct Session {
    dir: Vec<u8>,
    pub(super) restart: usize,
    from: Vec<u8>,
    /// By PROT P.
    pub(super) protects_data: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self { dir: b"/".to_vec(), restart: 0, from: Vec::new(), protects_data: false }
    }
}

/// What is to be done with a command.
#[derive(Debug)]
pub(super) enum Answer {
    Reply(Vec<u8>),
    /// 150, the bytes, 226.
    Download(Vec<u8>),
    /// 150, whatever comes goes to the path behind the bytes already there, 226.
    Upload {
        path: Vec<u8>,
        kept: Vec<u8>,
    },
    /// 234, and everything through TLS.
    Secure,
    Bye,
}

impl Plain {
    pub(super) fn new(files: Files) -> Self {
        let nodes = Mutex::new(BTreeMap::from([(b"/".to_vec(), Node::Dir)]));
        let plain = Self { folds_case: false, keeps_names: false, nodes };
        for (path, content) in files.0 {
            let path = [b"/", path.into_vec().as_slice()].concat();
            let path = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
            let mut above = parent(&path);
            while !plain.is_dir(&above) {
                plain.insert(above.clone(), Node::Dir);
                above = parent(&above);
            }
            match content {
                Some(content) => plain.insert(path, Node::File { content, modified: LONG_AGO.to_owned() }),
                None => plain.insert(path, Node::Dir),
            }
        }
        plain
    }

    pub(super) fn folding_case(self) -> Self {
        Self { folds_case: true, ..self }
    }

    pub(super) fn keeping_names(self) -> Self {
        Self { keeps_names: true, ..self }
    }

    /// Returns the path as it is spelled there, as far as it is there.
    fn own(&self, path: &[u8]) -> Vec<u8> {
        if !self.folds_case || path == b"/" {
            return path.to_vec();
        }
        let mut asked = self.own(&parent(path));
        if !asked.ends_with(b"/") {
            asked.push(b'/');
        }
        asked.extend_from_slice(name(path));
        let nodes = self.nodes.lock().expect(UNHARMED);
        nodes.keys().find(|other| other.eq_ignore_ascii_case(&asked)).cloned().unwrap_or(asked)
    }

    /// Returns a file's content.
    pub(super) fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        match self.get(path)? {
            Node::File { content, .. } => Some(content),
            Node::Dir => None,
        }
    }

    pub(super) fn store(&self, path: Vec<u8>, content: Vec<u8>) {
        self.insert(path, Node::File { content, modified: JUST_NOW.to_owned() });
    }

    /// Returns the path that a command's argument means.
    pub(super) fn resolve(session: &Session, argument: &[u8]) -> Vec<u8> {
        let mut path = if argument.starts_with(b"/") { Vec::new() } else { session.dir.clone() };
        for part in argument.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        if path.is_empty() { b"/".to_vec() } else { path }
    }

    pub(super) fn snapshot(&self) -> String {
        let mut text = String::new();
        for (path, node) in self.nodes.lock().expect(UNHARMED).iter().filter(|(path, _)| path.len() > 1) {
            let path = String::from_utf8_lossy(&path[1..]);
            match node {
                Node::Dir => writeln!(text, "{path}/"),
                Node::File { content, .. } => {
                    writeln!(text, "{path} = {:?}", String::from_utf8_lossy(content))
                }
            }
            .expect("a String takes all");
        }
        text
    }

    pub(super) fn answer(&self, session: &mut Session, command: &[u8]) -> Answer {
        let at = command.iter().position(|byte| *byte == b' ').unwrap_or(command.len());
        let (verb, argument) = (&command[..at], command.get(at + 1..).unwrap_or_default());
        let path = self.own(&Self::resolve(session, argument));
        let restart = match verb {
            b"RETR" | b"STOR" => std::mem::take(&mut session.restart),
            _ => 0,
        };
        match verb.to_ascii_uppercase().as_slice() {
            b"CONNECT" => reply("220 ready"),
            b"USER" => reply("331 password, please"),
            b"PASS" => reply("230 logged in"),
            b"AUTH" if argument == b"TLS" => Answer::Secure,
            b"PBSZ" => reply("200 ok"),
            b"PROT" => {
                session.protects_data = argument == b"P";
                reply("200 ok")
            }
            b"SYST" => reply("215 UNIX Type: L8"),
            b"FEAT" => reply(FEATURES),
            b"TYPE" | b"OPTS" | b"NOOP" | b"MODE" | b"STRU" | b"CLNT" | b"PORT" => reply("200 ok"),
            b"PWD" => Answer::Reply([b"257 \"", session.dir.as_slice(), b"\" is where you are\r\n"].concat()),
            b"CWD" if self.is_dir(&path) => {
                session.dir = path;
                reply("250 ok")
            }
            b"CDUP" => {
                session.dir = parent(&session.dir);
                reply("250 ok")
            }
            b"EPSV" => reply("229 ok (|||{port}|)"),
            b"PASV" => reply("227 ok (127,0,0,1,{p1},{p2})"),
            b"MLSD" if self.is_dir(&path) => Answer::Download(self.list(&path, mlsd_line)),
            b"LIST" if self.is_dir(&path) || argument.starts_with(b"-") => {
                let dir = if argument.starts_with(b"-") { &session.dir } else { &path };
                Answer::Download(self.list(dir, list_line))
            }
            b"SIZE" => match self.get(&path) {
                Some(Node::File { content, .. }) => reply(&format!("213 {}", content.len())),
                _ => reply("550 no such file"),
            },
            b"MDTM" => match self.get(&path) {
                Some(Node::File { modified, .. }) => reply(&format!("213 {modified}")),
                _ => reply("550 no such file"),
            },
            b"MFMT" => self.set_time(session, argument),
            b"REST" => {
                session.restart =
                    std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                reply("350 from there")
            }
            b"RETR" => match self.get(&path) {
                Some(Node::File { content, .. }) => {
                    Answer::Download(content[restart.min(content.len())..].to_vec())
                }
                _ => reply("550 no such file"),
            },
            b"STOR" | b"APPE" if self.is_dir(&parent(&path)) && !self.is_dir(&path) => {
                let mut kept = self.content(&path).unwrap_or_default();
                if verb == b"STOR" {
                    kept.truncate(restart);
                }
                Answer::Upload { path, kept }
            }
            b"STOR" | b"APPE" => reply("553 not there"),
            b"MKD" if self.get(&path).is_none() && self.is_dir(&parent(&path)) => {
                self.insert(path.clone(), Node::Dir);
                Answer::Reply([b"257 \"", path.as_slice(), b"\" created\r\n"].concat())
            }
            b"DELE" if self.content(&path).is_some() => self.remove(&path),
            b"RMD" if self.is_dir(&path) && self.below(&path).is_empty() => self.remove(&path),
            b"RNFR" if self.get(&path).is_some() => {
                session.from = path;
                reply("350 to what?")
            }
            b"RNTO" if self.keeps_names && self.get(&path).is_some() => {
                session.from = Vec::new();
                reply("550 Cannot create a file when that file already exists.")
            }
            b"RNTO" if !session.from.is_empty() && self.is_dir(&parent(&path)) => self.rename(session, &path),
            b"MLSD" | b"LIST" | b"CWD" | b"MKD" | b"DELE" | b"RMD" | b"RNFR" | b"RNTO" => {
                reply("550 can't be done")
            }
            b"QUIT" => Answer::Bye,
            _ => reply("502 not implemented"),
        }
    }

    fn set_time(&self, session: &Session, argument: &[u8]) -> Answer {
        let Some((time, name)) = argument.split_at_checked(14).filter(|(_, name)| name.starts_with(b" "))
        else {
            return reply("501 a time and a name, please");
        };
        let path = self.own(&Self::resolve(session, &name[1..]));
        match self.nodes.lock().expect(UNHARMED).get_mut(&path) {
            Some(Node::File { modified, .. }) => {
                *modified = String::from_utf8_lossy(time).into_owned();
                Answer::Reply([b"213 Modify=", argument, b"\r\n"].concat())
            }
            _ => reply("550 no such file"),
        }
    }

    fn rename(&self, session: &mut Session, to: &[u8]) -> Answer {
        let from = std::mem::take(&mut session.from);
        let mut nodes = self.nodes.lock().expect(UNHARMED);
        let inside = [from.as_slice(), b"/"].concat();
        let moved: Vec<_> =
            nodes.keys().filter(|path| **path == from || path.starts_with(&inside)).cloned().collect();
        for path in moved {
            let node = nodes.remove(&path).expect("its path was just listed");
            nodes.insert([to, &path[from.len()..]].concat(), node);
        }
        reply("250 renamed")
    }

    fn remove(&self, path: &[u8]) -> Answer {
        self.nodes.lock().expect(UNHARMED).remove(path);
        reply("250 removed")
    }

    fn list(&self, dir: &[u8], line: fn(&[u8], &Node) -> Vec<u8>) -> Vec<u8> {
        let entries = self.below(dir).into_iter().filter(|(path, _)| parent(path) == dir);
        entries.flat_map(|(path, node)| line(name(&path), &node)).collect()
    }

    /// Everything below a directory, at any depth.
    fn below(&self, dir: &[u8]) -> Vec<(Vec<u8>, Node)> {
        let inside = if dir == b"/" { b"/".to_vec() } else { [dir, b"/"].concat() };
        let nodes = self.nodes.lock().expect(UNHARMED);
        let below = nodes.iter().filter(|(path, _)| path.len() > inside.len() && path.starts_with(&inside));
        below.map(|(path, node)| (path.clone(), node.clone())).collect()
    }

    fn get(&self, path: &[u8]) -> Option<Node> {
        self.nodes.lock().expect(UNHARMED).get(path).cloned()
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        matches!(self.get(path), Some(Node::Dir))
    }

    fn insert(&self, path: Vec<u8>, node: Node) {
        self.nodes.lock().expect(UNHARMED).insert(path, node);
    }
}

fn reply(text: &str) -> Answer {
    Answer::Reply(format!("{text}\r\n").into_bytes())
}

fn parent(path: &[u8]) -> Vec<u8> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) | None => b"/".to_vec(),
        Some(at) => path[..at].to_vec(),
    }
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

fn mlsd_line(name: &[u8], node: &Node) -> Vec<u8> {
    let facts = match node {
        Node::Dir => format!("type=dir;modify={LONG_AGO}; "),
        Node::File { content, modified } => format!("type=file;size={};modify={modified}; ", content.len()),
    };
    [facts.as_bytes(), name, b"\r\n"].concat()
}

/// The time is that of [`LONG_AGO`] for all: a listing of this kind couldn't tell its seconds anyway.
fn list_line(name: &[u8], node: &Node) -> Vec<u8> {
    let facts = match node {
        Node::Dir => "drwxr-xr-x   2 ftp      ftp          4096 May 06  2024 ".to_owned(),
        Node::File { content, .. } => {
            format!("-rw-r--r--   1 ftp      ftp      {:>8} May 06  2024 ", content.len())
        }
    };
    [facts.as_bytes(), name, b"\r\n"].concat()
}

const FEATURES: &str = "211-Features:\r\n EPSV\r\n MDTM\r\n MFMT\r\n MLST type*;size*;modify*;\r\n REST STREAM\r\n SIZE\r\n \
                        TVFS\r\n UTF8\r\n211 End";
/// The same as [`LONG_AGO`](crate::support::LONG_AGO), as FTP writes it.
const LONG_AGO: &str = "20240506070809";
/// What an upload gets that isn't given a time.
const JUST_NOW: &str = "20260101000000";
