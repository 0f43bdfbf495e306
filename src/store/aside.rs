//! The other directory of a store: where what is replaced or deleted is set aside.

use crate::model::RelPath;

/// Of which of a session's two directories its paths are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Area {
    /// The tree itself.
    #[default]
    Tree,
    /// Where things are set aside.
    Aside,
}

/// From which of them to which a file is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the tree.
    Aside,
    /// Into the tree again.
    Back,
}

impl Way {
    /// Returns where it comes from, and where it goes.
    pub fn ends(self) -> (Area, Area) {
        match self {
            Self::Aside => (Area::Tree, Area::Aside),
            Self::Back => (Area::Aside, Area::Tree),
        }
    }
}

/// Where the directory is that holds what runs set aside, a directory for each run, as seen from the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsidePlace {
    /// Nowhere in the tree; or there is none.
    Apart,
    /// At this path in it.
    Within(RelPath),
    /// It is the tree's root, or above it.
    Around,
}

impl AsidePlace {
    /// Compares absolute paths, without a separator at their ends. `aside` is the directory of one run.
    pub(crate) fn of(tree: &[u8], aside: &[u8]) -> Self {
        let end = aside.iter().rposition(|&b| b == b'/').unwrap_or(0);
        let dir = &aside[..end];
        let below = |path: &[u8], above: &[u8]| {
            path.strip_prefix(above)
                .filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
                .map(<[u8]>::to_vec)
        };
        if below(tree, dir).is_some() {
            return Self::Around;
        }
        match below(dir, tree).map(|rest| RelPath::parse(&rest[1..])) {
            Some(Ok(path)) => Self::Within(path),
            Some(Err(_)) | None => Self::Apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_all_runs_is_what_counts() {
        let within = |path: &str| AsidePlace::Within(RelPath::parse(path).unwrap());
        for (tree, aside, place) in [
            ("/site", "/backup/run", AsidePlace::Apart),
            ("/site", "/site-old/run", AsidePlace::Apart),
            ("/site", "/site/.backup/of it/run", within(".backup/of it")),
            ("", "/backup/run", within("backup")),
            ("/site", "/site/run", AsidePlace::Around),
            ("/site/www", "/site/run", AsidePlace::Around),
            ("/site", "/run", AsidePlace::Around),
            ("", "/run", AsidePlace::Around),
        ] {
            assert_eq!(AsidePlace::of(tree.as_bytes(), aside.as_bytes()), place, "{tree} {aside}");
        }
    }
}
