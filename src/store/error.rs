//! A failure with everything a person needs: the deed, the thing, the place, the cause, and what to do about it.

use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};
use std::io;

use thiserror::Error;

use crate::ftp::error::FtpError;
use crate::model::{RelPath, Remedy};
use crate::spill::SpillError;

/// Somebody else has what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Busy(
    /// Who has it, and since when.
    pub String,
);

/// The result of a store's operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// A failed operation. Shown as `cannot remove `a/b` on ftp://host/: 550 Permission denied`.
#[derive(Debug)]
pub struct StoreError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    operation: &'static str,
    path: Option<RelPath>,
    store: String,
    remedy: Remedy,
    hint: Option<&'static str>,
    source: Box<dyn StdError + Send + Sync>,
}

impl StoreError {
    /// Returns an error for `operation` ("remove", "list") on `path`.
    pub fn new(
        operation: &'static str,
        path: &RelPath,
        store: &str,
        remedy: Remedy,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let mut error = Self::of_store(operation, store, remedy, source);
        error.0.path = Some(path.clone());
        error
    }

    /// Returns an error for an operation on the store as a whole ("log in to").
    pub fn of_store(
        operation: &'static str,
        store: &str,
        remedy: Remedy,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner {
            operation,
            path: None,
            store: store.to_owned(),
            remedy,
            hint: None,
            source: source.into(),
        }))
    }

    /// Returns an error of the local disk, with the remedy its kind calls for.
    pub fn io(operation: &'static str, path: &RelPath, store: &str, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem => {
                Remedy::Abort
            }
            io::ErrorKind::Interrupted | io::ErrorKind::ResourceBusy => Remedy::Retry,
            _ => Remedy::Skip,
        };
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::new(operation, path, store, remedy, NoRoom(source.into()))
            }
            io::ErrorKind::FileTooLarge => Self::new(operation, path, store, remedy, TooLarge(source)),
            _ => Self::new(operation, path, store, remedy, source),
        }
    }

    /// Returns an error of an FTP session, with its remedy.
    pub fn ftp(operation: &'static str, path: &RelPath, store: &str, source: FtpError) -> Self {
        let remedy = source.remedy();
        if source.reply().is_some_and(|reply| matches!(reply.code(), 452 | 552)) {
            return Self::new(operation, path, store, remedy, NoRoom(source.into()));
        }
        Self::new(operation, path, store, remedy, source)
    }

    /// Returns the error of an operation that was given up because somebody asked to stop.
    pub fn cancelled(operation: &'static str, path: &RelPath, store: &str) -> Self {
        Self::ftp(operation, path, store, FtpError::Cancelled)
    }

    /// Returns the error of a link that leads to a directory it is in.
    pub(crate) fn endless(link: &RelPath, above: &RelPath, store: &str) -> Self {
        let there = if above.is_root() { "the root".to_owned() } else { format!("`{above}`") };
        let why = format!("it leads back to {there}, which it is in");
        Self::new("follow", link, store, Remedy::Skip, why)
    }

    /// Returns the same error once more, for another item that failed by it.
    pub(crate) fn again(&self) -> Self {
        let Inner { operation, path, store, remedy, hint, source } = &*self.0;
        let (path, store, source) = (path.clone(), store.clone(), causes(&**source).into());
        Self(Box::new(Inner { operation, path, store, remedy: *remedy, hint: *hint, source }))
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// Gives it another remedy, where the caller knows better.
    #[must_use]
    pub fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.0.remedy = remedy;
        self
    }

    /// Makes a limit on sessions something that passes, for whoever needs a session and has no other.
    #[must_use]
    pub fn waiting_for_room(self) -> Self {
        match self.remedy() {
            Remedy::Shrink => self.with_remedy(Remedy::Reconnect),
            _ => self,
        }
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> Remedy {
        self.0.remedy
    }

    /// Returns what a person can do about it; `None` when the message says all.
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// Returns whether the server isn't the one it should be: its certificate is not the pinned one.
    pub fn is_of_another_server(&self) -> bool {
        matches!(self.0.source.downcast_ref(), Some(FtpError::Untrusted(distrust)) if distrust.why.is_none())
    }

    /// Returns whether the store says that there is no such file. Over FTP this is also how one is refused that may not be read
    /// (RFC 959 §4.2.1 has 550 for both).
    pub fn is_absence(&self) -> bool {
        let reply = self.0.source.downcast_ref::<FtpError>().and_then(FtpError::reply);
        let io = self.0.source.downcast_ref::<io::Error>();
        reply.is_some_and(|reply| reply.code() == 550) && self.remedy() == Remedy::Skip
            || io.is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
    }

    /// Returns whether nothing was sent: a name or another argument can't be carried by FTP.
    pub(crate) fn is_unsendable(&self) -> bool {
        matches!(self.0.source.downcast_ref(), Some(FtpError::Argument { .. }))
    }

    /// Returns whether another run has what is wanted.
    pub fn is_busy(&self) -> bool {
        self.0.source.is::<Busy>()
    }

    /// Returns whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.source.downcast_ref(), Some(FtpError::Cancelled))
    }
}

