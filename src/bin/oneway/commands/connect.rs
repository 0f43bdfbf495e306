//! From an argument to a store: credentials, timeouts, the transcript.

use std::sync::Arc;

use oneway::config::Place;
use oneway::ftp::client::ClientOptions;
use oneway::ftp::connect::Timeouts;
use oneway::ftp::data::DataMode;
use oneway::ftp::login::Credentials;
use oneway::ftp::transcript::Transcript;
use oneway::model::{Cancel, Secret};
use oneway::store::Store;
use oneway::store::ftp::FtpStore;
use oneway::store::local::LocalStore;

use crate::args::ConnectionArgs;
use crate::exit::UsageError;
use crate::ui::trace::Trace;

/// Reads an argument as a place. The message names which argument is wrong and never a password.
pub(crate) fn place(what: &str, text: &str) -> anyhow::Result<Place> {
    Place::parse(text).map_err(|e| UsageError(format!("{what}: {e}")).into())
}

/// Returns the store at `place`.
pub(crate) fn store(
    place: Place,
    args: &ConnectionArgs,
    verbose: u8,
    cancel: &Cancel,
) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match place {
        Place::Local(path) => Arc::new(LocalStore::new(path)),
        ftp @ Place::Ftp { .. } => Arc::new(ftp_store(ftp, args, verbose, cancel)?),
    })
}

/// Returns the store of a URL.
pub(crate) fn ftp_store(
    place: Place,
    args: &ConnectionArgs,
    verbose: u8,
    cancel: &Cancel,
) -> anyhow::Result<FtpStore> {
    let Place::Ftp { host, port, user, password, root, name } = place else {
        return Err(UsageError("a URL such as ftp://host/path is needed here".to_owned()).into());
    };
    let options = ClientOptions {
        host,
        port,
        credentials: credentials(user, password, &name)?,
        timeouts: Timeouts { connect: args.connect_timeout, reply: args.timeout, data: args.timeout },
        data_mode: if args.active { DataMode::Active } else { DataMode::Passive },
        transcript: (verbose >= 2).then(|| Arc::new(Trace) as Arc<dyn Transcript>),
        cancel: cancel.clone(),
    };
    Ok(FtpStore::new(options, root, name))
}

/// The variable a password is taken from where the URL has none.
const PASSWORD_VARIABLE: &str = "ONEWAY_PASSWORD";

fn credentials(user: Option<Vec<u8>>, password: Option<Secret>, name: &str) -> anyhow::Result<Credentials> {
    let Some(user) = user else { return Ok(Credentials::anonymous()) };
    let password = match (password, std::env::var(PASSWORD_VARIABLE)) {
        (Some(password), _) => password,
        (None, Ok(password)) => Secret::new(password),
        (None, Err(_)) if user.eq_ignore_ascii_case(b"anonymous") => Credentials::anonymous().password,
        (None, Err(_)) => {
            return Err(
                UsageError(format!("there is no password for {name}; set ${PASSWORD_VARIABLE}")).into()
            );
        }
    };
    if password.reveal().bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err(UsageError(format!(
            "the password for {name} holds a control character, which FTP cannot carry"
        ))
        .into());
    }
    Ok(Credentials { user, password, account: None })
}
