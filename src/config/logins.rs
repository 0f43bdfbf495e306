//! Who logs in with which password: what the URL says, else the environment, else `.netrc`, else whoever sits at the terminal.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::config::{Netrc, PlaceError};
use crate::ftp::login::Credentials;
use crate::model::Secret;

/// Where passwords come from that no URL holds.
#[derive(Clone, Default)]
pub struct Logins {
    /// For every user a URL names; `None` when there is none.
    pub password: Option<Secret>,
    /// What `.netrc` says; `None` when there is none.
    pub netrc: Option<Arc<Netrc>>,
    /// Asks somebody for the password of the URL it's given; `None` when there is nobody to ask.
    pub ask: Option<Ask>,
}

/// A question for a password. `None` is no answer.
pub type Ask = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

impl Debug for Logins {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { password, netrc, ask } = self;
        let (netrc, ask) = (netrc.is_some(), ask.is_some());
        f.debug_struct("Logins")
            .field("password", password)
            .field("netrc", &netrc)
            .field("ask", &ask)
            .finish()
    }
}

impl Logins {
    /// Returns who logs in to `host`, where the URL `name` says so much of it.
    ///
    /// # Errors
    /// [`PlaceError::NoPassword`], [`PlaceError::Exposed`] where the password stands in a file that others can read, and
    /// [`PlaceError::Control`] when something can't be sent.
    pub(super) fn credentials(
        &self,
        host: &str,
        user: Option<Vec<u8>>,
        password: Option<Secret>,
        name: &str,
    ) -> Result<Credentials, PlaceError> {
        let anonymous = Credentials::anonymous();
        let in_netrc = self.netrc.as_ref().and_then(|netrc| netrc.find(host, user.as_deref()));
        let is_named = user.is_some();
        let user = user.or_else(|| in_netrc.and_then(|entry| entry.login.clone().map(String::into_bytes)));
        let Some(user) = user else { return Ok(anonymous) };
        let is_anonymous = user.eq_ignore_ascii_case(&anonymous.user);
        let stored = in_netrc.and_then(|entry| entry.password.clone());
        let given = password.or_else(|| self.password.clone().filter(|_| is_named || stored.is_none()));
        let is_from_netrc = given.is_none() && stored.is_some();
        if is_from_netrc
            && !is_anonymous
            && let Some(file) = self.netrc.as_ref().and_then(|netrc| netrc.exposed())
        {
            return Err(PlaceError::Exposed(file.to_owned()));
        }
        let password = given
            .or(stored)
            .or_else(|| is_anonymous.then_some(anonymous.password))
            .or_else(|| self.ask.as_ref().and_then(|ask| ask(name)))
            .ok_or_else(|| PlaceError::NoPassword(name.to_owned()))?;
        let account = in_netrc.and_then(|entry| entry.account.clone());
        for (what, secret) in [("password", Some(&password)), ("account", account.as_ref())] {
            if secret.is_some_and(|secret| secret.reveal().bytes().any(|b| b < 0x20 || b == 0x7f)) {
                return Err(PlaceError::Control(what));
            }
        }
        if user.iter().any(|&b| b < 0x20 || b == 0x7f) {
            return Err(PlaceError::Control("user"));
        }
        Ok(Credentials { user, password, account })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETRC: &str =
        "machine h login anna password fromnetrc account acc\ndefault login anonymous password me@x";

    fn login(logins: &Logins, user: Option<&str>, password: Option<&str>) -> Result<String, PlaceError> {
        let user = user.map(|user| user.as_bytes().to_vec());
        let found = logins.credentials("h", user, password.map(Secret::new), "ftp://h/")?;
        Ok(format!("{} {}", String::from_utf8_lossy(&found.user), found.password.reveal()))
    }

    #[test]
    fn the_nearest_word_counts() {
        let netrc = Some(Arc::new(Netrc::parse(NETRC, None)));
        let environment = Some(Secret::new("fromenv"));
        let ask: Option<Ask> = Some(Arc::new(|_| Some(Secret::new("typed"))));
        let nothing = Logins::default();
        let all = Logins { password: environment.clone(), netrc: netrc.clone(), ask: ask.clone() };
        let typed = Logins { ask, ..Logins::default() };
        let filed = Logins { netrc, ..Logins::default() };
        for (logins, user, password, expected) in [
            (&nothing, None, None, Ok("anonymous oneway@example.invalid")),
            (&nothing, Some("anonymous"), None, Ok("anonymous oneway@example.invalid")),
            (&nothing, Some("bob"), None, Err(PlaceError::NoPassword("ftp://h/".into()))),
            (&nothing, Some("bob"), Some("p"), Ok("bob p")),
            (&all, Some("bob"), Some("p"), Ok("bob p")),
            (&all, Some("anna"), None, Ok("anna fromenv")),
            // A password of the environment is for the user that somebody named.
            (&all, None, None, Ok("anna fromnetrc")),
            (&filed, Some("anna"), None, Ok("anna fromnetrc")),
            (&filed, None, None, Ok("anna fromnetrc")),
            (&filed, Some("bob"), None, Err(PlaceError::NoPassword("ftp://h/".into()))),
            (&typed, Some("bob"), None, Ok("bob typed")),
            (&typed, Some("bob"), Some(""), Ok("bob ")),
            (&typed, None, None, Ok("anonymous oneway@example.invalid")),
        ] {
            assert_eq!(login(logins, user, password), expected.map(str::to_owned), "{logins:?} {user:?}");
        }
        let account = filed.credentials("h", None, None, "").unwrap().account;
        assert_eq!(account.as_ref().map(Secret::reveal), Some("acc"));
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let netrc = Some(Arc::new(Netrc::parse(NETRC, Some("/home/a/.netrc".into()))));
        let exposed = Logins { netrc, ..Logins::default() };
        let refused = PlaceError::Exposed("/home/a/.netrc".into());
        assert_eq!(login(&exposed, None, None), Err(refused));
        // Nothing of it is used then.
        assert_eq!(login(&exposed, Some("anna"), Some("p")), Ok("anna p".to_owned()));
        assert_eq!(login(&exposed, Some("anonymous"), None), Ok("anonymous me@x".to_owned()));
    }

    #[test]
    fn control_characters_are_not_sent() {
        let netrc = Some(Arc::new(Netrc::parse(r#"machine h login "a\nDELE x" password p"#, None)));
        assert_eq!(
            login(&Logins { netrc, ..Logins::default() }, None, None),
            Err(PlaceError::Control("user"))
        );
        let logins = Logins { password: Some(Secret::new("a\r\nDELE b")), ..Logins::default() };
        assert_eq!(login(&logins, Some("u"), None), Err(PlaceError::Control("password")));
    }
}
