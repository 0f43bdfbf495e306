//! Asking a server for checksums: HASH (draft-bryan-ftp-hash §3) or the commands that came before it, XSHA256 and the like.

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::features::Features;
use crate::ftp::reply::Reply;
use crate::model::{Checksum, ChecksumKind};

/// How one server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumWay {
    /// What it computes.
    pub kind: ChecksumKind,
    verb: Verb,
}

/// The best first. HASH takes a path as it stands; the others are said to, and some servers split theirs at blanks.
const WAYS: &[(ChecksumKind, Verb, &str)] = &[
    (ChecksumKind::Sha256, Verb::Hash, "SHA-256"),
    (ChecksumKind::Sha256, Verb::Xsha256, ""),
    (ChecksumKind::Sha1, Verb::Hash, "SHA-1"),
    (ChecksumKind::Sha1, Verb::Xsha1, ""),
    (ChecksumKind::Md5, Verb::Hash, "MD5"),
    (ChecksumKind::Md5, Verb::Xmd5, ""),
];

impl ChecksumWay {
    /// Returns the best way a server has; `None` when it has none.
    pub fn choose(features: &Features) -> Option<Self> {
        let has = |verb: Verb, name: &str| {
            features.lists(verb.as_str()) && (name.is_empty() || features.has_hash(name))
        };
        WAYS.iter().find(|(_, verb, name)| has(*verb, name)).map(|&(kind, verb, _)| Self { kind, verb })
    }

    /// Returns the command that chooses the algorithm; `None` where none needs to be chosen.
    pub fn prepare(self) -> Option<Command> {
        let way = WAYS.iter().find(|(kind, verb, _)| (*kind, *verb) == (self.kind, self.verb))?;
        if self.verb != Verb::Hash {
            return None;
        }
        command(Verb::Opts, format!("HASH {}", way.2)).ok()
    }

    /// Returns the command that asks for the checksum of `path`.
    ///
    /// # Errors
    /// [`FtpError::Argument`] when the path can't be sent.
    pub fn command(self, path: &[u8]) -> Result<Command, FtpError> {
        if self.verb == Verb::Hash || !path.contains(&b' ') {
            return command(self.verb, path);
        }
        command(self.verb, [b"\"", path, b"\""].concat())
    }

    /// Returns the checksum of a reply; `None` when it holds none of this kind. It stands between blanks somewhere in it: HASH
    /// names the algorithm and the range before it and the path behind it, the others give it alone.
    pub fn read(self, reply: &Reply) -> Option<Checksum> {
        if !reply.is_ok() {
            return None;
        }
        let digits = self.kind.bytes() * 2;
        let words = reply.lines().iter().flat_map(|line| line.split(u8::is_ascii_whitespace));
        let word =
            words.filter(|word| word.len() == digits).find(|word| word.iter().all(u8::is_ascii_hexdigit))?;
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        word.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    #[test]
    fn the_best_that_a_server_lists_is_chosen() {
        for (listed, way) in [
            (&[" HASH CRC32;MD5;SHA-1*;SHA-256"][..], Some((ChecksumKind::Sha256, Verb::Hash))),
            (&[" HASH MD5*"], Some((ChecksumKind::Md5, Verb::Hash))),
            (&[" XMD5 filename", " XSHA1"], Some((ChecksumKind::Sha1, Verb::Xsha1))),
            (&[" XCRC"], None),
            (&[" SIZE"], None),
        ] {
            let lines = listed.iter().map(|line| line.as_bytes().to_vec()).collect();
            let features = Features::from_reply(&Reply::multi(211, "Features", lines, "End"));
            let chosen = ChecksumWay::choose(&features).map(|way| (way.kind, way.verb));
            assert_eq!(chosen, way, "{listed:?}");
        }
    }

    #[test]
    fn a_checksum_is_found_wherever_it_stands() {
        let way = ChecksumWay { kind: ChecksumKind::Md5, verb: Verb::Hash };
        let expected: Checksum =
            Box::new(*b"\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72");
        for text in [format!("MD5 0-2 {ABC} abc.txt"), ABC.to_uppercase(), ABC.to_owned()] {
            assert_eq!(way.read(&Reply::new(213, text.as_str())), Some(expected.clone()), "{text}");
        }
        let lines = vec![format!("MD5 0-2 {ABC} abc.txt").into_bytes()];
        assert_eq!(way.read(&Reply::multi(213, "Computing", lines, "done")), Some(expected));
        for (code, text) in [(213, "MD5 0-2 1234 abc.txt"), (550, ABC), (213, "")] {
            assert_eq!(way.read(&Reply::new(code, text)), None, "{text}");
        }
    }

    #[test]
    fn blanks_in_a_path_are_quoted_where_servers_split_at_them() {
        let line = |verb, path: &str| {
            ChecksumWay { kind: ChecksumKind::Md5, verb }.command(path.as_bytes()).unwrap().to_string()
        };
        assert_eq!(line(Verb::Hash, "/a b"), "HASH /a b");
        assert_eq!(line(Verb::Xmd5, "/a b"), "XMD5 \"/a b\"");
        assert_eq!(line(Verb::Xmd5, "/a"), "XMD5 /a");
    }

    proptest! {
        #[test]
        fn any_reply_holds_a_checksum_or_none(text in "[ -~]{0,90}") {
            let way = ChecksumWay { kind: ChecksumKind::Md5, verb: Verb::Hash };
            prop_assert!(way.read(&Reply::new(213, text.as_str())).is_none_or(|sum| sum.len() == 16));
        }
    }
}
