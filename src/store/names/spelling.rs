//! How one side spells its names.
//!
//! ```text
//! bytes there ──► text ──► composed (NFC) ──► the path that both sides are compared by
//!     ▲    UTF-8, else Latin-1; or --charset                  │
//!     └─────────────── what was read, by its own bytes ◄──────┘
//! ```
//!
//! macOS and some servers keep names decomposed (NFD), so `é` may be one character or two; both are one path. What was read
//! is addressed by the bytes it was read from, which are remembered only where they are others than the path's.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::model::{Entry, PathError, RelPath, Tree, Unproven, escape};
use crate::store::DirListing;
use crate::store::names::Charset;

/// Why a name can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not in the encoding it should be in.
    #[error("it is not {0}, or would not come back as it was")]
    Undecodable(&'static str),
    /// A character that the encoding lacks.
    #[error("{0} doesn't have all of its characters")]
    Unencodable(&'static str),
    /// More than one thing goes by that name.
    #[error("several names there read as this one, and none of them is touched")]
    Several,
    /// No name after all.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// What is known of the names of one side.
#[derive(Debug, Default)]
pub struct Names {
    /// How all of them are encoded; `None` for UTF-8, and Latin-1 where a name isn't that.
    charset: Option<Charset>,
    /// New names are written as those that were seen.
    adapts: bool,
    /// By path, what is spelled otherwise than there.
    known: RwLock<HashMap<Box<[u8]>, Own>>,
    has_known: AtomicBool,
    saw_utf_8: AtomicBool,
    saw_latin_1: AtomicBool,
}

/// The last name of a path, as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Own {
    Name {
        bytes: Box<[u8]>,
        /// As text, before it was composed; `None` where it was composed already.
        text: Option<Box<str>>,
    },
    /// More than one.
    Several,
}

impl Names {
    /// Returns the names of a local disk: new ones are UTF-8.
    pub fn of_disk() -> Self {
        Self::default()
    }

    /// Returns the names of a server. Without a charset, new ones are UTF-8, unless all that was seen there is Latin-1.
    pub fn of_server(charset: Option<Charset>) -> Self {
        Self { charset, adapts: true, ..Self::default() }
    }

    /// Gives names that `tree`, the one of this side, doesn't have yet the form that `model` has them in: a link to a decomposed
    /// name works only where the name is so, too.
    pub fn follow(&self, model: &Self, tree: &Tree) {
        for (path, text) in model.decomposed() {
            let is_there = tree.get(&path).is_some();
            if is_there || self.writes_latin_1() {
                continue;
            }
            let bytes = match self.charset {
                None => Cow::Borrowed(text.as_bytes()),
                Some(charset) => match charset.encode(&text) {
                    Some(bytes) => bytes,
                    None => continue,
                },
            };
            let own = Own::Name { bytes: (*bytes).into(), text: Some(text.as_str().into()) };
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.entry(path.as_bytes().into()).or_insert(own);
            self.has_known.store(true, Ordering::Release);
        }
    }

    /// Gives what is there other paths to be compared by; each is still addressed by its own bytes.
    pub fn respell(&self, new: &BTreeMap<RelPath, RelPath>) {
        let own = |path: &RelPath| Some(self.own(path).ok()?.name().into());
        let spelled: Vec<(&RelPath, Box<[u8]>)> =
            new.iter().filter_map(|(old, new)| Some((new, own(old)?))).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (path, bytes) in spelled {
            known.insert(path.as_bytes().into(), Own::Name { bytes, text: None });
        }
        self.has_known.store(true, Ordering::Release);
    }

    /// Returns the paths whose last names are not composed, with these names.
    fn decomposed(&self) -> Vec<(RelPath, String)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let decomposed = known.iter().filter_map(|(path, own)| match own {
            Own::Name { text: Some(text), .. } => Some((RelPath::parse(path).ok()?, text.to_string())),
            Own::Name { text: None, .. } | Own::Several => None,
        });
        decomposed.collect()
    }

    /// Returns the path as it is there.
    ///
    /// # Errors
    /// Why it can't be addressed.
    pub(super) fn own(&self, path: &RelPath) -> Result<RelPath, NameError> {
        let is_plain = path.as_bytes().is_ascii() && !self.has_known.load(Ordering::Acquire);
        if is_plain || path.is_root() {
            return Ok(path.clone());
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut own = Vec::with_capacity(path.as_bytes().len());
        let mut end = 0;
        for name in path.components() {
            if end > 0 {
                own.push(b'/');
                end += 1;
            }
            end += name.len();
            match known.get(&path.as_bytes()[..end]) {
                Some(Own::Name { bytes, .. }) => own.extend_from_slice(bytes),
                Some(Own::Several) => return Err(NameError::Several),
                None => own.extend_from_slice(&self.new_name(name)?),
            }
        }
        Ok(RelPath::parse(own)?)
    }

    /// Returns how a name is written there that was not read otherwise.
    fn new_name<'n>(&self, name: &'n [u8]) -> Result<Cow<'n, [u8]>, NameError> {
        let text = std::str::from_utf8(name).ok();
        if let Some(charset) = self.charset {
            let encoded = text.and_then(|text| charset.encode(text));
            return encoded.ok_or_else(|| NameError::Unencodable(charset.name()));
        }
        let latin_1 = text.filter(|_| self.writes_latin_1()).and_then(|text| Charset::latin_1().encode(text));
        Ok(match latin_1 {
            // It must not be read as UTF-8 again; and 0xFF can't be sent.
            Some(bytes) if std::str::from_utf8(&bytes).is_err() && !bytes.contains(&0xff) => bytes,
            _ => Cow::Borrowed(name),
        })
    }

    /// Returns whether new names are Latin-1, since all that was seen there is and nobody said otherwise.
    pub fn writes_latin_1(&self) -> bool {
        self.adapts && self.saw_latin_1.load(Ordering::Relaxed) && !self.saw_utf_8.load(Ordering::Relaxed)
    }

    /// Returns a link's target as text; `None` where it is none, so that nobody can tell where the link points. It isn't composed: it
    /// names what is there, in its form.
    pub(super) fn read_target(&self, target: &[u8]) -> Option<Box<[u8]>> {
        self.decode(target).ok().map(|text| text.as_bytes().into())
    }

    /// Returns a link's target as it is written there.
    ///
    /// # Errors
    /// Why it can't be written.
    pub(super) fn write_target(&self, target: &[u8]) -> Result<Box<[u8]>, NameError> {
        let Some(charset) = self.charset else { return Ok(target.into()) };
        let encoded = std::str::from_utf8(target).ok().and_then(|text| charset.encode(text));
        encoded.map(|bytes| (*bytes).into()).ok_or_else(|| NameError::Unencodable(charset.name()))
    }

    /// Gives the entries of a listing the paths they are compared by. `dir` is the directory's, `own` what it is there.
    pub(super) fn read_listing(&self, dir: &RelPath, own: &RelPath, mut listing: DirListing) -> DirListing {
        // What is ASCII stays as it is, in a directory that does.
        let stays = |entry: &Entry| {
            dir == own
                && entry.path.name().is_ascii()
                && entry.target.as_ref().is_none_or(|target| target.is_ascii())
        };
        if listing.entries.iter().all(stays) {
            return listing;
        }
        let mut read = Vec::with_capacity(listing.entries.len());
        for mut entry in std::mem::take(&mut listing.entries) {
            if stays(&entry) {
                read.push((entry, None));
                continue;
            }
            entry.target = entry.target.and_then(|target| self.read_target(&target));
            match self.read(dir, entry.path.name()) {
                Ok((path, own)) => {
                    entry.path = path;
                    read.push((entry, own));
                }
                Err(why) => {
                    let text = format!("the name `{}` can't be believed: {why}", escape(entry.path.name()));
                    listing.doubt.get_or_insert(Unproven(text));
                }
            }
        }
        let alike = alike(&read);
        if alike.is_empty() && read.iter().all(|(_, own)| own.is_none()) {
            listing.entries = read.into_iter().map(|(entry, _)| entry).collect();
            return listing;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (entry, own) in read {
            if alike.contains(&entry.path) {
                let text = format!(
                    "several names there read as `{}`, in different encodings or forms of its characters; \
                     none of them is touched",
                    escape(entry.path.name())
                );
                listing.doubt.get_or_insert(Unproven(text));
                known.insert(entry.path.as_bytes().into(), Own::Several);
                continue;
            }
            if let Some(own) = own {
                known.insert(entry.path.as_bytes().into(), own);
            }
            listing.entries.push(entry);
        }
        self.has_known.store(true, Ordering::Release);
        listing
    }

    /// Returns the path of `name` in `dir`, and what it is there where that is something else.
    /// Returns a name as listings have it, in the root; `None` where it can't be read.
    pub(in crate::store) fn text(&self, name: &[u8]) -> Option<RelPath> {
        self.read(&RelPath::root(), name).ok().map(|(path, _)| path)
    }

    fn read(&self, dir: &RelPath, name: &[u8]) -> Result<(RelPath, Option<Own>), NameError> {
        let text = self.decode(name)?;
        let composed = (!is_nfc(&text)).then(|| text.nfc().collect::<String>());
        let path = dir.join(composed.as_deref().unwrap_or(&text))?;
        let own = (path.name() != name)
            .then(|| Own::Name { bytes: name.into(), text: composed.map(|_| text.into_owned().into()) });
        Ok((path, own))
    }

    fn decode<'n>(&self, name: &'n [u8]) -> Result<Cow<'n, str>, NameError> {
        if let Some(charset) = self.charset {
            return charset.decode(name).ok_or_else(|| NameError::Undecodable(charset.name()));
        }
        if let Ok(text) = std::str::from_utf8(name) {
            if !name.is_ascii() {
                self.saw_utf_8.store(true, Ordering::Relaxed);
            }
            return Ok(Cow::Borrowed(text));
        }
        self.saw_latin_1.store(true, Ordering::Relaxed);
        let latin_1 = Charset::latin_1();
        latin_1.decode(name).ok_or_else(|| NameError::Undecodable(latin_1.name()))
    }
}

/// Returns the paths that several entries have, of which at least one is spelled otherwise there. A name that is simply listed
/// twice is the business of the tree.
fn alike(read: &[(Entry, Option<Own>)]) -> HashSet<RelPath> {
    if read.iter().all(|(_, own)| own.is_none()) {
        return HashSet::new();
    }
    let mut seen: HashMap<&RelPath, (usize, bool)> = HashMap::with_capacity(read.len());
    for (entry, own) in read {
        let (count, differs) = seen.entry(&entry.path).or_default();
        *count += 1;
        *differs |= own.is_some();
    }
    let several = seen.into_iter().filter(|(_, (count, differs))| *count > 1 && *differs);
    several.map(|(path, _)| path.clone()).collect()
}

#[cfg(test)]
mod tests;
