//! Encodings of names, under the labels they have on the web (<https://encoding.spec.whatwg.org/#names-and-labels>).
//!
//! A name is only taken where it comes back as it was: what can't be told apart any more once it is read could not be
//! addressed either.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

/// An encoding in which bytes below 0x80 are ASCII, so that paths stay paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// Labels that people look for.
    pub const COMMON: &[&str] =
        &["utf-8", "latin1", "latin2", "windows-1251", "koi8-r", "shift_jis", "euc-kr", "gb18030", "big5"];

    /// Returns the encoding of this label, in any case; `None` where there is none, and for those that aren't ASCII below
    /// 0x80 (UTF-16, ISO-2022-JP).
    pub fn named(label: &str) -> Option<Self> {
        let encoding = Encoding::for_label(label.as_bytes())?;
        encoding.is_ascii_compatible().then_some(Self(encoding))
    }

    /// Returns Latin-1 as the web has it, which is windows-1252: the letters are where ISO 8859-1 has them, and its control
    /// characters, which nobody writes into names, are dashes and quotation marks. Every byte is a character.
    pub fn latin_1() -> Self {
        Self(WINDOWS_1252)
    }

    /// Returns the name of the encoding, for people.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns whether this is UTF-8.
    pub fn is_utf_8(self) -> bool {
        self.0 == encoding_rs::UTF_8
    }

    /// Returns `name` as text; `None` where it isn't one in this encoding, or would not come back as it was.
    pub fn decode(self, name: &[u8]) -> Option<Cow<'_, str>> {
        let text = self.0.decode_without_bom_handling_and_without_replacement(name)?;
        let (back, _, lossy) = self.0.encode(&text);
        let comes_back = !lossy && *back == *name;
        comes_back.then_some(text)
    }

    /// Returns `text` in this encoding; `None` where it lacks a character, or would be read as something else.
    pub fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        let (name, _, lossy) = self.0.encode(text);
        let comes_back = !lossy && self.decode(&name).is_some_and(|back| back == text);
        comes_back.then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charset(label: &str) -> Charset {
        Charset::named(label).unwrap()
    }

    #[test]
    fn names_are_read_and_written() {
        for (label, name, text) in [
            ("utf-8", "café".as_bytes(), "café"),
            ("Latin1", b"caf\xe9", "café"),
            ("iso-8859-1", b"\x80 \x96 \x81", "€ – \u{81}"),
            ("latin2", b"\xbe", "ž"),
            ("windows-1251", b"\xcf\xf0\xe8", "При"),
            ("koi8-r", b"\xf0\xd2\xc9", "При"),
            ("shift_jis", b"\x83\x5c.txt", "ソ.txt"),
            ("gb18030", b"\xba\xba", "汉"),
        ] {
            assert_eq!(charset(label).decode(name).as_deref(), Some(text), "{label}");
            assert_eq!(charset(label).encode(text).as_deref(), Some(name), "{label}");
        }
    }

    #[test]
    fn what_does_not_come_back_is_refused() {
        for (label, name) in [
            ("utf-8", &b"caf\xe9"[..]),
            ("shift_jis", b"\x83"),
            // The second of the two codes for `≒`.
            ("shift_jis", b"\x87\x90"),
        ] {
            assert_eq!(charset(label).decode(name), None, "{label}");
        }
        assert_eq!(charset("latin1").encode("漢"), None);
        assert_eq!(charset("shift_jis").encode("¥"), None, "it would come back as a backslash");
    }

    #[test]
    fn what_is_not_ascii_below_0x80_is_no_encoding_of_paths() {
        for label in ["utf-16", "utf-16le", "iso-2022-jp", "hz-gb-2312", "klingon", ""] {
            assert_eq!(Charset::named(label), None, "{label}");
        }
        assert!(Charset::COMMON.iter().all(|label| Charset::named(label).is_some()));
    }

    #[test]
    fn every_byte_is_a_character_of_latin_1() {
        let all: Vec<u8> = (0..=255).collect();
        let text = Charset::latin_1().decode(&all).unwrap();
        assert_eq!(Charset::latin_1().encode(&text).as_deref(), Some(&all[..]));
    }

    proptest! {
        #[test]
        fn what_is_accepted_comes_back_as_it_was(
            label in proptest::sample::select(Charset::COMMON), name: Vec<u8>, text: String,
        ) {
            if let Some(text) = charset(label).decode(&name).map(Cow::into_owned) {
                let back = charset(label).encode(&text).map(Cow::into_owned);
                prop_assert_eq!(back, Some(name));
            }
            if let Some(name) = charset(label).encode(&text).map(Cow::into_owned) {
                let back = charset(label).decode(&name).map(Cow::into_owned);
                prop_assert_eq!(back, Some(text));
            }
        }
    }
}
