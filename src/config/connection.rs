//! From a place to the store that is there.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::{Logins, Place, PlaceError, TlsSettings};
use crate::ftp::client::ClientOptions;
use crate::ftp::connect::Timeouts;
use crate::ftp::data::DataMode;
use crate::ftp::transcript::Transcript;
use crate::model::{Cancel, Offset};
use crate::store::ftp::{FtpStore, ListingChoice, RemoteRoot};
use crate::store::local::LocalStore;
use crate::store::{Charset, Named, Names, Store};

/// What opening a place needs beside the place itself.
#[derive(Clone, Default)]
pub struct Connection {
    /// How long silences may last.
    pub timeouts: Timeouts,
    /// Who opens data connections.
    pub data_mode: DataMode,
    /// How connections are protected.
    pub tls: TlsSettings,
    /// Where passwords come from that no URL holds.
    pub logins: Logins,
    /// How directories are listed.
    pub listing: ListingChoice,
    /// How far the times of LIST are from UTC; `None` where nobody knows.
    pub time_offset: Option<Offset>,
    /// How names are encoded on servers; `None` for UTF-8, and Latin-1 where a name isn't that.
    pub charset: Option<Charset>,
    /// Files that come to this machine are flushed to the disk before they get their names.
    pub flushes: bool,
    /// Who hears the dialogue; `None` for nobody.
    pub transcript: Option<Arc<dyn Transcript>>,
    /// The wish to stop.
    pub cancel: Cancel,
}

impl Place {
    /// Returns the store at this place. Nothing is connected or read yet.
    ///
    /// # Errors
    /// [`PlaceError::NoPassword`] when a user is named and no password is known; [`PlaceError::Control`] or
    /// [`PlaceError::Charset`] when something can't be sent; what is wrong with how it is to be protected.
    pub fn store(self, connection: &Connection) -> Result<Arc<dyn Store>, PlaceError> {
        match self {
            Self::Local(path) => {
                let store = LocalStore::new(path);
                let store = if connection.flushes { store.flushing() } else { store };
                Ok(Arc::new(Named::new(store, Names::of_disk())))
            }
            Self::Ftp { .. } => {
                let names = Names::of_server(connection.charset);
                Ok(Arc::new(Named::new(self.ftp_store(connection)?, names)))
            }
        }
    }

    /// Returns the store at this place, which sets things aside in another one of the same kind: that of one run.
    ///
    /// # Errors
    /// As [`Place::store`], and [`PlaceError::Local`] when only one of them is a URL.
    pub fn store_with_aside(
        self,
        aside: Self,
        connection: &Connection,
    ) -> Result<Arc<dyn Store>, PlaceError> {
        match (self, aside) {
            (Self::Local(path), Self::Local(aside)) => {
                Ok(Arc::new(Named::new(LocalStore::new(path).with_aside(aside), Names::of_disk())))
            }
            (place @ Self::Ftp { .. }, Self::Ftp { root, .. }) => {
                let root = match connection.charset {
                    Some(charset) => encode(root, charset)?,
                    None => root,
                };
                let store = place.ftp_store(connection)?.with_aside(root);
                Ok(Arc::new(Named::new(store, Names::of_server(connection.charset))))
            }
            _ => Err(PlaceError::Local),
        }
    }

    /// Returns the store of a URL, for operations beyond a mirror's. Below the URL's own path, its names are bytes as they stand
    /// there.
    ///
    /// # Errors
    /// As [`Place::store`], and [`PlaceError::Local`] when this is no URL.
    pub fn ftp_store(self, connection: &Connection) -> Result<FtpStore, PlaceError> {
        let Self::Ftp { scheme, host, port, user, password, root, name } = self else {
            return Err(PlaceError::Local);
        };
        let options = ClientOptions {
            credentials: connection.logins.credentials(&host, user, password, &name)?,
            host,
            port,
            utf_8: connection.charset.is_none_or(Charset::is_utf_8),
            timeouts: connection.timeouts,
            data_mode: connection.data_mode,
            tls: connection.tls.options(scheme)?,
            transcript: connection.transcript.clone(),
            cancel: connection.cancel.clone(),
        };
        let root = match connection.charset {
            Some(charset) => encode(root, charset)?,
            None => root,
        };
        let store = FtpStore::new(options, root, name).with_listing(connection.listing);
        Ok(store.with_time_offset(connection.time_offset))
    }
}

/// Writes the path of a URL as its server has it. What isn't UTF-8 was escaped by somebody who knows its bytes.
fn encode(root: RemoteRoot, charset: Charset) -> Result<RemoteRoot, PlaceError> {
    let encoded = |path: Vec<u8>| match std::str::from_utf8(&path) {
        Ok(text) => {
            charset.encode(text).map(Cow::into_owned).ok_or_else(|| PlaceError::Charset(charset.name()))
        }
        Err(_) => Ok(path),
    };
    Ok(match root {
        RemoteRoot::Home(path) => RemoteRoot::Home(encoded(path)?),
        RemoteRoot::Absolute(path) => RemoteRoot::Absolute(encoded(path)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn open(url: &str, password: Option<&str>) -> Result<(), PlaceError> {
        let logins = Logins { password: password.map(Secret::new), ..Logins::default() };
        let connection = Connection { logins, ..Connection::default() };
        Place::parse(url)?.ftp_store(&connection).map(drop)
    }

    #[test]
    fn a_named_user_needs_a_password_that_can_be_sent() {
        assert_eq!(open("ftp://h/", None), Ok(()));
        assert_eq!(open("ftp://anonymous@h/", None), Ok(()));
        assert_eq!(open("ftp://u@h/", Some("p")), Ok(()));
        assert_eq!(open("ftp://u:p@h/", None), Ok(()));
        assert_eq!(open("ftp://u@h/", None), Err(PlaceError::NoPassword("ftp://u@h/".into())));
        assert_eq!(open("ftp://u@h/", Some("a\r\nDELE b")), Err(PlaceError::Control("password")));
        assert_eq!(open("dir", None), Err(PlaceError::Local));
    }

    #[test]
    fn the_path_of_a_url_is_sent_in_the_charset() {
        let latin_1 = |path: &str| encode(RemoteRoot::Home(path.into()), Charset::latin_1());
        assert_eq!(latin_1("caf\u{e9}/a"), Ok(RemoteRoot::Home(b"caf\xe9/a".to_vec())));
        assert_eq!(latin_1("漢"), Err(PlaceError::Charset("windows-1252")));
        let raw = RemoteRoot::Absolute(b"/caf\xe9".to_vec());
        assert_eq!(encode(raw.clone(), Charset::latin_1()), Ok(raw));
    }
}
