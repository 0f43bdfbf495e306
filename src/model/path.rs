//! A path relative to the root of a tree: bytes, safe by construction.
//!
//! Names on FTP servers and Unix disks are bytes in no certain encoding, so a path is bytes too. What a name may be is
//! decided once, where bytes come in; everything behind that door can join a `RelPath` to a root without looking again.

use std::cmp::Ordering;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

use thiserror::Error;

use crate::model::Escaped;
use crate::spill::same_bytes;

/// A path below a root, with `/` between its components. Never absolute, never `.` or `..`, never an empty component, no
/// NUL, CR or LF. The root itself is the empty path.
///
/// A clone shares the bytes: an entry, what is planned for it and what became of it name one path.
///
/// Paths are ordered by component, so that a directory is followed by its whole content: `a`, `a/b`, `a-b`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath(Arc<[u8]>);

/// Why bytes are no path. The text says what is wrong with the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Nothing at all, or nothing between two separators.
    #[error("the name is empty")]
    Empty,
    /// `.` or `..`.
    #[error("`.` and `..` are not names of their own")]
    Dots,
    /// Begins with `/`.
    #[error("the path is absolute")]
    Absolute,
    /// A separator where one name was expected.
    #[error("the name holds a path separator")]
    Separator,
    /// NUL, CR or LF, which no FTP command can carry.
    #[error("the name holds a NUL, CR or LF")]
    Control,
}

impl RelPath {
    /// Returns the path of the root.
    pub fn root() -> Self {
        Self(Arc::default())
    }

    /// Reads a path with `/` between its components.
    ///
    /// # Errors
    /// Says which rule the bytes break. The empty path is an error here; the root has [`RelPath::root`].
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let bytes = bytes.as_ref();
        if is_plain(bytes) {
            return Ok(Self(bytes.into()));
        }
        if bytes.first() == Some(&b'/') {
            return Err(PathError::Absolute);
        }
        bytes.split(|&b| b == b'/').try_for_each(check_component)?;
        Ok(Self(bytes.into()))
    }

    /// Returns the path of `name` in this directory. `name` is a single name, as a listing gives it.
    ///
    /// # Errors
    /// Says which rule the name breaks; a separator is one.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let name = name.as_ref();
        Self::check_name(name)?;
        Ok(self.join_known(name))
    }

    /// Returns whether `name` can be joined to a path.
    ///
    /// # Errors
    /// Says which rule the name breaks; a separator is one.
    pub fn check_name(name: &[u8]) -> Result<(), PathError> {
        check_component(name)?;
        if name.contains(&b'/') || (cfg!(windows) && name.contains(&b'\\')) {
            return Err(PathError::Separator);
        }
        Ok(())
    }

    /// Returns the path of `other` below this one.
    pub fn append(&self, other: &Self) -> Self {
        if other.is_root() { self.clone() } else { self.join_known(&other.0) }
    }

    /// Returns this path as it is seen from `dir`, which is above it or itself; `None` when it isn't.
    pub fn below(&self, dir: &Self) -> Option<Self> {
        let rest = self.is_within(dir).then(|| &self.0[dir.0.len()..])?;
        Some(Self(rest.strip_prefix(b"/").unwrap_or(rest).into()))
    }

    fn join_known(&self, name: &[u8]) -> Self {
        if self.is_root() {
            return Self(name.into());
        }
        let (dir, length) = (&*self.0, self.0.len() + 1 + name.len());
        // Each entry of a listing is joined, and few paths are longer: nothing is allocated but what stays.
        let (mut short, mut long) = ([0; 256], Vec::new());
        let bytes = match short.get_mut(..length) {
            Some(short) => short,
            None => {
                long.resize(length, 0);
                &mut long[..]
            }
        };
        bytes[..dir.len()].copy_from_slice(dir);
        bytes[dir.len()] = b'/';
        bytes[dir.len() + 1..].copy_from_slice(name);
        Self((&*bytes).into())
    }

    /// Returns the bytes, with `/` between the components.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|&b| b == b'/').next().unwrap_or_default()
    }

    /// Returns the directory this is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].into()))
    }

    /// Returns the components from the top down; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty())
    }

    /// Returns how many components there are; 0 for the root.
    pub fn depth(&self) -> usize {
        self.components().count()
    }

    /// Returns whether this is `dir` or anything below it.
    pub fn is_within(&self, dir: &Self) -> bool {
        dir.is_root() || (self.0.starts_with(&dir.0) && matches!(self.0.get(dir.0.len()), None | Some(b'/')))
    }
}

/// Returns whether these bytes are a path, of which nothing needs a closer look. Most are, and each is looked at as a whole for that.
fn is_plain(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    // Without a branch, so that many bytes are looked at together.
    let is_control = |b: u8| (b == 0) | (b == b'\r') | (b == b'\n');
    let is_odd = |b: u8, next: u8| (b == b'/') & ((next == b'/') | (next == b'.'));
    let pairs = bytes.iter().zip(&bytes[1..]);
    !matches!(first, b'/' | b'.')
        && *last != b'/'
        && !is_control(*last)
        && !pairs.fold(false, |found, (&b, &next)| found | is_control(b) | is_odd(b, next))
}

