//! MLSD (RFC 3659 §7): facts for programs, the only listing that is a standard.
//!
//! `type=file;size=12;modify=20261121100615; the name`: facts are `name=value`, their names in any case, and the name is
//! everything behind the first blank, blanks and semicolons included. Times are UTC.
//!
//! Servers older than the RFC leave the last semicolon out or write a TAB for the blank, which is read alike. Two things
//! the RFC allows are not taken for more than they say. A line whose facts don't tell a type is [`Kind::Other`]: to guess
//! "file" would let a directory be overwritten, to drop the line would make its name look free. A line without any
//! fact is rejected, because the second half of a name with a line end in it looks just like that.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::timestamp;
use crate::ftp::listing::fields::{big_number, is_blank};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// MLSD and MLST.
#[derive(Clone, Copy, Debug)]
pub struct Mlsd;

impl ListingFormat for Mlsd {
    fn name(&self) -> &'static str {
        "mlsd"
    }

    fn times_are_utc(&self) -> bool {
        true
    }

    fn parse(&self, line: &[u8], _now: DateTime<Utc>) -> Option<Line> {
        let line = without_indent(line);
        let blank = line.iter().position(|&b| is_blank(b))?;
        let (facts, name) = (&line[..blank], &line[blank + 1..]);
        if facts.is_empty() {
            return Some(Line::Rejected("there is no fact before the name".into()));
        }
        let facts = Facts::read(facts)?;
        if !facts.ended && name.windows(2).any(|w| w == b"; ") {
            // An owner or a target of two words ends the facts too early and would shift the name.
            return Some(Line::Rejected("a blank within the facts".into()));
        }
        let kind = match facts.kind {
            Some(Type::Around { itself }) => {
                let unique = facts.unique.filter(|_| itself);
                return Some(unique.map_or(Line::Own, |unique| Line::OwnUnique(unique.into())));
            }
            Some(Type::Entry(kind)) => kind,
            None => Kind::Other,
        };
        Some(Line::of(Listed {
            name: name.to_vec(),
            kind,
            size: facts.size.filter(|_| kind == Kind::File),
            rounded: false,
            mtime: facts.modify.and_then(timestamp),
            mode: facts.mode,
            target: facts.target.map(<[u8]>::to_vec),
            owner: facts.owner.best(),
            group: facts.group.best(),
            unique: facts.unique.filter(|_| kind == Kind::Dir).map(Into::into),
        }))
    }
}

/// Strips the blank that a reply to MLST has before the facts, where facts and not a name follow it.
fn without_indent(line: &[u8]) -> &[u8] {
    let Some(behind) = line.strip_prefix(b" ") else { return line };
    let first = behind.split(|&b| is_blank(b)).next().unwrap_or_default();
    if first.ends_with(b";") && first.contains(&b'=') { behind } else { line }
}

/// The facts of one line.
#[derive(Debug, Default)]
struct Facts<'a> {
    /// Whether the last fact had its semicolon.
    ended: bool,
    kind: Option<Type>,
    target: Option<&'a [u8]>,
    size: Option<u64>,
    modify: Option<&'a [u8]>,
    mode: Option<u32>,
    owner: Who<'a>,
    group: Who<'a>,
    unique: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// Reads what stands before the name; `None` where it isn't facts.
    fn read(text: &'a [u8]) -> Option<Self> {
        let mut facts = Self { ended: text.ends_with(b";"), ..Self::default() };
        for fact in text.split(|&b| b == b';').filter(|fact| !fact.is_empty()) {
            let equals = fact.iter().position(|&b| b == b'=')?;
            facts.take(&fact[..equals], &fact[equals + 1..]);
        }
        Some(facts)
    }

    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("type") {
            (self.kind, self.target) = read_type(value);
        } else if is("size") {
            self.size = big_number(value);
        } else if is("modify") {
            self.modify = Some(value);
        } else if is("unique") {
            // Nothing, or nothing but zeros, is what is written where there are no numbers of files.
            self.unique = Some(value).filter(|value| value.iter().any(|&b| b != b'0'));
        } else if is("unix.mode") {
            self.mode = read_mode(value);
        } else if is("unix.ownername") {
            self.owner.name = value;
        } else if is("unix.owner") {
            self.owner.either = value;
        } else if is("unix.uid") {
            self.owner.number = value;
        } else if is("unix.groupname") {
            self.group.name = value;
        } else if is("unix.group") {
            self.group.either = value;
        } else if is("unix.gid") {
            self.group.number = value;
        }
    }
}

