//! The commands, a line each in [`HANDLERS`]: the verb, who may give it, whether it needs an argument, and what obeys it.
//!
//! A handler returns the final reply; `Err` is a refusal, for `?`. What comes before the final reply it sends by itself.

mod access;
mod facts;
mod info;
mod listing;
mod params;
mod refusal;
mod secure;
mod transfer;
mod tree;

use crate::ftp::command::{Command, Verb};
use crate::ftp::reply::Reply;
use crate::server::Access;
use crate::server::session::{Session, User};

/// A final reply, or a refusal.
type Handled = Result<Reply, Reply>;

struct Handler {
    verb: Verb,
    right: Right,
    argument: Argument,
    run: fn(&mut Session, &[u8]) -> Handled,
}

/// What a client must be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// Nothing, not even to log in.
    Nothing,
    Read,
    Write,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    Optional,
    Required,
}

/// Obeys one command.
pub(super) fn obey(session: &mut Session, command: &Command) -> Handled {
    let Some(handler) = HANDLERS.iter().find(|handler| handler.verb == command.verb()) else {
        return Err(Reply::new(502, format!("{} is not implemented", command.verb())));
    };
    if handler.right != Right::Nothing && !matches!(session.user, User::In(_)) {
        return Err(Reply::new(530, "Log in with USER and PASS first"));
    }
    if handler.argument == Argument::Required && command.argument().is_empty() {
        return Err(Reply::new(501, format!("{} needs an argument", handler.verb)));
    }
    if handler.right == Right::Write && session.shared.options.access != Access::Write {
        return Err(Reply::new(550, "This server is read-only"));
    }
    (handler.run)(session, command.argument())
}

const fn row(
    verb: Verb,
    right: Right,
    argument: Argument,
    run: fn(&mut Session, &[u8]) -> Handled,
) -> Handler {
    Handler { verb, right, argument, run }
}

/// Every command of this server. The frequent ones stand first, since the table is searched from the top.
const HANDLERS: &[Handler] = {
    use Argument::{Optional, Required};
    use Right::{Nothing, Read, Write};
    &[
        row(Verb::Epsv, Read, Optional, params::epsv),
        row(Verb::Pasv, Read, Optional, params::pasv),
        row(Verb::Retr, Read, Required, transfer::retr),
        row(Verb::Stor, Write, Required, transfer::stor),
        row(Verb::Size, Read, Required, facts::size),
        row(Verb::Mdtm, Read, Required, facts::mdtm),
        row(Verb::Mfmt, Write, Required, facts::mfmt),
        row(Verb::Rnfr, Write, Required, tree::rnfr),
        row(Verb::Rnto, Write, Required, tree::rnto),
        row(Verb::Dele, Write, Required, tree::dele),
        row(Verb::Mlsd, Read, Optional, listing::mlsd),
        row(Verb::List, Read, Optional, listing::list),
        row(Verb::Nlst, Read, Optional, listing::nlst),
        row(Verb::Mlst, Read, Optional, listing::mlst),
        row(Verb::Stat, Read, Optional, listing::stat),
        row(Verb::Cwd, Read, Required, tree::cwd),
        row(Verb::Xcwd, Read, Required, tree::cwd),
        row(Verb::Cdup, Read, Optional, tree::cdup),
        row(Verb::Xcup, Read, Optional, tree::cdup),
        row(Verb::Pwd, Read, Optional, tree::pwd),
        row(Verb::Xpwd, Read, Optional, tree::pwd),
        row(Verb::Mkd, Write, Required, tree::mkd),
        row(Verb::Xmkd, Write, Required, tree::mkd),
        row(Verb::Rmd, Write, Required, tree::rmd),
        row(Verb::Xrmd, Write, Required, tree::rmd),
        row(Verb::Rest, Read, Required, transfer::rest),
        row(Verb::Appe, Write, Required, transfer::appe),
        row(Verb::Abor, Read, Optional, transfer::abor),
        row(Verb::Allo, Read, Optional, params::allo),
        row(Verb::Port, Read, Required, params::port),
        row(Verb::Eprt, Read, Required, params::eprt),
        row(Verb::Type, Read, Required, params::representation),
        row(Verb::Mode, Read, Required, params::mode),
        row(Verb::Stru, Read, Required, params::structure),
        row(Verb::Opts, Nothing, Required, params::opts),
        row(Verb::User, Nothing, Required, access::user),
        row(Verb::Pass, Nothing, Optional, access::pass),
        row(Verb::Acct, Nothing, Optional, access::acct),
        row(Verb::Rein, Nothing, Optional, access::rein),
        row(Verb::Quit, Nothing, Optional, access::quit),
        row(Verb::Auth, Nothing, Required, secure::auth),
        row(Verb::Pbsz, Nothing, Required, secure::pbsz),
        row(Verb::Prot, Nothing, Required, secure::prot),
        row(Verb::Ccc, Nothing, Optional, secure::ccc),
        row(Verb::Feat, Nothing, Optional, info::feat),
        row(Verb::Syst, Nothing, Optional, info::syst),
        row(Verb::Help, Nothing, Optional, info::help),
        row(Verb::Noop, Nothing, Optional, info::noop),
        row(Verb::Site, Read, Required, facts::site),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_one_row() {
        for handler in HANDLERS {
            assert_eq!(
                HANDLERS.iter().filter(|other| other.verb == handler.verb).count(),
                1,
                "{}",
                handler.verb
            );
        }
    }
}
