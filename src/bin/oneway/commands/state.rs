//! Where the state of a pair of places is kept.

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
    let pair = Pair { source: source.identity(), destination: destination.identity() };
    let file = match &args.state {
        Some(file) => file.clone(),
        None => state_dir()?.join("oneway").join(pair.file_name()),
    };
    Some(StateOptions::File { file, pair })
}

/// Returns the user's state directory (XDG Base Directory Specification 0.8).
pub(crate) fn state_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
}
