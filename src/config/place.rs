//! A place of a tree: a local directory or a URL (RFC 1738 §3.2).

use std::ffi::OsStr;
use std::path::PathBuf;

use percent_encoding::percent_decode;
use thiserror::Error;

use crate::ftp::tls::TlsSetupError;
use crate::model::{RelPath, Secret, escape};
use crate::store::ftp::RemoteRoot;

/// What a path of a URL has as `%20`.
const PATH: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`');

/// Where a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine.
    Local(PathBuf),
    /// A directory on an FTP server.
    Ftp {
        /// How its URL begins.
        scheme: Scheme,
        /// Host name or address, without brackets.
        host: String,
        /// Control port.
        port: u16,
        /// User; `None` when the URL names none.
        user: Option<Vec<u8>>,
        /// Password; `None` when the URL holds none.
        password: Option<Secret>,
        /// Where the tree begins.
        root: RemoteRoot,
        /// The URL for people, without its password.
        name: String,
    },
}

/// The schemes of URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear text, unless TLS is asked for beside the URL.
    Ftp,
    /// TLS by AUTH (RFC 4217), required.
    Ftpes,
    /// TLS from the first byte, on a port of its own.
    Ftps,
}

impl Scheme {
    /// Returns how it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftpes => "ftpes",
            Self::Ftps => "ftps",
        }
    }

    /// Returns the control port where the URL names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ftp | Self::Ftpes => 21,
            Self::Ftps => 990,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Ftp, Self::Ftpes, Self::Ftps]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(name))
    }
}

/// Why an argument is no place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// Nothing at all.
    #[error("the path is empty")]
    Empty,
    /// A scheme that isn't one of FTP's.
    #[error(
        "`{0}://` is not supported; use ftp://host/path, ftpes:// or ftps:// for TLS, or a local directory"
    )]
    Scheme(String),
    /// A URL that requires TLS, and the wish for less.
    #[error("{0}:// requires TLS, which contradicts `{1}`; use ftp:// for less")]
    TlsWish(&'static str, &'static str),
    /// Whom to trust, for a connection that proves nothing.
    #[error(
        "certificates were named, but the connection is not to be protected; use ftpes://, ftps:// or `require`"
    )]
    NoTls,
    /// TLS can't be spoken as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// No host name.
    #[error("the URL names no host")]
    NoHost,
    /// A port that is none.
    #[error("`{0}` is not a port between 1 and 65535")]
    Port(String),
    /// A control byte in a part that is sent to the server.
    #[error("the {0} holds a control character, which FTP cannot carry")]
    Control(&'static str),
    /// A character in the path that the charset of the server lacks.
    #[error("the path holds a character that {0} doesn't have")]
    Charset(&'static str),
    /// A `/` in the part before the host.
    #[error("a `/` stands before the `@`; write it as %2F in a user or password")]
    Slash,
    /// A password in another encoding.
    #[error("the password is not UTF-8")]
    Encoding,
    /// A user without a password.
    #[error("there is no password for {0}")]
    NoPassword(String),
    /// A password in a file that others than its owner can read.
    #[error("the password in {0} can be read by others; nothing was sent")]
    Exposed(String),
    /// A local path where a URL is needed.
    #[error("a URL such as ftp://host/path is needed here")]
    Local,
    /// A query or fragment, which FTP URLs don't have; `?` and `#` of a name are written `%3F` and `%23`.
    #[error("the URL holds `{0}`; write it as {1} if it belongs to a name")]
    Reserved(char, &'static str),
}

impl Place {
    /// Reads an argument: a URL, or a local path, which may be of any bytes.
    ///
    /// # Errors
    /// As [`Place::parse`].
    pub fn from_argument(argument: &OsStr) -> Result<Self, PlaceError> {
        match argument.to_str() {
            Some(text) => Self::parse(text),
            None => Ok(Self::Local(PathBuf::from(argument))),
        }
    }

    /// Returns a name for the place that is the same in each run, wherever it is started: an absolute path, or the URL without
    /// its password.
    pub fn identity(&self) -> String {
        match self {
            Self::Local(path) => {
                // A directory that is yet to be made has no canonical path.
                let path = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
                let path = path.unwrap_or_else(|_| PathBuf::from("."));
                escape(path.as_os_str().as_encoded_bytes()).to_string()
            }
            Self::Ftp { name, .. } => name.trim_end_matches('/').to_owned(),
        }
    }

    /// Reads a URL or a local path. Whatever begins with a scheme and `://` is meant as a URL.
    ///
    /// # Errors
    /// Says what is wrong with it. The password never occurs in the message.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        if text.is_empty() {
            return Err(PlaceError::Empty);
        }
        let url = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let Some((scheme, rest)) = url else {
            return Ok(Self::Local(PathBuf::from(text)));
        };
        match Scheme::named(scheme) {
            Some(scheme) => Self::parse_ftp(scheme, rest),
            None => Err(PlaceError::Scheme(escape(scheme.as_bytes()))),
        }
    }

    fn parse_ftp(scheme: Scheme, rest: &str) -> Result<Self, PlaceError> {
        let default_port = scheme.default_port();
        for (reserved, escaped) in [('?', "%3F"), ('#', "%23")] {
            // A password may hold them unescaped; the path may not.
            if rest.split_once('/').is_some_and(|(_, path)| path.contains(reserved)) {
                return Err(PlaceError::Reserved(reserved, escaped));
            }
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // What stands behind the colon there is not repeated in any message: it is a password rather than a port.
        if !authority.contains('@') && authority.contains(':') && path.contains('@') {
            return Err(PlaceError::Slash);
        }
        let (login, server) = match authority.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, authority),
        };
        let (host, port) = split_port(server)?;
        let (user, password) =
            match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
                Some((user, password)) => (Some(user), password),
                None => (None, None),
            };
        let path = decode(path, "path")?;
        let decoded_user =
            user.filter(|user| !user.is_empty()).map(|user| decode(user, "user")).transpose()?;
        let password = password.map(|password| decode(password, "password")).transpose()?;
        let password = password.map(|bytes| String::from_utf8(bytes).map(Secret::new)).transpose();
        let password = password.map_err(|_| PlaceError::Encoding)?;
        let shown_user =
            user.filter(|user| !user.is_empty()).map_or_else(String::new, |user| format!("{user}@"));
        let shown_port =
            if port.is_some_and(|port| port != default_port) { server } else { host_part(server) };
        let scheme_name = scheme.as_str();
        let name = format!(
            "{scheme_name}://{shown_user}{shown_port}/{}",
            rest.split_once('/').map_or("", |(_, path)| path)
        );
        Ok(Self::Ftp {
            scheme,
            host,
            port: port.unwrap_or(default_port),
            user: decoded_user,
            password,
            root: if path.first() == Some(&b'/') {
                RemoteRoot::Absolute(path)
            } else {
                RemoteRoot::Home(path)
            },
            name: escape(name.as_bytes()),
        })
    }

    /// Returns the directory that a URL's path is in and its name there; `None` for a root, and for what is no URL. Whether the path
    /// ends in `/` makes no difference.
    pub fn parent(&self) -> Option<(Self, RelPath)> {
        let (root, path) = self.steps()?;
        let (path, name) = (path.parent()?, RelPath::parse(path.name()).ok()?);
        Some((self.at(&root, &path), name))
    }

    /// Returns the root that the paths of two URLs have in common, and both paths below it; `None` when they are not of one server
    /// and user, or begin in different directories.
    pub fn with_common_root(&self, other: &Self) -> Option<(Self, RelPath, RelPath)> {
        let ((root, path), (other_root, other_path)) = (self.steps()?, other.steps()?);
        let whole = RelPath::root();
        let (base, other_base) = (self.at(&root, &whole), other.at(&other_root, &whole));
        (base.identity() == other_base.identity()).then_some((base, path, other_path))
    }

    /// Returns whether it is a URL that ends in `/`.
    pub fn is_written_as_dir(&self) -> bool {
        matches!(self, Self::Ftp { name, .. } if name.ends_with('/'))
    }

    /// Returns where a URL's path begins, and the path from there; `None` for what is no URL, and for a path with `..` in it.
    fn steps(&self) -> Option<(RemoteRoot, RelPath)> {
        let Self::Ftp { root, .. } = self else { return None };
        let (start, path) = match root {
            RemoteRoot::Home(path) => (RemoteRoot::Home(Vec::new()), path),
            RemoteRoot::Absolute(path) => (RemoteRoot::Absolute(b"/".to_vec()), path),
        };
        let mut names = path.split(|&b| b == b'/').filter(|name| !name.is_empty());
        let path = names.try_fold(RelPath::root(), |path, name| path.join(name)).ok()?;
        Some((start, path))
    }

    /// Returns the URL of another path of the same server and user.
    fn at(&self, start: &RemoteRoot, path: &RelPath) -> Self {
        let Self::Ftp { scheme, host, port, user, password, name, .. } = self else { return self.clone() };
        let authority = name.split('/').nth(2).unwrap_or_default();
        let shown = percent_encoding::percent_encode(path.as_bytes(), PATH);
        let (root, slash) = match start {
            RemoteRoot::Home(_) => (RemoteRoot::Home(path.as_bytes().to_vec()), ""),
            RemoteRoot::Absolute(_) => (RemoteRoot::Absolute([b"/", path.as_bytes()].concat()), "%2F"),
        };
        Self::Ftp {
            scheme: *scheme,
            host: host.clone(),
            port: *port,
            user: user.clone(),
            password: password.clone(),
            root,
            name: format!("{}://{authority}/{slash}{shown}", scheme.as_str()),
        }
    }

    /// Returns another place on the same side. On a server `dir` is the path of a URL, so it is relative to the login directory, with or
    /// without a `/` at its beginning, and absolute with `%2F`.
    ///
    /// # Errors
    /// As [`Place::parse`].
    pub fn beside(&self, dir: &OsStr) -> Result<Self, PlaceError> {
        let Self::Ftp { scheme, user, password, host, port, name, .. } = self else {
            return if dir.is_empty() { Err(PlaceError::Empty) } else { Ok(Self::Local(PathBuf::from(dir))) };
        };
        let dir = dir.to_str().filter(|dir| !dir.is_empty()).ok_or(PlaceError::Empty)?;
        let server = name.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        let url = format!("{}://{server}/{}", scheme.as_str(), dir.strip_prefix('/').unwrap_or(dir));
        match Self::parse(&url)? {
            Self::Ftp { root, name, .. } => Ok(Self::Ftp {
                scheme: *scheme,
                user: user.clone(),
                password: password.clone(),
                host: host.clone(),
                port: *port,
                root,
                name,
            }),
            Self::Local(_) => Err(PlaceError::Local),
        }
    }

    /// Returns the directory of this name in this one.
    #[must_use]
    pub fn below(self, name: &str) -> Self {
        let with = |mut path: Vec<u8>| {
            if !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            path
        };
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Ftp { scheme, host, port, user, password, root, name: shown } => Self::Ftp {
                scheme,
                host,
                port,
                user,
                password,
                root: match root {
                    RemoteRoot::Home(path) => RemoteRoot::Home(with(path)),
                    RemoteRoot::Absolute(path) => RemoteRoot::Absolute(with(path)),
                },
                name: format!("{}/{name}", shown.trim_end_matches('/')),
            },
        }
    }

    /// Returns the place of another root on the server of this one; itself on this machine.
    #[must_use]
    pub fn with_root(self, root: RemoteRoot, name: String) -> Self {
        match self {
            Self::Ftp { scheme, host, port, user, password, .. } => {
                Self::Ftp { scheme, host, port, user, password, root, name }
            }
            local @ Self::Local(_) => local,
        }
    }

    /// Returns whether both are on one server, for one user; or both on this machine.
    pub fn is_on_the_side_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(_), Self::Local(_)) => true,
            (
                Self::Ftp { host, port, user, .. },
                Self::Ftp { host: other_host, port: other_port, user: other_user, .. },
            ) => host.eq_ignore_ascii_case(other_host) && (port, user) == (other_port, other_user),
            _ => false,
        }
    }

    /// Returns whether it is a directory of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

