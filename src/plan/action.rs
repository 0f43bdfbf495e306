//! One deed with everything that explains it.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

use crate::compare::Reason;
use crate::model::{Entry, Kind, RelPath};

/// What is done. The words are those of the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deed {
    /// A directory is made.
    CreateDir,
    /// A file is sent, or a link made, that wasn't there.
    Copy,
    /// A file is sent, or a link made, over something that was.
    Replace,
    /// A file of the destination gets another name.
    Rename,
    /// A file of the destination gets another time.
    Touch,
    /// A file of the destination gets other permission bits.
    Chmod,
    /// A file or link is removed.
    Delete,
    /// A directory is removed.
    DeleteDir,
}

impl Deed {
    /// Every deed.
    pub const ALL: &[Self] = &[
        Self::CreateDir,
        Self::Copy,
        Self::Replace,
        Self::Rename,
        Self::Touch,
        Self::Chmod,
        Self::Delete,
        Self::DeleteDir,
    ];

    /// Returns the word of the JSON report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateDir => "create_dir",
            Self::Copy => "copy",
            Self::Replace => "replace",
            Self::Rename => "rename",
            Self::Touch => "touch",
            Self::Chmod => "chmod",
            Self::Delete => "delete",
            Self::DeleteDir => "delete_dir",
        }
    }
}

/// When it is done. All of one phase is over before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// What stands in the way of something of another kind is removed.
    Room,
    /// Directories are made.
    Folders,
    /// Files get the names they have at the source now.
    Renames,
    /// Files get the times of their sources.
    Times,
    /// Files are sent, and links made.
    Files,
    /// Files that are to come after all others are sent.
    Last,
    /// Files that only the destination has are removed.
    Deletions,
    /// Directories that only the destination has are removed.
    Removals,
    /// Files and links go to where a directory was.
    Late,
    /// Files get the permission bits of their sources. What a server makes of them is no reason to leave anything else undone.
    Permissions,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: &[Self] = &[
        Self::Room,
        Self::Folders,
        Self::Renames,
        Self::Times,
        Self::Files,
        Self::Last,
        Self::Deletions,
        Self::Removals,
        Self::Late,
        Self::Permissions,
    ];

    /// Returns the word of plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Folders => "folders",
            Self::Renames => "renames",
            Self::Times => "times",
            Self::Files => "files",
            Self::Last => "last",
            Self::Deletions => "deletions",
            Self::Removals => "removals",
            Self::Late => "late",
            Self::Permissions => "permissions",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// On which path; of a file that is renamed its old one.
    pub path: RelPath,
    /// What.
    pub deed: Deed,
    /// When.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// The source's entry; `None` for what is removed.
    pub source: Option<Box<Entry>>,
    /// The destination's entry; `None` for what is new. Of a file that is renamed, the one at its old path.
    pub destination: Option<Box<Entry>>,
    /// Why it can't be done without harm; `None` when it can. Such an action fails without being tried.
    pub obstacle: Option<Cow<'static, str>>,
}

impl Action {
    /// Says why it can't be done. The first reason stays.
    pub fn refuse(&mut self, why: impl Into<Cow<'static, str>>) {
        if self.obstacle.is_none() {
            self.obstacle = Some(why.into());
        }
    }

    /// Returns the entry the action is about: the source's for what is sent or made, else the destination's.
    pub fn entry(&self) -> &Entry {
        self.source
            .as_deref()
            .or(self.destination.as_deref())
            .expect("an action is about an entry of one side")
    }

    /// Returns the new path of a file that is renamed; `None` for all else.
    pub fn target(&self) -> Option<&RelPath> {
        (self.deed == Deed::Rename).then(|| &self.entry().path)
    }

    /// Returns what is made, sent or removed.
    pub fn kind(&self) -> Kind {
        self.entry().kind
    }

    /// Returns the bytes to be sent, as far as the listing tells; 0 for what isn't sent.
    pub fn bytes(&self) -> u64 {
        match self.deed {
            Deed::Copy | Deed::Replace => self.source.as_ref().and_then(|entry| entry.size).unwrap_or(0),
            Deed::CreateDir | Deed::Rename | Deed::Touch | Deed::Chmod | Deed::Delete | Deed::DeleteDir => 0,
        }
    }
}

/// Something that is kept on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// Which path.
    pub path: RelPath,
    /// What stands there.
    pub kind: Kind,
    /// Why, for people.
    pub why: String,
}

/// Something of the source that isn't mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which path.
    pub path: RelPath,
    /// What stands there.
    pub kind: Kind,
    /// Why.
    pub why: LeftOut,
}

/// Why something isn't mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A symbolic link, and nobody asked for those.
    Link,
    /// A link, and the destination can't have any.
    Unmakeable,
    /// A link of which nobody knows where it points.
    Untold,
    /// A link that may lead out of the destination.
    Outside,
    /// A device, a FIFO, a socket.
    Special,
}

impl LeftOut {
    /// Every reason.
    pub const ALL: &[Self] = &[Self::Link, Self::Unmakeable, Self::Untold, Self::Outside, Self::Special];

    /// Returns the reason for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "a symbolic link, which only --links mirrors",
            Self::Unmakeable => "a symbolic link, which the destination can't make",
            Self::Untold => "a symbolic link, and the server doesn't tell where it points",
            Self::Outside => "a symbolic link that leads, or may lead, out of the destination",
            Self::Special => "a device or another special file",
        }
    }
}

/// Files from this size on start first, the largest first, so that none of them is left alone at the end.
const LARGE_BYTES: u64 = 1 << 20;

/// Orders actions for execution: by phase; folders from the top down, what is removed from the bottom up.
pub(super) fn order(a: &Action, b: &Action) -> Ordering {
    let by_path = a.path.cmp(&b.path);
    a.phase.cmp(&b.phase).then_with(|| match a.phase {
        Phase::Folders | Phase::Renames | Phase::Times | Phase::Deletions | Phase::Permissions => by_path,
        Phase::Room | Phase::Removals => by_path.reverse(),
        Phase::Files | Phase::Last | Phase::Late => {
            let large = |action: &Action| Reverse(Some(action.bytes()).filter(|&bytes| bytes >= LARGE_BYTES));
            large(a).cmp(&large(b)).then(by_path)
        }
    })
}
