//! What the server says of itself: FEAT (RFC 2389), SYST, HELP, NOOP, and STAT without a path.

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;
use crate::model::escape;
use crate::server::Access;
use crate::server::commands::{HANDLERS, Handled};
use crate::server::session::{Session, User};

pub(super) fn feat(session: &mut Session, _: &[u8]) -> Handled {
    let facts = session.facts.feature();
    let mut features =
        vec!["EPRT", "EPSV", "MDTM", "MFMT", &facts, "PASV", "REST STREAM", "SIZE", "TVFS", "UTF8"];
    if session.shared.tls.is_some() {
        features.extend(["AUTH TLS", "PBSZ", "PROT"]);
        features.sort_unstable();
    }
    let lines = features.iter().map(|feature| format!(" {feature}").into_bytes()).collect();
    Ok(Reply::multi(211, "Features:", lines, "End"))
}

pub(super) fn syst(_: &mut Session, _: &[u8]) -> Handled {
    Ok(Reply::new(215, "UNIX Type: L8"))
}

pub(super) fn noop(_: &mut Session, _: &[u8]) -> Handled {
    Ok(Reply::new(200, "OK"))
}

pub(super) fn help(session: &mut Session, _: &[u8]) -> Handled {
    let of_tls = [Verb::Auth, Verb::Pbsz, Verb::Prot, Verb::Ccc];
    let known = HANDLERS.iter().map(|handler| handler.verb);
    let known = known.filter(|verb| session.shared.tls.is_some() || !of_tls.contains(verb));
    let verbs: Vec<&str> = known.map(Verb::as_str).collect();
    let lines = verbs.chunks(10).map(|verbs| format!(" {}", verbs.join(" ")).into_bytes()).collect();
    Ok(Reply::multi(214, "These commands are known:", lines, "End"))
}

/// Tells the state of the session, for STAT without an argument.
pub(super) fn status(session: &Session) -> Reply {
    let user = match &session.user {
        User::In(name) => format!(" Logged in as {}", escape(name)),
        User::Unknown | User::Named(_) => " Not logged in".into(),
    };
    let access = match session.shared.options.access {
        Access::Read => " Access: read-only",
        Access::Write => " Access: read and write",
    };
    let form = if session.ascii { " TYPE A (bytes are never changed)" } else { " TYPE I" };
    let tls = match (session.control.is_tls(), session.protected) {
        (false, _) => " No TLS",
        (true, false) => " TLS, data in clear",
        (true, true) => " TLS, data protected",
    };
    let idle = format!(" Idle timeout: {} seconds", session.shared.options.idle_timeout.as_secs());
    let connected = format!(" Connected to {}", session.peer.ip());
    let lines = [connected, tls.into(), user, access.into(), format!("{form}, STRU F, MODE S"), idle];
    Reply::multi(211, "oneway, status:", lines.map(String::into_bytes).to_vec(), "End of status")
}
