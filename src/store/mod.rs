//! Where a tree lives: the same interface for the local disk, an FTP server and, in tests, memory.
//!
//! A [`Store`] hands out [`Session`]s, one for each worker. Operations take batches, because a session over a network
//! answers a batch in as many round trips as one item takes; a local session just loops. Every result stands at the
//! place of its request, so that one bad item never hides what became of the others.

mod aside;
mod clock;
#[cfg(test)]
mod conformance;
mod error;
pub mod ftp;
pub mod local;
#[cfg(test)]
pub(crate) mod memory;
mod names;
mod one_file;
mod retry;
mod vanished;

pub use aside::{Area, AsidePlace, Way};
pub use clock::ServerClock;
pub use error::{Busy, StoreError, StoreResult};
pub use names::{Charset, NameError, Named, Names};
pub use one_file::OneFile;
pub use retry::{RetryPolicy, Retrying};
pub(crate) use vanished::{Relisted, has_vanished};

use std::ops::Range;

use crate::model::{Checksum, ChecksumKind, Entry, Mtime, RelPath, Unproven};

/// The home of a tree.
pub trait Store: Send + Sync {
    /// Returns what people call it: a path, or a URL without its password.
    fn name(&self) -> &str;

    /// Returns whether a session is a connection over a network, so that several of them help.
    fn is_remote(&self) -> bool;

    /// Opens a session.
    ///
    /// # Errors
    /// Why it can't be opened. [`Remedy::Shrink`](crate::model::Remedy::Shrink) says that there are too many already.
    fn connect(&self) -> StoreResult<Box<dyn Session>>;

    /// Returns what is known of how names are spelled there; `None` where they are taken as they are.
    fn names(&self) -> Option<&Names> {
        None
    }

    /// Returns whether protection was wished for where the server had it, and it hadn't.
    fn is_in_clear_text(&self) -> bool {
        false
    }

    /// Returns what is known of the zone its times are told in; `None` where they are UTC.
    fn clock(&self) -> Option<&ServerClock> {
        None
    }
}

/// What the planner must know of a store before it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a file can be given the modification time of its source.
    pub sets_times: bool,
    /// Whether listed times are exact: UTC, to the second. Otherwise they are rounded and in the server's own zone, and
    /// [`Session::mtimes`] is asked where they would decide.
    pub exact_times: bool,
    /// Whether the line is so long that one connection may not fill it, and a round trip costs more than the work of most
    /// commands.
    pub is_far: bool,
    /// Whether [`Session::make_links`] can make symbolic links.
    pub makes_links: bool,
}

/// One worker's connection to a store.
pub trait Session: Send {
    /// Returns what the store can do, as far as it is known by now.
    fn capabilities(&self) -> Capabilities;

    /// Returns whether the session can still be used. One that can't is replaced.
    fn is_usable(&self) -> bool {
        true
    }

    /// Returns whether the root is there. It is an error if that can't be told, or if it is no directory.
    ///
    /// # Errors
    /// Why it can't be told. A root that is there but can't be read is an error, not an absence.
    fn root_exists(&mut self) -> StoreResult<bool>;

    /// Makes the root and the directories above it, as far as they are missing.
    ///
    /// # Errors
    /// Why there is no root afterwards.
    fn make_root(&mut self) -> StoreResult<()>;

    /// Lists directories. An error means that nothing is known of the directory, so that all below it is in doubt.
    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>>;

    /// Asks for the exact modification time of files; `None` where the store doesn't tell.
    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>>;

    /// Returns the best kind of checksum that the store can tell without sending the content; `None` when it can't.
    fn checksum_kind(&self) -> Option<ChecksumKind> {
        None
    }

