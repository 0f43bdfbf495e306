//! Servers that mean harm, and strangers between them and us: one test for each attack of the list in `docs/security.md`, by its
//! number, and some beyond it (`x_…`).
//!
//! Three rules stand above all of it. Nothing outside the destination is written or removed; nothing is deleted, and nothing
//! gets its final name, because of what such a server says; and whatever it does, the run ends, in bounded memory.
//!
//! Attacks on TLS (18 to 21, 34, 38) are beside the other tests of TLS, in `scripted/tls.rs`.

use crate::scripted::{TWO_FILES, Trial, all, assert_printable, two_files};
use crate::support::{Dir, files};

mod beyond;
mod floods;
mod links;
mod listings;
mod names;
mod outgoing;
mod ports;
mod secrets;
mod sessions;
mod sizes;
mod traced;

/// The ways in which a server tells what is in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Mlsd,
    List,
    Nlst,
    /// On the control connection, from a server that is known to do that.
    Stat,
}

impl Way {
    const ALL: [Self; 4] = [Self::Mlsd, Self::List, Self::Nlst, Self::Stat];

    fn option(self) -> &'static str {
        match self {
            Self::Mlsd => "mlsd",
            Self::List => "list",
            Self::Nlst => "nlst",
            Self::Stat => "stat",
        }
    }

    /// Returns a script in which each directory of a server has these names, written as scripts write bytes. One that ends in `/`
    /// is a directory's.
    fn script(self, names: &[&str]) -> String {
        let lines: String = names.iter().map(|name| self.line(name)).collect();
        match self {
            Self::Mlsd => {
                format!("on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done\n")
            }
            Self::List => format!(
                "on FEAT\n< 211-Features\n<  SIZE\n<  MDTM\n< 211 End\n\
                 on LIST\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done\n"
            ),
            Self::Nlst => format!("on NLST\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done\n"),
            Self::Stat => {
                let own = self.line("./");
                format!(
                    "on CONNECT\n< 220 (vsFTPd 3.0.3)\n\
                     on STAT\n<| 213-Status follows:\\r\\n{own}{lines}213 End of status\\r\\n\n"
                )
            }
        }
    }

    fn line(self, name: &str) -> String {
        let (name, is_dir) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
        let line = match (self, is_dir) {
            (Self::Mlsd, false) => format!("type=file;size=12;modify=20240506070809; {name}"),
            (Self::Mlsd, true) => format!("type=dir;modify=20240506070809; {name}"),
            (Self::List | Self::Stat, false) => {
                format!("-rw-r--r--    1 ftp      ftp            12 May 06  2024 {name}")
            }
            (Self::List | Self::Stat, true) => {
                format!("drwxr-xr-x    2 ftp      ftp          4096 May 06  2024 {name}")
            }
            (Self::Nlst, _) => name.to_owned(),
        };
        format!("{line}\\r\\n")
    }
}

/// What is beside the destination and must stay as it is: `outside/file` and `outside/dir/file`.
struct Outside(Dir, [u32; 2]);

impl Outside {
    const FILES: [&str; 2] = ["file", "dir/file"];
    const CONTENT: &str = "dir/\ndir/file = \"inner\"\nfile = \"outer\"\n";

    fn new(trial: &Trial) -> Self {
        let dir = trial.sandbox.tree("outside", files! {"file" => "outer", "dir/file" => "inner"});
        let modes = Self::FILES.map(|file| dir.mode(file));
        Self(dir, modes)
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(crate::support::snapshot(&self.0), Self::CONTENT);
        for (file, mode) in Self::FILES.iter().zip(self.1) {
            assert_eq!(self.0.time(file), crate::support::LONG_AGO, "{file}");
            assert_eq!(self.0.mode(file), mode, "{file}");
        }
    }
}

/// Asserts that a run wrote nothing beside the directory it was to write to.
#[track_caller]
fn assert_nothing_beside(trial: &Trial) {
    let known = ["config", "here", "home", "outside", "state", "tmp", "work"];
    for entry in std::fs::read_dir(trial.sandbox.path("")).expect("it is readable") {
        let name = entry.expect("it is readable").file_name();
        assert!(known.iter().any(|known| name == *known), "{name:?} is new");
    }
    for empty in ["home", "tmp", "work", "config"] {
        let count = std::fs::read_dir(trial.sandbox.path(empty)).expect("it is readable").count();
        assert_eq!(count, 0, "{empty}");
    }
}
