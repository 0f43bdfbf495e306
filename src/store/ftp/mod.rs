//! A tree on an FTP server.

mod download;
mod hold;
mod links;
mod lister;
mod listing;
mod loops;
mod naming;
mod part;
mod permit;
mod publish;
mod questions;
mod recover;
mod rename;
mod resume;
mod session;
mod settle;
mod survey;
mod upload;

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::ftp::client::{Client, ClientOptions};
use crate::ftp::error::FtpError;
use crate::ftp::host::HostNotes;
use crate::ftp::listing::{Limits, ListingFormat};
use crate::ftp::reply::Reply;
use crate::model::{Offset, RelPath, Remedy, escape};
use crate::store::{ServerClock, Session, Store, StoreError, StoreResult};

pub use lister::{ListedDir, Lister};
use session::{FtpSession, Ways};
pub use survey::Survey;

/// A directory on an FTP server.
pub struct FtpStore {
    options: ClientOptions,
    root: RemoteRoot,
    /// Where things are set aside.
    aside: Option<RemoteRoot>,
    name: String,
    choice: ListingChoice,
    limits: Limits,
    notes: Arc<HostNotes>,
    learned: Arc<Mutex<Learned>>,
    clock: Arc<ServerClock>,
    sessions: AtomicU32,
    /// A session has been had, so that the server is known to be there.
    reached: AtomicBool,
    /// TLS was wished for where the server had it, and it hadn't.
    clear: AtomicBool,
}

/// Where the tree begins on its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteRoot {
    /// Relative to the directory a login begins in, as in `ftp://host/path` (RFC 1738 §3.2.2).
    Home(Vec<u8>),
    /// From the server's root, as in `ftp://host/%2Fpath`.
    Absolute(Vec<u8>),
}

impl RemoteRoot {
    /// Returns the absolute path, without a separator at its end; empty for `/` itself.
    fn resolve(&self, home: &[u8]) -> Vec<u8> {
        let parts = match self {
            Self::Home(path) => [home, b"/", path].concat(),
            Self::Absolute(path) => path.clone(),
        };
        let names = parts.split(|&b| b == b'/').filter(|name| !name.is_empty());
        names.flat_map(|name| [b"/", name]).flatten().copied().collect()
    }
}

/// What the sessions of one run find out about this server.
#[derive(Debug, Default)]
struct Learned {
    /// The family of LIST; chosen once.
    format: Option<&'static dyn ListingFormat>,
    hidden: Hidden,
    /// `LIST -a` has lines for `.` and `..`.
    shows_itself: bool,
    /// MLSD has them.
    mlsd_shows_itself: bool,
    clock: publish::ClockCheck,
    /// STAT was seen not to list, or to be made to lie.
    stat_fails: bool,
    /// A file had another size than its listing told, so that SIZE had to be asked behind it.
    sizes_changed: bool,
    /// Files of which more came than there should be.
    overrun: HashSet<RelPath>,
    /// Uploads that nothing more was heard of, by their temporary names.
    unsettled: HashMap<RelPath, recover::Unsettled>,
    /// Files can't be written on: REST is refused before STOR, or obeyed wrongly.
    never_resumes: bool,
    /// Some listing told times to the minute only, although there is MLSD.
    rounds_times: bool,
    loops: loops::Loops,
}

/// How directories are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListingChoice {
    /// As costs least with what the server has.
    #[default]
    Auto,
    /// MLSD, where there is one.
    Mlsd,
    /// STAT on the control connection, where it is known to list.
    Stat,
    /// LIST over a data connection.
    List,
    /// NLST, with a question for each name.
    Nlst,
}

/// How files whose names begin with a dot are had from LIST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hidden {
    #[default]
    Unknown,
    /// `LIST -a` shows them.
    Flag,
    /// `LIST` shows all there is to see.
    Plain,
}

impl FtpStore {
    /// Returns the tree at `root`. `name` is what people call it, a URL without its password.
    pub fn new(options: ClientOptions, root: RemoteRoot, name: String) -> Self {
        Self {
            choice: ListingChoice::default(),
            limits: Limits::default(),
            options,
            root,
            aside: None,
            name,
            notes: Arc::default(),
            learned: Arc::default(),
            clock: Arc::default(),
            sessions: AtomicU32::new(0),
            reached: AtomicBool::new(false),
            clear: AtomicBool::new(false),
        }
    }

    /// Lists directories in this way.
    #[must_use]
    pub fn with_listing(mut self, choice: ListingChoice) -> Self {
        self.choice = choice;
        self
    }

    /// Sets things aside in this directory, which need not exist yet: that of one run, in one for all of them.
    #[must_use]
    pub fn with_aside(mut self, aside: RemoteRoot) -> Self {
        self.aside = Some(aside);
        self
    }

    /// Takes listed times for so far from UTC; `None` for times of which nobody knows.
    #[must_use]
    pub fn with_time_offset(mut self, offset: Option<Offset>) -> Self {
        self.clock = Arc::new(ServerClock::new(offset));
        self
    }

