//! What the client is told when something can't be done: one table from causes to codes (RFC 959 §4.2.2, RFC 1123 §4.1.2.11).

use std::io;

use rustix::io::Errno;

use crate::ftp::reply::Reply;
use crate::rooted::Unfit;
use crate::server::control::Interrupt;
use crate::server::copy::Broken;
use crate::server::data::NoConnection;

/// Returns what is said about an error of a file or directory; not one of a connection, which is no 550.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(super) fn of_file(error: io::Error) -> Reply {
    if let Some(unfit) = Unfit::of(&error) {
        return Reply::new(550, of_unfit(unfit));
    }
    let (code, text) = match Errno::from_io_error(&error).unwrap_or(Errno::IO) {
        Errno::NOENT => (550, "No such file or directory"),
        Errno::ACCESS | Errno::PERM => (550, "Permission denied"),
        Errno::EXIST => (550, "It exists already"),
        Errno::NOTDIR => (550, "Not a directory"),
        Errno::ISDIR => (550, "Is a directory"),
        Errno::NOTEMPTY => (550, "The directory is not empty"),
        Errno::INVAL => (550, "Not possible here"),
        Errno::ROFS => (550, "Read-only file system"),
        Errno::XDEV => (550, "Not possible across file systems"),
        Errno::NAMETOOLONG => (553, "The name is too long"),
        Errno::ILSEQ => (553, "The file system can't keep this name"),
        Errno::BUSY | Errno::TXTBSY => (450, "It is in use"),
        Errno::NOSPC => (452, "The disk is full"),
        Errno::DQUOT | Errno::FBIG => (552, "The quota is used up"),
        _ => return Reply::new(451, format!("Local error: {error}")),
    };
    Reply::new(code, text)
}

fn of_unfit(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Link => "Symbolic links are not followed",
        Unfit::NotAFile => "Not a regular file",
        Unfit::Root => "Not possible for the root directory",
    }
}

impl From<Broken> for Reply {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Interrupted(interrupt) => Self::new(426, interrupted(interrupt)),
            Broken::Network(error) => Self::new(426, format!("The data connection broke: {error}")),
            // 550 after the data connection was opened would say that nothing was ever there.
            Broken::File(error) => match of_file(error) {
                reply if reply.code() == 550 => Self::new(451, reply.text()),
                reply => reply,
            },
        }
    }
}

impl From<NoConnection> for Reply {
    fn from(why: NoConnection) -> Self {
        match why {
            NoConnection::NotAgreed => Self::new(425, "Send PASV, EPSV, PORT or EPRT first"),
            NoConnection::Interrupted(Interrupt::Silent) => {
                Self::new(425, "No data connection was made in time")
            }
            NoConnection::Interrupted(interrupt) => Self::new(426, interrupted(interrupt)),
            NoConnection::Network(error) => Self::new(425, format!("No data connection: {error}")),
            NoConnection::NotProtected => Self::new(522, "Only over TLS; PBSZ 0 and PROT P come first"),
            NoConnection::Tls(error) => Self::new(425, format!("No TLS on the data connection: {error}")),
            NoConnection::NotResumed => {
                Self::new(522, "The data connection must resume the TLS session of the control connection")
            }
        }
    }
}

fn interrupted(interrupt: Interrupt) -> &'static str {
    match interrupt {
        Interrupt::Aborted => "The transfer was aborted",
        Interrupt::Silent => "The data connection stood still for too long",
        Interrupt::Stopping => "The server stops",
        Interrupt::Gone => "The control connection broke",
    }
}