    /// Returns the checksum of the content of files; `None` where the store can't tell.
    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        let _ = kind;
        files.iter().map(|_| Ok(None)).collect()
    }

    /// Returns what symbolic links lead to. It can be read below the links' own paths from then on. The root is taken for a link to
    /// itself.
    ///
    /// An error means that a link leads to nothing, or that this can't be told.
    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>>;

    /// Lists the symbolic links in directories once more, where [`Session::list`] may not show all of them, or not where they point.
    /// Empty where it shows all there is to know.
    fn list_links(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<Vec<Entry>>> {
        dirs.iter().map(|_| Ok(Vec::new())).collect()
    }

    /// Makes symbolic links, in the place of files or links of those names. What a link points to is of no concern.
    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>>;

    /// Makes directories, in this order. One that is already there is no error.
    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>>;

    /// Makes a directory that nobody else makes at the same time. Returns `false` where there is one already.
    ///
    /// # Errors
    /// Why there is none afterwards.
    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool>;

    /// Removes files and symbolic links (themselves, not what they point to). One that is already gone is no error.
    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>>;

    /// Removes empty directories, in this order. One that is already gone is no error.
    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>>;

    /// Renames files, each to a new path in a directory that is there and has nothing of that name. A file that is under its new
    /// name already, and no longer under the old one, is no error.
    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>>;

    /// Gives files that were written and held their final names, replacing the files that have them. A file that has its final
    /// name already, and no longer its temporary one, is no error.
    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>>;

    /// Says of which directory the paths of all that follows are. In that for things set aside, directories are made, listed and
    /// removed, and files written, read and removed. A store without one stays in its tree.
    fn switch(&mut self, area: Area);

    /// Returns where things are set aside, as seen from the tree.
    ///
    /// # Errors
    /// Why it can't be told.
    fn aside_place(&mut self) -> StoreResult<AsidePlace>;

    /// Carries files and links from one of the two directories to the other by renaming them: `from` is a path in the one, `to` in
    /// the other, in a directory that is there and has nothing of that name. What is there already, and no longer at `from`, is
    /// no error.
    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>>;

    /// Gives files other modification times. Returns whether each has that time now: not every store takes any time for any file.
    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>>;

    /// Gives files other permission bits.
    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>>;

    /// Opens a file to be read. `next` is what will be read after it, if that is known: a session may prepare it.
    ///
    /// # Errors
    /// Why it can't be opened.
    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>>;

    /// Returns what tells one version of a file from another, as it is now.
    ///
    /// # Errors
    /// Why it can't be asked.
    fn version(&mut self, file: &RelPath) -> StoreResult<Version>;

    /// Returns whether two names are those of one file, of which the first is known to be there; `None` when that can't be told.
    ///
    /// # Errors
    /// Why it can't be asked.
    fn is_same_file(&mut self, file: &RelPath, other: &RelPath) -> StoreResult<Option<bool>> {
        let (file, other) = (self.version(file)?, self.version(other)?);
        let is_told = file.size.is_some() || file.mtime.is_some();
        Ok(is_told.then_some(file == other))
    }

    /// Opens a part of a file to be read. What makes sure of the file as a whole is its last part, and the same
    /// [`Session::version`] before and after.
    ///
    /// # Errors
    /// Why it can't be opened. [`Remedy::Skip`](crate::model::Remedy::Skip) says that it can't be read in parts.
    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>>;

    /// Makes a file that several workers write at once, its size being known; `None` where the store has no such files.
    ///
    /// # Errors
    /// Why it can't be made.
    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>>;

    /// Opens a file to be written. `next` is what will be written after it, if that is known: a session may prepare it.
    ///
    /// # Errors
    /// Why it can't be opened.
    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>>;

    /// Looks whether a file that failed with the session before this one is whole all the same: all of it was written, and only the
    /// last word on it is missing. If so, [`Session::settle`] tells of it as of any other; if not, it has to be written again.
    ///
    /// # Errors
    /// Why nobody can tell yet.
    fn recover(&mut self, file: &WriteRequest) -> StoreResult<bool> {
        let _ = file;
        Ok(false)
    }

    /// Opens a file to be written on that has a beginning under its temporary name already. Before anything is written, that it ends
    /// where it is `begun` to, and by those bytes, is made sure of.
    ///
    /// # Errors
    /// Why it can't be told, or can't be opened. What is there is as it was then, or goes on as it should.
    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        let _ = (file, begun);
        Ok(Continued::Never)
    }

    /// Returns what became of the files whose [`Outgoing::finish`] succeeded, each exactly once, in their order. With
    /// `Settle::Ready`, only of those that are already decided; with `Settle::All`, of all.
    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)>;
}

/// Which finished writes to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Those that are decided without waiting.
    Ready,
    /// All of them.
    All,
}

/// A directory as its listing told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirListing {
    /// The entries, with paths below the root, in any order.
    pub entries: Vec<Entry>,
    /// Why the listing may be incomplete; `None` when it is proven.
    pub doubt: Option<Unproven>,
    /// Names that begin with a dot may be left out, since nobody knows how this server shows them.
    pub may_hide: bool,
    /// It is empty, and nothing shows that the directory could be read at all: many servers answer alike for one that may
    /// be entered and not read.
    pub may_be_closed: bool,
}

/// A file that is to have another path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    /// Where it is.
    pub from: RelPath,
    /// Where it is to be.
    pub to: RelPath,
}

/// A file that was written and checked, and has its temporary name still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFile {
    /// Its final name.
    pub path: RelPath,
    /// Its name until then.
    pub temporary: RelPath,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The time that it was given; `None` where it has another.
    pub mtime: Option<Mtime>,
    /// An earlier run has written it, so that its temporary name may have gone for any reason.
    pub of_earlier: bool,
}