/// Returns whether it is a scheme by its form (RFC 3986 §3.1); `./x` before `://` is none.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(server: &str) -> Result<(String, Option<u16>), PlaceError> {
    let host = host_part(server);
    let port = match &server[host.len()..] {
        "" | ":" => None,
        rest => {
            let digits = rest.strip_prefix(':').unwrap_or(rest);
            let port = digits.parse().ok().filter(|&port| port > 0);
            Some(port.ok_or_else(|| PlaceError::Port(escape(digits.as_bytes())))?)
        }
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match host.as_str() {
        "" => Err(PlaceError::NoHost),
        text if text.bytes().any(|b| b <= b' ' || b == 0x7f) => Err(PlaceError::Control("host")),
        _ => Ok((host, port)),
    }
}

fn host_part(server: &str) -> &str {
    let end = match server.find(']') {
        Some(bracket) if server.starts_with('[') => bracket + 1,
        _ => server.find(':').unwrap_or(server.len()),
    };
    &server[..end]
}

fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, PlaceError> {
    let bytes: Vec<u8> = percent_decode(text.as_bytes()).collect();
    if bytes.iter().any(|&b| b < 0x20 || b == 0x7f) { Err(PlaceError::Control(what)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        match Place::parse(text) {
            Ok(Place::Local(path)) => format!("local {}", path.display()),
            Ok(Place::Ftp { host, port, user, password, root, name, .. }) => {
                let user = user.map(|user| escape(&user));
                let password = password.map(|password| password.reveal().to_owned());
                let root = match root {
                    RemoteRoot::Home(path) => format!("~/{}", escape(&path)),
                    RemoteRoot::Absolute(path) => escape(&path),
                };
                format!("{host} {port} {user:?} {password:?} {root} {name}")
            }
            Err(e) => format!("error: {e}"),
        }
    }

    #[test]
    fn urls_and_paths() {
        for (text, read) in [
            ("build", "local build"),
            ("./a b", "local ./a b"),
            ("C:/x", "local C:/x"),
            ("./x://y", "local ./x://y"),
            ("ftp://h", "h 21 None None ~/ ftp://h/"),
            ("ftp://h/", "h 21 None None ~/ ftp://h/"),
            ("FTP://h:2121/a/b", "h 2121 None None ~/a/b ftp://h:2121/a/b"),
            ("ftp://u:p@h/a", r#"h 21 Some("u") Some("p") ~/a ftp://u@h/a"#),
            ("ftp://u%40x:p%3A%2F@h/a%20b", r#"h 21 Some("u@x") Some("p:/") ~/a b ftp://u%40x@h/a%20b"#),
            ("ftp://u:p@q@h/", r#"h 21 Some("u") Some("p@q") ~/ ftp://u@h/"#),
            ("ftp://u:@h/", r#"h 21 Some("u") Some("") ~/ ftp://u@h/"#),
            ("ftp://h/%2Fsrv/www", "h 21 None None /srv/www ftp://h/%2Fsrv/www"),
            ("ftp://h//srv/www", "h 21 None None /srv/www ftp://h//srv/www"),
            ("ftp://[::1]:2121/x", "::1 2121 None None ~/x ftp://[::1]:2121/x"),
            ("ftp://[::1]/x", "::1 21 None None ~/x ftp://[::1]/x"),
            ("", "error: the path is empty"),
            ("ftp://", "error: the URL names no host"),
            ("ftp:///x", "error: the URL names no host"),
            ("ftp://h:0/", "error: `0` is not a port between 1 and 65535"),
            ("ftp://h:x/", "error: `x` is not a port between 1 and 65535"),
            ("ftp://h:70000/", "error: `70000` is not a port between 1 and 65535"),
            ("ftpes://h/a", "h 21 None None ~/a ftpes://h/a"),
            ("FTPS://u@h/a", r#"h 990 Some("u") None ~/a ftps://u@h/a"#),
            ("ftps://h:21/a", "h 21 None None ~/a ftps://h:21/a"),
            ("ftps://h:990/a", "h 990 None None ~/a ftps://h/a"),
            (
                "http://h/",
                "error: `http://` is not supported; use ftp://host/path, ftpes:// or ftps:// for TLS, or a local directory",
            ),
            ("ftp://h/a%0d%0aDELE%20x", "error: the path holds a control character, which FTP cannot carry"),
            ("ftp://u%0a:p@h/", "error: the user holds a control character, which FTP cannot carry"),
            ("ftp://u:p%00@h/", "error: the password holds a control character, which FTP cannot carry"),
            (
                "ftp://u:sec/ret@h/",
                "error: a `/` stands before the `@`; write it as %2F in a user or password",
            ),
            ("ftp://u:%E9@h/", "error: the password is not UTF-8"),
            ("ftp://h:21/a@b", "error: a `/` stands before the `@`; write it as %2F in a user or password"),
            ("ftp://h/a?b", "error: the URL holds `?`; write it as %3F if it belongs to a name"),
        ] {
            assert_eq!(shown(text), read, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_place_or_an_error_without_the_password(text in "(ftp://)?\\PC{0,30}") {
            let _ = Place::parse(&text);
        }

        #[test]
        fn no_name_shows_the_password(password in "[a-z]{12}") {
            let Ok(Place::Ftp { name, .. }) = Place::parse(&format!("ftp://u:{password}@h/x")) else { panic!() };
            prop_assert!(!name.contains(&password));
        }
    }
}