/// What the `type` fact tells.
#[derive(Clone, Copy, Debug)]
enum Type {
    /// The listed directory itself, or the one above it.
    Around {
        itself: bool,
    },
    Entry(Kind),
}

/// Reads a type, and the target it may carry: `OS.unix=slink:/there`.
fn read_type(value: &[u8]) -> (Option<Type>, Option<&[u8]>) {
    let is = |known: &str| value.eq_ignore_ascii_case(known.as_bytes());
    if value.is_empty() {
        return (None, None);
    } else if is("file") {
        return (Some(Type::Entry(Kind::File)), None);
    } else if is("dir") {
        return (Some(Type::Entry(Kind::Dir)), None);
    } else if is("cdir") || is("pdir") {
        return (Some(Type::Around { itself: is("cdir") }), None);
    }
    let system = value.iter().position(|&b| b == b'=').map_or(0, |equals| equals + 1);
    let (word, target) = match value[system..].iter().position(|&b| b == b':') {
        Some(colon) => (&value[system..system + colon], Some(&value[system + colon + 1..])),
        None => (&value[system..], None),
    };
    if LINKS.iter().any(|link| word.eq_ignore_ascii_case(link.as_bytes())) {
        // Pure-FTPd names the type but never the target.
        return (Some(Type::Entry(Kind::Symlink)), target.filter(|target| !target.is_empty()));
    }
    (Some(Type::Entry(Kind::Other)), None)
}

/// Reads octal permission bits. Some servers put the file type before them (`0100644`).
fn read_mode(value: &[u8]) -> Option<u32> {
    if !(3..=7).contains(&value.len()) || !value.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return None;
    }
    Some(value.iter().fold(0, |mode, b| mode << 3 | u32::from(b - b'0')) & 0o7777)
}

/// Who owns an entry, as the facts of different servers tell it.
#[derive(Debug, Default)]
struct Who<'a> {
    name: &'a [u8],
    either: &'a [u8],
    number: &'a [u8],
}

impl Who<'_> {
    fn best(&self) -> Option<Vec<u8>> {
        [self.name, self.either, self.number].into_iter().find(|who| !who.is_empty()).map(<[u8]>::to_vec)
    }
}