impl HeldFile {
    /// Returns whether what is under the final name is the file, when nothing is under the temporary one: a reply to an earlier wish to
    /// rename it may have been lost. What has its size may be the old file, too, where its own run isn't the only one that knew of it.
    pub fn may_be(&self, size: Option<u64>, mtime: Option<Mtime>) -> bool {
        let has_its_time =
            || self.mtime.zip(mtime).is_some_and(|(own, there)| own.agrees(&there, chrono::Duration::zero()));
        size.is_none_or(|size| size == self.bytes) && (!self.of_earlier || has_its_time())
    }
}

/// A file that is to have another modification time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dating {
    /// Which one.
    pub path: RelPath,
    /// The time it gets.
    pub mtime: Mtime,
}

/// A file that is to have other permission bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitting {
    /// Which one.
    pub path: RelPath,
    /// The bits it gets, of those for user, group and others (`0o777`): no others are ever set.
    pub mode: u16,
}

/// What a symbolic link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referent {
    /// What it is, as if it stood in the place of the link.
    pub entry: Entry,
    /// Where a directory truly is, the same for all ways to it; `None` for what is no directory, and where the store doesn't
    /// tell.
    pub place: Option<Box<[u8]>>,
}

/// A symbolic link to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// Its name.
    pub path: RelPath,
    /// A name in the same directory that nothing has, for the time until it can take the place of what is there.
    pub temporary: RelPath,
    /// Where it points.
    pub target: Box<[u8]>,
}

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Which one.
    pub path: RelPath,
    /// Its size by the listing, in bytes; `None` when unknown. A file of another size has changed since.
    pub size: Option<u64>,
}

/// A part of a file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRequest {
    /// Of which file.
    pub path: RelPath,
    /// The size of the whole file, in bytes.
    pub size: u64,
    /// Which of its bytes.
    pub range: Range<u64>,
}

/// What tells one version of a file from another; untold is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Bytes.
    pub size: Option<u64>,
    /// When it was last changed.
    pub mtime: Option<Mtime>,
}

/// A file to be written. It gets its final name only when it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRequest {
    /// Its final name.
    pub path: RelPath,
    /// Its name until then, in the same directory; its final name where it is written in place.
    pub temporary: RelPath,
    /// Its size as far as the source's listing tells, in bytes; `None` when unknown.
    pub size: Option<u64>,
    /// The modification time it gets; `None` leaves the time of writing.
    pub mtime: Option<Mtime>,
    /// The permission bits it gets; `None` leaves the store's default.
    pub mode: Option<u32>,
    /// A file of its final name was listed, so that its place may have to be made.
    pub replaces: bool,
    /// It keeps its temporary name, whole and checked, until [`Session::publish_files`] gives it the final one.
    pub held: bool,
}

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// How long it is, in bytes.
    pub bytes: u64,
    /// Its last bytes, as the source has them.
    pub tail: Vec<u8>,
}

/// What comes of the wish to write on.
pub enum Continued<'s> {
    /// It is written on.
    On(Box<dyn Outgoing + 's>),
    /// What is there is no such beginning.
    Other,
    /// Files can't be written on there.
    Never,
}

/// What a finished write has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes stored.
    pub bytes: u64,
    /// Whether it has the modification time that was asked for.
    pub time_set: bool,
}

/// A file on its way in. Only [`Incoming::finish`] proves it whole; dropping it abandons it.
pub trait Incoming {
    /// Reads at least one byte; 0 at the end.
    ///
    /// # Errors
    /// Why the rest can't be read.
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize>;

    /// Makes sure that what was read is the whole file, unchanged meanwhile, and returns its size in bytes.
    ///
    /// # Errors
    /// Why it isn't.
    fn finish(self: Box<Self>) -> StoreResult<u64>;
}

/// A file on its way out. Dropping it abandons it; its temporary file may stay behind.
pub trait Outgoing {
    /// Writes all bytes.
    ///
    /// # Errors
    /// Why they can't be written.
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()>;

    /// Says that the file is whole. It is then checked, dated and renamed; [`Session::settle`] tells how that went.
    ///
    /// # Errors
    /// Why it failed already; `settle` doesn't tell of it then.
    fn finish(self: Box<Self>) -> StoreResult<()>;
}

/// A file that several workers write at once. Dropping it abandons it.
pub trait Parts: Send + Sync {
    /// Writes all bytes at an offset, in bytes.
    ///
    /// # Errors
    /// Why they can't be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> StoreResult<()>;

    /// Says that the file is whole. It is then dated and renamed.
    ///
    /// # Errors
    /// Why it can't be.
    fn finish(&self) -> StoreResult<Written>;
}
