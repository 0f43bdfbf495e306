//! Passwords from the environment, from `.netrc`, and from whoever sits at the terminal.

use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oneway::config::{Ask, Logins, Netrc};
use oneway::model::{Secret, escape};
use zeroize::Zeroizing;

use crate::ui::say::complain;

/// The variable a password is taken from where the URL has none.
pub(crate) const PASSWORD_VARIABLE: &str = "ONEWAY_PASSWORD";

/// The variable that names another file than `~/.netrc`.
const NETRC_VARIABLE: &str = "NETRC";

/// Returns where passwords come from.
pub(crate) fn find() -> Logins {
    Logins {
        password: std::env::var(PASSWORD_VARIABLE).ok().map(Secret::new),
        netrc: netrc_file().and_then(|file| read(&file)).map(Arc::new),
        // With one of them redirected, it is a script rather than a person.
        ask: (io::stdin().is_terminal() && io::stderr().is_terminal()).then(|| Arc::new(ask) as Ask),
    }
}

fn netrc_file() -> Option<PathBuf> {
    let named = std::env::var_os(NETRC_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".netrc")))
}

/// Reads the file; `None` where there is none. One that can't be read is none, and said to be.
fn read(file: &Path) -> Option<Netrc> {
    // Larger than any that people write by hand, and no device.
    const MOST_BYTES: u64 = 1 << 20;
    let meta = match fs::metadata(file) {
        Ok(meta) if meta.is_file() && meta.len() <= MOST_BYTES => meta,
        Ok(_) => return None,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => {
            complain!("warning: cannot read {}: {e}", file.display());
            return None;
        }
    };
    match fs::read(file) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
            let is_exposed = meta.permissions().mode() & 0o077 != 0;
            Some(Netrc::parse(&text, is_exposed.then(|| escape(file.as_os_str().as_encoded_bytes()))))
        }
        Err(e) => {
            complain!("warning: cannot read {}: {e}", file.display());
            None
        }
    }
}

/// Asks at the terminal, without showing what is typed.
fn ask(url: &str) -> Option<Secret> {
    let typed = rpassword::prompt_password(format!("password for {url}: ")).ok()?;
    Some(Secret::new(typed))
}
