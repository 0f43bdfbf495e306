//! Is this the user we know?
//!
//! The comparison takes as long for a password that is wrong in its first byte as for one that is wrong in its last, so
//! that the time of the answer tells nothing about the password.

use std::hint::black_box;

use crate::server::Login;

/// Returns whether `user` may log in with `password`.
pub(super) fn accepts(login: &Login, user: &[u8], password: &[u8]) -> bool {
    match login {
        Login::Anonymous => [&b"anonymous"[..], b"ftp"].iter().any(|name| user.eq_ignore_ascii_case(name)),
        Login::User { name, password: known } => {
            // Both are always compared: a known name must not show by a slower answer.
            same(user, name.as_bytes()) & same(password, known.reveal().as_bytes())
        }
    }
}

fn same(given: &[u8], known: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != known.len());
    for (byte, of_known) in given.iter().zip(known.iter().cycle()) {
        difference |= black_box(byte ^ of_known);
    }
    black_box(difference) == 0
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