    /// Takes no more of a listing than this. What has more is not proven, so that nothing is deleted in it.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Opens a session that is known to be one of FTP, for operations beyond a mirror's.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub(crate) fn open(&self) -> StoreResult<FtpSession> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Client::connect(&self.options, &self.notes, number).map_err(|e| self.fail(e))?;
        self.reached.store(true, Ordering::Relaxed);
        if self.options.tls.is_some() && !client.is_protected() {
            self.clear.store(true, Ordering::Relaxed);
        }
        let home = client.home().unwrap_or(b"/");
        let root = self.root.resolve(home);
        let aside = self.aside.as_ref().map(|aside| aside.resolve(home));
        let (learned, clock) = (Arc::clone(&self.learned), Arc::clone(&self.clock));
        let ways = Ways { choice: self.choice, limits: self.limits, learned, clock };
        Ok(FtpSession::new(client, root, aside, self.name.clone(), ways))
    }

    /// Opens a session by itself, in the directory of the URL, for operations beyond a tree's.
    ///
    /// # Errors
    /// As [`Store::connect`], and why the directory can't be entered.
    pub fn client(&self) -> StoreResult<Client> {
        let mut session = self.open()?;
        if self.root != RemoteRoot::Home(Vec::new()) {
            let root = RelPath::root();
            let path = session.full(&root);
            session.client.change_dir(&path).map_err(|e| session.fail("open", &root, e))?;
        }
        Ok(session.client)
    }

    fn fail(&self, error: FtpError) -> StoreError {
        // A name or port that never worked is most likely mistyped; trying again would only keep a person waiting.
        let remedy = match &error {
            FtpError::Resolve { source, .. } | FtpError::Connect { source, .. }
                if !self.reached.load(Ordering::Relaxed)
                    && !matches!(source.kind(), ErrorKind::TimedOut | ErrorKind::ConnectionReset) =>
            {
                Remedy::Abort
            }
            // A server that can't agree on TLS once won't the next time.
            FtpError::Tls(_) if !self.reached.load(Ordering::Relaxed) => Remedy::Abort,
            error => error.remedy(),
        };
        let hint = hint(&error);
        let reach = matches!(error, FtpError::Resolve { .. } | FtpError::Connect { .. });
        let error =
            StoreError::of_store(if reach { "reach" } else { "log in to" }, &self.name, remedy, error);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Returns what a person can do about a login that failed; `None` where the failure says all.
fn hint(error: &FtpError) -> Option<&'static str> {
    match error {
        FtpError::Resolve { .. } | FtpError::Connect { .. } => {
            Some("check host and port, and whether the server is running")
        }
        FtpError::Untrusted(distrust) if distrust.why.is_none() => Some(
            "if the server has a new certificate, learn its pin in another way and give that with --pin; if not, somebody is in between",
        ),
        FtpError::Untrusted(_) => Some(
            "if you know in another way that this is its pin, trust it with --pin; --ca names other authorities",
        ),
        FtpError::Unprotected { .. } => Some("only --tls try goes on in clear text then"),
        FtpError::Tls(_) => Some(
            "TLS 1.2 and 1.3 are spoken; ftps:// is for ports where TLS begins at once (990), ftpes:// for all others",
        ),
        FtpError::Refused { reply, .. } if wants_tls(reply) => {
            Some("the server wants TLS: use ftpes:// or --tls require")
        }
        FtpError::Refused { reply, .. } if reply.code() == 530 => {
            Some("check user and password; the password can come from $ONEWAY_PASSWORD")
        }
        _ => None,
    }
}

/// Returns whether a refusal speaks of encryption.
fn wants_tls(reply: &Reply) -> bool {
    const WORDS: [&str; 4] = ["tls", "ssl", "encrypt", "secure"];
    let text = String::from_utf8_lossy(reply.text()).to_ascii_lowercase();
    matches!(reply.code(), 421 | 503 | 522 | 530..=536 | 550) && WORDS.iter().any(|word| text.contains(word))
}

impl Store for FtpStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        Ok(Box::new(self.open()?))
    }

    fn is_in_clear_text(&self) -> bool {
        self.clear.load(Ordering::Relaxed)
    }

    fn clock(&self) -> Option<&ServerClock> {
        Some(&self.clock)
    }
}

impl std::fmt::Debug for FtpStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FtpStore({}, {})", self.name, escape(&self.root.resolve(b"~")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_path_is_relative_to_the_login_directory_or_absolute() {
        let home = |path: &str| RemoteRoot::Home(path.into());
        let absolute = |path: &str| RemoteRoot::Absolute(path.into());
        for (root, login, path) in [
            (home(""), "/", ""),
            (home("site"), "/", "/site"),
            (home("site/"), "/home/anna", "/home/anna/site"),
            (home(""), "/home/anna", "/home/anna"),
            (absolute("/srv//www/"), "/home/anna", "/srv/www"),
            (absolute("/"), "/home/anna", ""),
        ] {
            assert_eq!(root.resolve(login.as_bytes()), path.as_bytes(), "{root:?} {login}");
        }
    }
}
