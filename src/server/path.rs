//! From what a client calls a path to a [`RelPath`] below the root, as text alone.
//!
//! `..` takes the last component away, and at the root it stays there. Since no symbolic link is ever followed on the
//! way, this is also where the path truly leads.

use crate::model::{PathError, RelPath};

/// Returns where `argument` leads from the working directory. The empty argument is the working directory itself.
pub(super) fn resolve(working: &RelPath, argument: &[u8]) -> Result<RelPath, PathError> {
    let mut parts: Vec<&[u8]> =
        if argument.first() == Some(&b'/') { Vec::new() } else { working.components().collect() };
    for part in argument.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    if parts.is_empty() { Ok(RelPath::root()) } else { RelPath::parse(parts.join(&b'/')) }
}

/// Returns the path as clients see it: absolute, below the root they know.
pub(super) fn absolute(path: &RelPath) -> Vec<u8> {
    [b"/", path.as_bytes()].concat()
}

/// Returns the path between quotes, with quotes inside it doubled (RFC 959, appendix II).
pub(super) fn quoted(path: &RelPath) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in absolute(path) {
        out.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_resolved_as_text() {
        let working = RelPath::parse("a/b").unwrap();
        for (argument, expected) in [
            ("", "/a/b"),
            (".", "/a/b"),
            ("c", "/a/b/c"),
            ("c/", "/a/b/c"),
            ("./c//d/.", "/a/b/c/d"),
            ("..", "/a"),
            ("../..", "/"),
            ("../../../../etc/passwd", "/etc/passwd"),
            ("/", "/"),
            ("/..", "/"),
            ("/../x", "/x"),
            ("//x//y", "/x/y"),
            ("...", "/a/b/..."),
            (" c ", "/a/b/ c "),
            ("~", "/a/b/~"),
            ("-a", "/a/b/-a"),
        ] {
            let found = resolve(&working, argument.as_bytes()).unwrap();
            assert_eq!(absolute(&found), expected.as_bytes(), "{argument}");
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted(&RelPath::root()), br#""/""#);
        assert_eq!(quoted(&RelPath::parse("a\"b\"").unwrap()), br#""/a""b""""#);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_stays_below_the_root(argument: Vec<u8>) {
            let working = RelPath::parse("a/b").unwrap();
            if let Ok(found) = resolve(&working, &argument) {
                prop_assert!(found.components().all(|part| part != b".." && part != b"." && !part.contains(&b'/')));
            }
        }

        #[test]
        fn an_absolute_path_comes_back(parts in proptest::collection::vec("[a-z. ]{1,4}", 0..5)) {
            let path = resolve(&RelPath::root(), parts.join("/").as_bytes()).unwrap();
            let working = RelPath::parse("x/y").unwrap();
            prop_assert_eq!(resolve(&working, &absolute(&path)).unwrap(), path);
        }
    }
}