fn check_component(name: &[u8]) -> Result<(), PathError> {
    match name {
        b"" => Err(PathError::Empty),
        b"." | b".." => Err(PathError::Dots),
        // To the end, since that is faster than to look at each byte whether it is the last one.
        _ if name.iter().fold(false, |found, b| found | matches!(b, 0 | b'\r' | b'\n')) => {
            Err(PathError::Control)
        }
        _ => Ok(()),
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // Ordering by component is ordering by bytes with the separator below every byte a name can hold. NUL can't be in
        // a path, so 0 is free for it.
        let rank = |b: u8| if b == b'/' { 0 } else { b };
        let i = same_bytes(&self.0, &other.0);
        match (self.0.get(i), other.0.get(i)) {
            (Some(&a), Some(&b)) => rank(a).cmp(&rank(b)),
            _ => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Display for RelPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { Display::fmt(&Escaped(&self.0), f) }
    }
}

impl Debug for RelPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn what_could_leave_the_root_or_break_a_command_is_no_path() {
        use PathError::*;
        for (bytes, why) in [
            (&b""[..], Empty),
            (b"a//b", Empty),
            (b"a/", Empty),
            (b".", Dots),
            (b"..", Dots),
            (b"a/../b", Dots),
            (b"../etc/passwd", Dots),
            (b"/etc", Absolute),
            (b"/", Absolute),
            (b"a\0b", Control),
            (b"a\rb", Control),
            (b"a\nDELE x", Control),
        ] {
            assert_eq!(RelPath::parse(bytes), Err(why), "{}", Escaped(bytes));
        }
        assert_eq!(RelPath::root().join("a/b"), Err(Separator));
        assert_eq!(path("a").join(".."), Err(Dots));
        assert_eq!(path("a").join(""), Err(Empty));
    }

    #[test]
    fn odd_names_are_names() {
        for name in [
            "...",
            ".hidden",
            " ",
            "-rf",
            "~root",
            "a\\b",
            "a:b",
            "file:",
            "|id",
            "20200102000000 f.txt",
            "\u{1}",
        ] {
            assert_eq!(path(name).as_bytes(), name.as_bytes());
        }
    }

    #[test]
    fn a_directory_is_followed_by_its_whole_content() {
        let mut paths = ["a-b", "a", "a/b", "a/b/c", "a b", "a/c", "B", "a.txt", "a/-"].map(path);
        paths.sort();
        let sorted: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["B", "a", "a/-", "a/b", "a/b/c", "a/c", "a b", "a-b", "a.txt"]);
    }

    #[test]
    fn parent_name_and_within() {
        let p = path("a/b/c");
        assert_eq!((p.parent().unwrap(), p.name(), p.depth()), (path("a/b"), &b"c"[..], 3));
        assert_eq!(path("a").parent(), Some(RelPath::root()));
        assert_eq!(RelPath::root().parent(), None);
        assert!(p.is_within(&path("a")) && p.is_within(&p) && p.is_within(&RelPath::root()));
        assert!(!path("ab").is_within(&path("a")) && !path("a").is_within(&path("a/b")));
        assert_eq!(path("a").append(&path("b/c")), path("a/b/c"));
        assert_eq!(p.below(&path("a")), Some(path("b/c")));
        assert_eq!((p.below(&p), p.below(&RelPath::root())), (Some(RelPath::root()), Some(p.clone())));
        assert_eq!(path("ab/c").below(&path("a")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_become_a_safe_path_or_an_error(bytes: Vec<u8>) {
            if let Ok(p) = RelPath::parse(&bytes) {
                prop_assert_eq!(p.as_bytes(), &bytes[..]);
                for c in p.components() {
                    prop_assert!(c != b"." && c != b".." && !c.is_empty());
                    prop_assert!(!c.iter().any(|b| b"\0\r\n/".contains(b)));
                }
            }
        }

        #[test]
        fn order_is_the_order_of_components(a in "[a-c./ -]{1,8}", b in "[a-c./ -]{1,8}") {
            if let (Ok(a), Ok(b)) = (RelPath::parse(&a), RelPath::parse(&b)) {
                let by_component = a.components().cmp(b.components());
                prop_assert_eq!(a.cmp(&b), by_component);
            }
        }

        #[test]
        fn join_and_parent_undo_each_other(dir in "[a-z]{1,3}(/[a-z]{1,3}){0,3}", name in "[a-z .-]{1,6}") {
            let dir = path(&dir);
            if let Ok(joined) = dir.join(&name) {
                prop_assert_eq!(joined.parent(), Some(dir.clone()));
                prop_assert_eq!(joined.name(), name.as_bytes());
                prop_assert!(joined.is_within(&dir) && joined > dir);
            }
        }
    }
}
