//! Is this the user we know?
//!
//! Hashes are compared, and in constant time, so the time of the answer tells neither where two passwords differ nor how long
//! the right one is.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::server::Login;

/// Returns whether `user` may log in with `password`.
pub(super) fn accepts(login: &Login, user: &[u8], password: &[u8]) -> bool {
    match login {
        Login::Anonymous => [&b"anonymous"[..], b"ftp"].iter().any(|name| user.eq_ignore_ascii_case(name)),
        Login::User { name, password: known } => {
            // Both are always compared: a known name must not show by a slower answer.
            (same(user, name.as_bytes()) & same(password, known.reveal().as_bytes())).into()
        }
    }
}

fn same(given: &[u8], known: &[u8]) -> Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn only_the_right_user_with_the_right_password() {
        let login = Login::User { name: "anna".into(), password: Secret::new("geheim") };
        for (user, password, right) in [
            ("anna", "geheim", true),
            ("anna", "geheiM", false),
            ("anna", "gehei", false),
            ("anna", "geheimgeheim", false),
            ("anna", "", false),
            ("Anna", "geheim", false),
            ("", "", false),
            ("anonymous", "me@", false),
        ] {
            assert_eq!(accepts(&login, user.as_bytes(), password.as_bytes()), right, "{user} {password}");
        }
    }

    #[test]
    fn anonymous_needs_no_password_but_the_name() {
        assert!(accepts(&Login::Anonymous, b"anonymous", b""));
        assert!(accepts(&Login::Anonymous, b"FTP", b"me@example.org"));
        assert!(!accepts(&Login::Anonymous, b"root", b"root"));
    }
}
