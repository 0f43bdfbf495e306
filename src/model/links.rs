//! Symbolic links: what becomes of those of a source, and which may be made at a destination.

use crate::model::RelPath;

/// What becomes of the symbolic links of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are left out, and told of.
    #[default]
    Skip,
    /// What they lead to is mirrored as if it stood there, wherever it is.
    Follow,
    /// Links are made, where the destination can hold them and they lead to something inside it.
    Copy,
}

/// Returns whether a link at `link` that points to `target` leads to nothing above the root, whatever other links there are
/// for which this is true: it may go up from its own directory, which is a true one, but not up again from where it went down,
/// since that may be by way of another link.
pub fn stays_inside(link: &RelPath, target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let (mut up, mut is_down) = (0, false);
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if is_down => return false,
            b".." => up += 1,
            _ => is_down = true,
        }
    }
    up < link.depth().max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn a_link_stays_inside_or_is_not_made() {
        for (link, target, inside) in [
            ("l", "a", true),
            ("l", "a/b", true),
            ("l", ".", true),
            ("l", "./a//b/", true),
            ("d/l", "../a", true),
            ("d/e/l", "../../a", true),
            ("d/e/l", "./.././../a", true),
            ("d/l", "..", true),
            ("l", "...", true),
            ("l", "..a", true),
            ("l", "", false),
            ("l", "/", false),
            ("l", "/a", false),
            ("l", "//a", false),
            ("l", "..", false),
            ("l", "../a", false),
            ("l", "./../a", false),
            ("d/l", "../../a", false),
            ("d/l", "a/../../../x", false),
            // `a` may be a link to `.`.
            ("l", "a/..", false),
            ("d/l", "../a/../b", false),
            ("l", "a\0b", false),
        ] {
            assert_eq!(stays_inside(&path(link), target.as_bytes()), inside, "{link} -> {target}");
        }
    }

    /// Goes to `target` from `dir` as a system does, and returns whether that leaves the root on the way.
    fn leaves(links: &BTreeMap<RelPath, String>, dir: RelPath, target: &str) -> bool {
        let mut todo: Vec<String> = target.rsplit('/').map(str::to_owned).collect();
        let (mut at, mut hops) = (dir, 0);
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => {}
                ".." => match at.parent() {
                    Some(above) => at = above,
                    None => return true,
                },
                name => {
                    let next = at.join(name).unwrap();
                    match links.get(&next) {
                        Some(_) if hops > 40 => return false,
                        Some(target) => {
                            hops += 1;
                            todo.extend(target.rsplit('/').map(str::to_owned));
                        }
                        None => at = next,
                    }
                }
            }
        }
        false
    }

    proptest! {
        #[test]
        fn no_way_through_links_that_stay_inside_leads_out(
            wild in proptest::collection::btree_map("[ab](/[ab]){0,2}", "([.]|[.][.]|a|b)(/([.]|[.][.]|a|b)){0,3}", 1..8),
        ) {
            let mut links = BTreeMap::new();
            for (link, target) in &wild {
                let link = path(link);
                // A link is in a true directory.
                let mut above = std::iter::successors(link.parent(), RelPath::parent);
                if stays_inside(&link, target.as_bytes()) && !above.any(|dir| wild.contains_key(&dir.to_string())) {
                    links.insert(link, target.clone());
                }
            }
            for (link, target) in &links {
                prop_assert!(!leaves(&links, link.parent().unwrap(), target), "{links:?}: {link}");
            }
        }

        #[test]
        fn any_target_is_decided(target: Vec<u8>) {
            let inside = stays_inside(&path("d/l"), &target);
            prop_assert!(!inside || (!target.contains(&0) && !target.starts_with(b"/")));
        }
    }
}
