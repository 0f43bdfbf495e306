//! Logging in and out: USER, PASS, ACCT, REIN, QUIT (RFC 959 §4.1.1).

use std::time::Instant;

use crate::ftp::reply::Reply;
use crate::server::commands::Handled;
use crate::server::login::accepts;
use crate::server::session::{Session, User};
use crate::server::{Login, ServerEvent};

pub(super) fn user(session: &mut Session, name: &[u8]) -> Handled {
    if matches!(session.user, User::In(_)) {
        return Err(Reply::new(530, "Already logged in; REIN starts over"));
    }
    demand_tls(session)?;
    session.user = User::Named(name.to_vec());
    // A wrong name gets the same answer, or names could be guessed one by one.
    Ok(Reply::new(
        331,
        match session.shared.options.login {
            Login::Anonymous => "Any password will do",
            Login::User { .. } => "Password, please",
        },
    ))
}

pub(super) fn pass(session: &mut Session, password: &[u8]) -> Handled {
    let name = match &session.user {
        User::Named(name) => name.clone(),
        User::Unknown => return Err(Reply::new(503, "USER comes first")),
        User::In(_) => return Err(Reply::new(503, "Already logged in")),
    };
    demand_tls(session)?;
    let from = session.peer.ip();
    let Some(failed) = session.shared.attempts.begin(from, Instant::now()) else {
        session.tell(&ServerEvent::ShutOut);
        session.leaving = true;
        return Err(Reply::new(421, "Too many failed logins from your address; try again later"));
    };
    if accepts(&session.shared.options.login, &name, password) {
        session.tell(&ServerEvent::LoggedIn { user: &name });
        session.user = User::In(name);
        session.shared.attempts.succeeded(from);
        session.failed_logins = 0;
        return Ok(Reply::new(230, "Logged in"));
    }
    session.tell(&ServerEvent::LoginFailed { user: &name });
    session.user = User::Unknown;
    session.failed_logins += 1;
    session.control.flush();
    session.shared.stop.sleep(session.shared.options.login_pause.saturating_mul(failed));
    if session.failed_logins < MAX_FAILED_LOGINS {
        return Err(Reply::new(530, "Login incorrect"));
    }
    session.leaving = true;
    Err(Reply::new(530, "Login incorrect; closing the control connection"))
}

/// A password in clear is one that others read.
fn demand_tls(session: &Session) -> Result<(), Reply> {
    if session.shared.demands(|tls| tls.required) && !session.control.is_tls() {
        return Err(Reply::new(530, "Only over TLS; AUTH TLS comes first"));
    }
    Ok(())
}

pub(super) fn acct(_: &mut Session, _: &[u8]) -> Handled {
    Ok(Reply::new(202, "No account is needed"))
}

pub(super) fn rein(session: &mut Session, _: &[u8]) -> Handled {
    session.forget_user();
    Ok(Reply::new(220, "Ready for a new user"))
}

pub(super) fn quit(session: &mut Session, _: &[u8]) -> Handled {
    session.leaving = true;
    Ok(Reply::new(221, "Goodbye"))
}

/// How often a client may be wrong in one session.
const MAX_FAILED_LOGINS: u32 = 3;
