//! How the connections of a place are protected: by its URL, by what was asked for, and by whom is trusted.

use std::sync::Arc;

use crate::config::{PlaceError, Scheme};
use crate::ftp::tls::{ClientCertificate, TlsOptions, TlsStart, Trust};

/// Whether explicit TLS is spoken with a server whose URL leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWish {
    /// Not at all.
    Off,
    /// Where the server has it; else all goes in clear text.
    Try,
    /// Or nothing is sent.
    Require,
}

impl TlsWish {
    /// Returns the word for it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Try => "try",
            Self::Require => "require",
        }
    }
}

/// What was said about TLS beside the URL.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// `None` when nothing was: then the URL decides.
    pub wish: Option<TlsWish>,
    /// Who may be at the other end.
    pub trust: Trust,
    /// What is shown to servers that ask for a certificate; `None` when there is none.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { wish: None, trust: Trust::System, certificate: None }
    }
}

impl TlsSettings {
    /// Returns how the connections to a URL of this scheme are protected; `None` for clear text.
    ///
    /// # Errors
    /// [`PlaceError::TlsWish`] where URL and wish contradict each other, [`PlaceError::NoTls`] where somebody is trusted for
    /// nothing, and [`PlaceError::Tls`].
    pub(super) fn options(&self, scheme: Scheme) -> Result<Option<TlsOptions>, PlaceError> {
        let start = match (scheme, self.wish) {
            (Scheme::Ftp, None | Some(TlsWish::Off)) => None,
            (Scheme::Ftp, Some(TlsWish::Try)) => Some(TlsStart::Offered),
            (Scheme::Ftp | Scheme::Ftpes, Some(TlsWish::Require)) | (Scheme::Ftpes, None) => {
                Some(TlsStart::Required)
            }
            (Scheme::Ftps, None | Some(TlsWish::Require)) => Some(TlsStart::Implicit),
            (Scheme::Ftpes | Scheme::Ftps, Some(wish)) => {
                return Err(PlaceError::TlsWish(scheme.as_str(), wish.as_str()));
            }
        };
        let Some(start) = start else {
            let is_unused = self.trust == Trust::System && self.certificate.is_none();
            return if is_unused { Ok(None) } else { Err(PlaceError::NoTls) };
        };
        Ok(Some(TlsOptions::new(start, &self.trust, self.certificate.as_deref())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_and_wish_decide_together_and_never_for_less_than_either_says() {
        use TlsStart::*;
        for (scheme, wish, start) in [
            (Scheme::Ftp, None, Ok(None)),
            (Scheme::Ftp, Some(TlsWish::Off), Ok(None)),
            (Scheme::Ftp, Some(TlsWish::Try), Ok(Some(Offered))),
            (Scheme::Ftp, Some(TlsWish::Require), Ok(Some(Required))),
            (Scheme::Ftpes, None, Ok(Some(Required))),
            (Scheme::Ftpes, Some(TlsWish::Require), Ok(Some(Required))),
            (Scheme::Ftpes, Some(TlsWish::Try), Err(PlaceError::TlsWish("ftpes", "try"))),
            (Scheme::Ftpes, Some(TlsWish::Off), Err(PlaceError::TlsWish("ftpes", "off"))),
            (Scheme::Ftps, None, Ok(Some(Implicit))),
            (Scheme::Ftps, Some(TlsWish::Require), Ok(Some(Implicit))),
            (Scheme::Ftps, Some(TlsWish::Try), Err(PlaceError::TlsWish("ftps", "try"))),
            (Scheme::Ftps, Some(TlsWish::Off), Err(PlaceError::TlsWish("ftps", "off"))),
        ] {
            let trust = if start == Ok(None) { Trust::System } else { Trust::Anybody };
            let settings = TlsSettings { wish, trust, certificate: None };
            let options = settings.options(scheme).map(|options| options.map(|options| options.start));
            assert_eq!(options, start, "{scheme:?} {wish:?}");
        }
        let trusting = TlsSettings { trust: Trust::Anybody, ..TlsSettings::default() };
        assert_eq!(trusting.options(Scheme::Ftp).unwrap_err(), PlaceError::NoTls);
    }
}
