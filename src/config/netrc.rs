//! `.netrc`: who logs in where, in the words of ftp(1) that curl, wget and lftp read as well.

use crate::model::Secret;
use zeroize::Zeroizing;

/// What a netrc file says, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netrc {
    entries: Vec<NetrcEntry>,
    /// The file, for people, where others than its owner can read it.
    exposed: Option<String>,
}

/// The login for one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetrcEntry {
    /// The host; `None` for all that no entry before it is for.
    pub machine: Option<String>,
    /// The user; `None` when the entry names none.
    pub login: Option<String>,
    /// The password; `None` when the entry has none.
    pub password: Option<Secret>,
    /// What ACCT is answered with; `None` when the entry has none.
    pub account: Option<Secret>,
}

impl Netrc {
    /// Reads the text of a file. What isn't understood is passed over, and so are macros. `exposed` is the file's name where others
    /// can read it.
    pub fn parse(text: &str, exposed: Option<String>) -> Self {
        let mut entries: Vec<NetrcEntry> = Vec::new();
        let mut words = Words { rest: text };
        while let Some(word) = words.keyword() {
            match (&**word, entries.last_mut()) {
                ("machine", _) => {
                    let machine = words.value().map(|name| name.to_string());
                    // A machine without a name is nobody's, not everybody's.
                    let machine = Some(machine.unwrap_or_default());
                    entries.push(NetrcEntry { machine, ..NetrcEntry::default() });
                }
                ("default", _) => entries.push(NetrcEntry::default()),
                ("login" | "user", Some(entry)) => entry.login = words.value().map(|name| name.to_string()),
                ("password" | "passwd", Some(entry)) => entry.password = words.secret(),
                ("account", Some(entry)) => entry.account = words.secret(),
                ("macdef", _) => words.pass_macro(),
                _ => {}
            }
        }
        Self { entries, exposed }
    }

    /// Returns the first entry for `host`, and for `user` where one is known; `None` when there is none.
    pub fn find(&self, host: &str, user: Option<&[u8]>) -> Option<&NetrcEntry> {
        self.entries.iter().find(|entry| {
            let is_here = entry.machine.as_ref().is_none_or(|machine| machine.eq_ignore_ascii_case(host));
            let is_theirs = match (user, &entry.login) {
                (Some(user), Some(login)) => login.as_bytes() == user,
                (Some(_), None) => true,
                (None, login) => login.is_some(),
            };
            is_here && is_theirs
        })
    }

    /// Returns the file's name where others than its owner can read it, so that its secrets are none.
    pub fn exposed(&self) -> Option<&str> {
        self.exposed.as_deref()
    }
}

/// The words of a text.
struct Words<'t> {
    rest: &'t str,
}

impl Words<'_> {
    /// Returns the next word that isn't in a comment.
    fn keyword(&mut self) -> Option<Zeroizing<String>> {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return self.value();
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
    }

    /// Returns the next word, which may be quoted: `"a b"`, with `\"`, `\\`, `\n`, `\r` and `\t` in it. `None` at the end, and where
    /// a quote isn't closed.
    fn value(&mut self) -> Option<Zeroizing<String>> {
        self.rest = self.rest.trim_start();
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return (!word.is_empty()).then(|| Zeroizing::new(word.to_owned()));
        };
        let mut word = Zeroizing::new(String::with_capacity(quoted.len().min(256)));
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Some(word);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => word.push('\n'),
                    Some((_, 'r')) => word.push('\r'),
                    Some((_, 't')) => word.push('\t'),
                    Some((_, other)) => word.push(other),
                    None => break,
                },
                other => word.push(other),
            }
        }
        self.rest = "";
        None
    }

    fn secret(&mut self) -> Option<Secret> {
        self.value().map(|word| Secret::new(word.as_str()))
    }

    /// A macro ends with an empty line.
    fn pass_macro(&mut self) {
        let end = ["\n\n", "\n\r\n"].into_iter().filter_map(|end| self.rest.find(end)).min();
        self.rest = end.map_or("", |end| &self.rest[end..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, host: &str, user: Option<&str>) -> Option<(String, String)> {
        let netrc = Netrc::parse(text, None);
        let entry = netrc.find(host, user.map(str::as_bytes))?;
        let password = entry.password.as_ref().map(|p| p.reveal().to_owned());
        Some((entry.login.clone().unwrap_or_default(), password.unwrap_or_default()))
    }

    #[test]
    fn entries_are_found_by_host_and_user() {
        let text = "# logins\nmachine a.example login anna password p1\n\
                    machine a.example\n  login bob\n  password \"p 2\\\"x\"\n  account acc\n\
                    macdef init\nmachine evil login eve password stolen\n\n\
                    machine B.example login carl password #p3 # the third\n\
                    default login anonymous password me@example.org\n";
        let is = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        for (host, user, login) in [
            ("a.example", None, is("anna", "p1")),
            ("A.EXAMPLE", None, is("anna", "p1")),
            ("a.example", Some("anna"), is("anna", "p1")),
            ("a.example", Some("bob"), is("bob", "p 2\"x")),
            ("a.example", Some("eve"), None),
            ("b.example", None, is("carl", "#p3")),
            ("evil", None, is("anonymous", "me@example.org")),
            ("elsewhere", Some("anonymous"), is("anonymous", "me@example.org")),
            ("elsewhere", Some("anna"), None),
        ] {
            assert_eq!(found(text, host, user), login, "{host} {user:?}");
        }
        let netrc = Netrc::parse(text, None);
        let account = &netrc.find("a.example", Some(b"bob")).unwrap().account;
        assert_eq!(account.as_ref().map(Secret::reveal), Some("acc"));
    }

    #[test]
    fn a_password_without_a_user_is_for_whatever_user_the_url_names() {
        let text = "machine h password p";
        assert_eq!(found(text, "h", Some("anna")), Some((String::new(), "p".to_owned())));
        assert_eq!(found(text, "h", None), None);
    }

    #[test]
    fn what_is_broken_belongs_to_nobody() {
        for text in [
            "machine",
            "machine \"h",
            "login x password y",
            "machine h login \"x",
            "password",
            "\"",
            "macdef",
        ] {
            assert_eq!(found(text, "h", None), None, "{text}");
            assert_eq!(found(text, "", None), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(machine|default|login|password|macdef|#|\"|\\\\|h| |\n|\\PC){0,40}") {
            let netrc = Netrc::parse(&text, None);
            netrc.find("h", None);
        }

        #[test]
        fn what_is_written_quoted_is_read(password in "\\PC{1,20}") {
            let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("machine h login u password \"{quoted}\"");
            prop_assert_eq!(found(&text, "h", None), Some(("u".to_owned(), password)));
        }
    }
}
