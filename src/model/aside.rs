//! The names under which old files wait while the new ones take theirs.
//!
//! Some servers rename nothing onto a file that is there. The old file then steps aside, the new one gets the name, and the old one is
//! removed. If that is interrupted, the name says whose file it is: `.oneway-old-of-index.html.part` was `index.html`. A name that
//! would get too long by that is told by its BLAKE3 (`.oneway-old-by-….part`), and found among the names that are known.
//!
//! They are temporary names, too ([`is_temporary`](crate::model::is_temporary)), so that they are no part of a tree; but what has one
//! may be the only copy of its file and is no rest of a transfer.

const OF: &[u8] = b".oneway-old-of-";
const BY: &[u8] = b".oneway-old-by-";
const SUFFIX: &[u8] = b".part";

/// No name is longer, on the disks of most servers.
const MOST_BYTES: usize = 255;

/// Whose old file one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// That of this name.
    Of(Box<[u8]>),
    /// That of a name with this hash.
    By(blake3::Hash),
}

impl Old {
    /// Returns whose old file has the name `aside`; `None` when it is no such file.
    pub fn parse(aside: &[u8]) -> Option<Self> {
        let inner = aside.strip_suffix(SUFFIX)?;
        if let Some(name) = inner.strip_prefix(OF) {
            // A name that no file can have was not made here.
            let is_name = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0);
            return is_name.then(|| Self::Of(name.into()));
        }
        blake3::Hash::from_hex(inner.strip_prefix(BY)?).ok().map(Self::By)
    }

    /// Returns whether it is the old file of that `name`.
    pub fn is_of(&self, name: &[u8]) -> bool {
        match self {
            Self::Of(own) => **own == *name,
            Self::By(hash) => *hash == blake3::hash(name),
        }
    }
}

/// Returns the name under which the file `name` steps aside. It is the same each time: what is there of that name is an older one yet.
pub fn aside_for(name: &[u8]) -> Vec<u8> {
    if OF.len() + name.len() + SUFFIX.len() <= MOST_BYTES {
        return [OF, name, SUFFIX].concat();
    }
    [BY, blake3::hash(name).to_hex().as_bytes(), SUFFIX].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{is_state, is_temporary};

    #[test]
    fn a_name_says_whose_old_file_has_it() {
        assert_eq!(aside_for(b"index.html"), b".oneway-old-of-index.html.part");
        assert_eq!(
            Old::parse(b".oneway-old-of-index.html.part"),
            Some(Old::Of(b"index.html".as_slice().into()))
        );
        for other in [
            &b".oneway-old-of-.part"[..],
            b".oneway-old-of-...part",
            b".oneway-old-of-a/b.part",
            b".oneway-old-by-.part",
            b".oneway-old-by-12.part",
            b".oneway-old-x.part",
            b".oneway-0000000000000abc-7-1.part",
            b"index.html",
        ] {
            assert_eq!(Old::parse(other), None, "{}", crate::model::escape(other));
        }
    }

    proptest! {
        #[test]
        fn each_name_is_known_again_and_no_other(
            name in prop::collection::vec(any::<u8>().prop_filter("no name has it", |b| !b"/\0".contains(b)), 1..256),
            other in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assume!(name != b"." && name != b"..");
            let aside = aside_for(&name);
            prop_assert!(aside.len() <= MOST_BYTES && is_temporary(&aside) && !is_state(&aside));
            let old = Old::parse(&aside).expect("it was just made");
            prop_assert!(old.is_of(&name));
            prop_assert!(other == name || !old.is_of(&other));
        }

        #[test]
        fn whatever_is_read_as_such_a_name_would_be_made_again(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let framed = [OF, &bytes, SUFFIX].concat();
            for aside in [bytes, framed] {
                if let Some(Old::Of(name)) = Old::parse(&aside) {
                    prop_assert!(name.len() > MOST_BYTES - OF.len() - SUFFIX.len() || aside_for(&name) == aside);
                }
            }
        }
    }
}
