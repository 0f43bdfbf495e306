//! What the client is told when something can't be done: one table from causes to codes (RFC 959 §4.2.2, RFC 1123 §4.1.2.11).

use rustix::io::Errno;

use crate::ftp::reply::Reply;
use crate::server::control::Interrupt;
use crate::server::copy::Broken;
use crate::server::data::NoConnection;
use crate::server::files::FileError;

impl From<FileError> for Reply {
    fn from(error: FileError) -> Self {
        let FileError::System(errno) = error else { return Self::new(550, error.to_string()) };
        let (code, text) = match errno {
            Errno::NOENT => (550, "No such file or directory"),
            Errno::ACCESS | Errno::PERM => (550, "Permission denied"),
            Errno::EXIST => (550, "It exists already"),
            Errno::NOTDIR => (550, "Not a directory"),
            Errno::ISDIR => (550, "Is a directory"),
            Errno::NOTEMPTY => (550, "The directory is not empty"),
            Errno::LOOP => (550, "Symbolic links are not followed"),
            Errno::INVAL => (550, "Not possible here"),
            Errno::ROFS => (550, "Read-only file system"),
            Errno::XDEV => (550, "Not possible across file systems"),
            Errno::NXIO => (550, "Not a regular file"),
            Errno::NAMETOOLONG => (553, "The name is too long"),
            Errno::ILSEQ => (553, "The file system can't keep this name"),
            Errno::BUSY | Errno::TXTBSY => (450, "It is in use"),
            Errno::NOSPC => (452, "The disk is full"),
            Errno::DQUOT | Errno::FBIG => (552, "The quota is used up"),
            _ => return Self::new(451, format!("Local error: {}", std::io::Error::from(errno))),
        };
        Self::new(code, text)
    }
}

impl From<Broken> for Reply {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Interrupted(interrupt) => Self::new(426, interrupted(interrupt)),
            Broken::Network(error) => Self::new(426, format!("The data connection broke: {error}")),
            // 550 after the data connection was opened would say that nothing was ever there.
            Broken::File(error) => match Self::from(error) {
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
