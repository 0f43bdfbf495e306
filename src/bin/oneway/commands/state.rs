//! Where the state of a pair of places is kept, and whose its temporary files are.

use std::path::PathBuf;

use oneway::config::Place;
use oneway::run::StateOptions;
use oneway::state::Pair;

use crate::args::SyncArgs;

/// Returns where this run remembers; `None` when nothing is to be kept, or there is no home to keep it in.
pub(crate) fn options(args: &SyncArgs, source: &Place, destination: &Place) -> Option<StateOptions> {
    if args.no_state {
        return None;
    }
    if args.remote_state {
        return Some(StateOptions::OnServer);
    }
    let pair = pair(source, destination);
    let file = match &args.state {
        Some(file) => file.clone(),
        None => state_dir()?.join("oneway").join(pair.file_name()),
    };
    Some(StateOptions::File { file, pair })
}

/// Returns the number by which this user on this machine knows the temporary files of earlier runs.
pub(crate) fn owner(source: &Place, destination: &Place) -> u64 {
    let host = rustix::system::uname();
    // Machines that were set up alike may have one name, and those that start anew each time have no number.
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let user = rustix::process::geteuid().as_raw().to_le_bytes();
    let handler = [&user[..], host.nodename().to_bytes(), b"\0", machine.trim_ascii()].concat();
    pair(source, destination).owner(&handler)
}

fn pair(source: &Place, destination: &Place) -> Pair {
    Pair { source: source.identity(), destination: destination.identity() }
}

/// Returns the user's state directory (XDG Base Directory Specification 0.8).
pub(crate) fn state_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
}