/// What servers call a symbolic link, with or without `OS.unix=` before it.
const LINKS: &[&str] = &["slink", "symlink", "link"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mtime, escape};

    fn entry(line: &[u8]) -> Listed {
        match Mlsd.parse(line, DateTime::UNIX_EPOCH) {
            Some(Line::Entry(listed)) => listed,
            other => panic!("{}: {other:?}", escape(line)),
        }
    }

    #[test]
    fn a_line_of_every_fact() {
        let line = b"modify=20261121100615;perm=adfrw;size=12;type=file;unique=801U1;UNIX.group=33;\
            UNIX.groupname=www-data;UNIX.mode=0644;UNIX.owner=1000;UNIX.ownername=web; a.txt";
        let listed = entry(line);
        let at = "2026-11-21T10:06:15Z".parse().unwrap();
        let expected = Listed {
            size: Some(12),
            mtime: Some(Mtime::exact(at)),
            mode: Some(0o644),
            owner: Some(b"web".into()),
            group: Some(b"www-data".into()),
            ..Listed::new("a.txt", Kind::File)
        };
        assert_eq!(listed, expected);
    }

    #[test]
    fn the_name_is_everything_behind_the_first_blank() {
        for (line, name) in [
            ("type=file; a;b.txt", "a;b.txt"),
            ("type=file; a; b.txt", "a; b.txt"),
            ("type=file; size=5; b", "size=5; b"),
            ("type=file;  two blanks  ", " two blanks  "),
            ("type=file;   ", "  "),
            ("type=file; a\tb", "a\tb"),
            ("type=file;\ta b", "a b"),
            ("type=file; a\rb", "a\rb"),
            ("type=file;size=5 no semicolon", "no semicolon"),
            ("type=file a;b", "a;b"),
            ("type=file;;size=5; empty fact", "empty fact"),
            ("type=file; ../x", "../x"),
            ("type=file; .", "."),
            (" type=file; indented", "indented"),
            (" type=file;  indented", " indented"),
        ] {
            assert_eq!(entry(line.as_bytes()).name, name.as_bytes(), "{line}");
        }
        assert_eq!(entry(b"type=file; caf\xe9\xff").name, b"caf\xe9\xff");
    }

    #[test]
    fn types_in_the_words_of_many_servers() {
        use Kind::*;
        for (value, kind, target) in [
            ("file", File, None),
            ("FILE", File, None),
            ("Dir", Dir, None),
            ("OS.unix=slink:/t", Symlink, Some("/t")),
            ("OS.unix=slink:a=b:c", Symlink, Some("a=b:c")),
            ("OS.unix=slink:", Symlink, None),
            ("OS.unix=slink", Symlink, None),
            ("OS.unix=symlink", Symlink, None),
            ("os.UNIX=SymLink", Symlink, None),
            ("symlink", Symlink, None),
            ("OS.unix=chr-1/3", Other, None),
            ("OS.unix=blk-8/1", Other, None),
            ("OS.unix=fifo", Other, None),
            ("OS.unix=socket:/x", Other, None),
            ("door", Other, None),
            ("", Other, None),
        ] {
            let listed = entry(format!("type={value};size=7; n").as_bytes());
            assert_eq!((listed.kind, listed.target), (kind, target.map(Into::into)), "{value}");
            assert_eq!(listed.size, (kind == File).then_some(7), "{value}");
        }
        assert_eq!(entry(b"size=7; no type").kind, Other);
        assert_eq!(entry(b"sizd=4096;TYPE=dir; d").kind, Dir);
    }

    #[test]
    fn facts_that_make_no_sense_are_untold() {
        for size in ["-1", "1e9", "", "9223372036854775808", "99999999999999999999", "5k"] {
            assert_eq!(entry(format!("type=file;size={size}; n").as_bytes()).size, None, "{size}");
        }
        assert_eq!(entry(b"size=9223372036854775807;type=file; n").size, Some(i64::MAX as u64));
        for modify in ["", "2026", "20261321100615", "20260229000000", "20261121100615x", "0", "-1"] {
            assert_eq!(entry(format!("type=file;modify={modify}; n").as_bytes()).mtime, None, "{modify}");
        }
        for (mode, bits) in [
            ("644", Some(0o644)),
            ("0644", Some(0o644)),
            ("04755", Some(0o4755)),
            ("0100644", Some(0o644)),
            ("64", None),
            ("0648", None),
            ("rw-", None),
            ("", None),
        ] {
            assert_eq!(entry(format!("type=file;UNIX.mode={mode}; n").as_bytes()).mode, bits, "{mode}");
        }
        assert_eq!(entry(b"type=file;perm=;unknown=x; n").name, b"n");
    }

    #[test]
    fn owners_by_name_before_number() {
        let listed = entry(b"unix.uid=7;unix.owner=web;type=dir;unix.gid=8; n");
        assert_eq!((listed.owner, listed.group), (Some(b"web".to_vec()), Some(b"8".to_vec())));
        let listed = entry(b"unix.ownername=;unix.uid=7;type=dir;unix.groupname=www;unix.group=8; n");
        assert_eq!((listed.owner, listed.group), (Some(b"7".to_vec()), Some(b"www".to_vec())));
    }

    #[test]
    fn what_is_no_entry() {
        let parse = |line: &str| Mlsd.parse(line.as_bytes(), DateTime::UNIX_EPOCH);
        for noise in
            ["type=cdir; .", "type=pdir;modify=20200101000000; secret.txt", "type=dir; ..", "type=dir; ."]
        {
            assert_eq!(parse(noise), Some(Line::Own), "{noise}");
        }
        for (line, reason) in [
            ("type=file; ", "the name is empty"),
            (" only a name", "there is no fact before the name"),
            ("type=file;UNIX.ownername=two words;size=5; a", "a blank within the facts"),
            ("type=OS.unix=slink:/my target; a", "a blank within the facts"),
        ] {
            assert_eq!(parse(line), Some(Line::Rejected(reason.into())), "{line}");
        }
        for other in
            ["", "type=file;", "name", "total 5", "-rw-r--r-- 1 a b 5 Jan  1 2020 x", "type=file;oops; x"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
