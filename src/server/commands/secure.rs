//! TLS: AUTH, PBSZ, PROT, CCC (RFC 4217, RFC 2228 §3).

use crate::ftp::reply::Reply;
use crate::server::commands::Handled;
use crate::server::session::Session;

/// AUTH. The reply goes out in clear, and the handshake comes behind it; then all is as after connecting (RFC 4217 §4.2).
pub(super) fn auth(session: &mut Session, mechanism: &[u8]) -> Handled {
    if session.shared.tls.is_none() {
        return Err(Reply::new(502, "This server has no TLS"));
    }
    if session.control.is_tls() {
        return Err(Reply::new(503, "TLS is in use already"));
    }
    let protects_data = match mechanism.to_ascii_uppercase().as_slice() {
        b"TLS" | b"TLS-C" => false,
        // From drafts of RFC 4217: what PROT P says, said at once. lftp and vsftpd take them so.
        b"SSL" | b"TLS-P" => true,
        _ => return Err(Reply::new(504, "Only AUTH TLS")),
    };
    if session.control.holds_more() {
        // No client sends more before the handshake; somebody on the way did, to have it obeyed after it.
        session.leaving = true;
        return Err(Reply::new(421, "Something came behind AUTH; closing the control connection"));
    }
    session.forget_user();
    session.protected = protects_data;
    session.begins_tls = true;
    Ok(Reply::new(234, "Begin TLS"))
}

/// PBSZ. TLS has no such size, and says 0.
pub(super) fn pbsz(session: &mut Session, size: &[u8]) -> Handled {
    demand_tls(session)?;
    if !size.iter().all(u8::is_ascii_digit) {
        return Err(Reply::new(501, "PBSZ needs a number"));
    }
    session.buffer_size_said = true;
    Ok(Reply::new(200, "PBSZ=0"))
}

pub(super) fn prot(session: &mut Session, level: &[u8]) -> Handled {
    demand_tls(session)?;
    if !session.buffer_size_said {
        return Err(Reply::new(503, "PBSZ comes first"));
    }
    let protected = match level.to_ascii_uppercase().as_slice() {
        b"P" => true,
        b"C" if session.shared.demands(|tls| tls.required) => {
            return Err(Reply::new(534, "Data goes over TLS alone here"));
        }
        b"C" => false,
        b"S" | b"E" => return Err(Reply::new(536, "Only PROT P and PROT C")),
        _ => return Err(Reply::new(504, "Only PROT P and PROT C")),
    };
    session.protected = protected;
    Ok(Reply::new(200, if protected { "Data goes over TLS" } else { "Data goes in clear" }))
}

/// CCC would have the control connection go on in clear.
pub(super) fn ccc(_: &mut Session, _: &[u8]) -> Handled {
    Err(Reply::new(534, "The control connection stays as it is"))
}

fn demand_tls(session: &Session) -> Result<(), Reply> {
    if session.control.is_tls() { Ok(()) } else { Err(Reply::new(503, "AUTH TLS comes first")) }
}
