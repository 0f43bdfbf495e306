//! `oneway mv`: another name on the same server, without moving a byte.

use std::process::ExitCode;

use oneway::config::Place;
use oneway::model::RelPath;
use oneway::store::{Renaming, Session as _};

use crate::args::MvArgs;
use crate::commands::connect;
use crate::commands::single::{Failed, Means, status_of};
use crate::exit::UsageError;

pub(crate) fn run(args: &MvArgs) -> anyhow::Result<ExitCode> {
    let means = Means::new(&args.connection, args.verbose)?;
    let source = connect::place("SRC", &args.source)?;
    let destination = connect::place("DST", &args.destination)?;
    match rename(&means, &source, &destination) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(e) => match means.signals.stop() {
            Some(stop) => Ok(ExitCode::from(stop.exit_status())),
            None => status_of(e).map(ExitCode::from),
        },
    }
}

fn rename(means: &Means, source: &Place, destination: &Place) -> anyhow::Result<()> {
    let into = destination.is_written_as_dir();
    let wrong = |text: &str| UsageError(text.to_owned());
    let Some((base, from, to)) = source.with_common_root(destination) else {
        let text = "SRC and DST must be URLs of one server with one user, both relative to the login directory or both absolute; \
                    use sync to move between two places";
        return Err(wrong(text).into());
    };
    let Some(name) = RelPath::parse(from.name()).ok().filter(|_| !from.is_root()) else {
        return Err(wrong("SRC is a root and has no name of its own").into());
    };
    let store = means.store(base)?;
    let mut session = means.connect(&store)?;
    let to = if into { to.join(name.as_bytes())? } else { to };
    // Most servers would put it over a file that is there, without a word.
    let version = session.version(&to).map_err(Failed);
    if version.is_ok_and(|version| version.size.is_some()) {
        return Err(wrong(&format!("`{to}` is there already; remove it first")).into());
    }
    let renamed = session.rename_files(&[Renaming { from, to }]).pop();
    Ok(renamed.expect("one result for one file").map_err(Failed)?)
}
