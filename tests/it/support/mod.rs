//! What the tests are written with: a [`Sandbox`] per test in which `oneway` runs, real FTP daemons ([`Daemon`]), and
//! a server that answers as a script says ([`ScriptServer`]) for whatever no real one does on demand.
#![allow(dead_code, reason = "a tool that waits for its next test is no mistake")]

mod certificate;
mod daemon;
mod dir;
mod proftpd;
mod sandbox;
mod script;
mod slurm;
mod terminal;
mod tls;
mod tree;
mod vsftpd;

pub(crate) use certificate::Certificate;
pub(crate) use daemon::{
    Daemon, Direction, PASSWORD, Software, USER, for_each_daemon, for_each_known_daemon,
};
pub(crate) use dir::{Dir, Files, LONG_AGO};
pub(crate) use sandbox::{Output, Run, Running, Sandbox, can_trace};
pub(crate) use script::{ScriptServer, Transcript};
pub(crate) use slurm::{Cluster, wait_until};
pub(crate) use tls::{SelfSigned, TlsSocket, VERSIONS};
pub(crate) use tree::{assert_same_tree, assert_same_tree_and_times, differences, snapshot};

/// Builds the [`Files`] of a tree: `files! {"a.txt" => "hi", "empty dir/", "b/c.bin" => bytes}`.
macro_rules! files {
    (@one $path:expr) => { ($path.into(), None) };
    (@one $path:expr, $content:expr) => { ($path.into(), Some(AsRef::<[u8]>::as_ref(&$content).to_vec())) };
    ($($path:expr $(=> $content:expr)?),* $(,)?) => {
        $crate::support::Files(vec![$($crate::support::files!(@one $path $(, $content)?)),*])
    };
}
pub(crate) use files;