/// The disk is full, or the quota is used up.
#[derive(Debug, Error)]
#[error("no room is left there ({}); make some, or have the quota raised, and run it again", causes(&**.0))]
struct NoRoom(Box<dyn StdError + Send + Sync>);

/// No file may be so large there.
#[derive(Debug, Error)]
#[error("a file may not get so large there ({0}); leave it out, or have the limit raised, and run it again")]
struct TooLarge(io::Error);

/// Shows the whole chain of causes, since this is what becomes one line of a report.
impl Display for StoreError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Inner { operation, path, store, source, .. } = &*self.0;
        match path {
            Some(path) if path.is_root() => write!(f, "cannot {operation} {store}")?,
            Some(path) => write!(f, "cannot {operation} `{path}` on {store}")?,
            None => write!(f, "cannot {operation} {store}")?,
        }
        write!(f, ": {}", causes(&**source))
    }
}

/// Returns an error and what caused it, as text.
fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl StdError for StoreError {}

impl From<SpillError> for StoreError {
    fn from(error: SpillError) -> Self {
        Self::io(error.deed(), &RelPath::root(), &error.dir().display().to_string(), error.cause())
            .with_remedy(Remedy::Abort)
            .with_hint("it is where what is more than --memory goes; TMPDIR names another directory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::command::Verb;
    use crate::ftp::reply::Reply;

    #[test]
    fn the_message_names_deed_thing_place_and_cause() {
        let path = RelPath::parse("site/a.tmp").unwrap();
        let cause = FtpError::refused(Verb::Rnto, Reply::new(550, "Permission denied"));
        let error = StoreError::ftp("rename", &path, "ftp://web@example.org/", cause);
        assert_eq!(
            error.to_string(),
            "cannot rename `site/a.tmp` on ftp://web@example.org/: RNTO was answered `550 Permission denied`"
        );
        assert_eq!(error.remedy(), Remedy::Skip);
    }

    #[test]
    fn without_room_everything_stops_and_it_is_said_what_to_do() {
        let path = RelPath::parse("a").unwrap();
        let refused = |verb, code| {
            StoreError::ftp("write", &path, "there", FtpError::refused(verb, Reply::new(code, "no")))
        };
        let os = |errno: i32| StoreError::io("write", &path, "here", io::Error::from_raw_os_error(errno));
        let (enospc, edquot, efbig) = (28, 122, 27);
        // One file that is too large says nothing of the others.
        assert_eq!(os(efbig).remedy(), Remedy::Skip);
        let errors = [refused(Verb::Stor, 452), refused(Verb::Mkd, 552), os(enospc), os(edquot)];
        for error in errors {
            assert_eq!(error.remedy(), Remedy::Abort, "{error}");
            let text = error.to_string();
            assert!(text.starts_with("cannot write `a` on ") && text.ends_with("and run it again"), "{text}");
        }
        for other in [refused(Verb::Stor, 451), refused(Verb::Stor, 553), os(13)] {
            assert!(other.remedy() != Remedy::Abort && !other.to_string().contains("room"), "{other}");
        }
    }
}
