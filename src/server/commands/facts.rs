//! Single facts of one file, asked and set: SIZE, MDTM (RFC 3659), MFMT (draft-somers-ftp-mfxx), SITE CHMOD.

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;
use crate::model::Mtime;
use crate::server::Access;
use crate::server::commands::Handled;
use crate::server::commands::refusal::of_file;
use crate::server::commands::tree::changed;
use crate::server::mlsx::{parse_time, time_text};
use crate::server::session::Session;

/// SIZE, the same in TYPE A, since bytes are never changed on the way.
pub(super) fn size(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    let meta = session.shared.root.meta(&path).map_err(of_file)?;
    meta.check_file().map_err(of_file)?;
    Ok(Reply::new(213, meta.size.to_string()))
}

pub(super) fn mdtm(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    let meta = session.shared.root.meta(&path).map_err(of_file)?;
    meta.check_file_or_dir().map_err(of_file)?;
    let text = meta.mtime.and_then(|mtime| time_text(mtime.at));
    text.map(|text| Reply::new(213, text)).ok_or_else(|| Reply::new(550, "Its time is out of range"))
}

pub(super) fn mfmt(session: &mut Session, argument: &[u8]) -> Handled {
    let usage = || Reply::new(501, "MFMT YYYYMMDDHHMMSS path");
    let (time, path) = split_word(argument);
    let at = parse_time(time).filter(|_| !path.is_empty()).ok_or_else(usage)?;
    let resolved = session.resolve(path)?;
    session.shared.root.set_mtime(&resolved, Mtime::exact(at)).map_err(of_file)?;
    changed(session, Verb::Mfmt, &resolved);
    let text = time_text(at).unwrap_or_default();
    Ok(Reply::new(213, [format!("Modify={text}; ").as_bytes(), path].concat()))
}

pub(super) fn site(session: &mut Session, argument: &[u8]) -> Handled {
    let (word, rest) = split_word(argument);
    match word.to_ascii_uppercase().as_slice() {
        b"CHMOD" => chmod(session, rest),
        b"HELP" => {
            Ok(Reply::multi(214, "These SITE commands are known:", vec![b" CHMOD HELP".to_vec()], "End"))
        }
        _ => Err(Reply::new(504, "Only SITE CHMOD and SITE HELP")),
    }
}

fn chmod(session: &mut Session, argument: &[u8]) -> Handled {
    if session.shared.options.access != Access::Write {
        return Err(Reply::new(550, "This server is read-only"));
    }
    let (mode, path) = split_word(argument);
    let mode = octal(mode).filter(|_| !path.is_empty());
    let mode = mode.ok_or_else(|| Reply::new(501, "SITE CHMOD 000 to 777, path"))?;
    let path = session.resolve(path)?;
    session.shared.root.set_mode(&path, mode).map_err(of_file)?;
    changed(session, Verb::Site, &path);
    Ok(Reply::new(200, "Mode set"))
}

/// Reads permission bits without the special ones, which nobody should set from afar.
fn octal(text: &[u8]) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.iter().all(|b| (b'0'..=b'7').contains(b));
    let mode = digits.then(|| text.iter().fold(0, |mode, digit| mode * 8 + u32::from(digit - b'0')))?;
    (mode <= 0o777).then_some(mode)
}

/// Splits at the first space; all behind it may be a name with spaces of its own.
fn split_word(argument: &[u8]) -> (&[u8], &[u8]) {
    match argument.iter().position(|&b| b == b' ') {
        Some(space) => (&argument[..space], &argument[space + 1..]),
        None => (argument, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_without_special_bits() {
        for (text, mode) in [
            ("644", Some(0o644)),
            ("0755", Some(0o755)),
            ("0", Some(0)),
            ("777", Some(0o777)),
            ("1777", None),
            ("4755", None),
            ("888", None),
            ("00644", None),
            ("u+x", None),
            ("", None),
        ] {
            assert_eq!(octal(text.as_bytes()), mode, "{text}");
        }
    }
}
