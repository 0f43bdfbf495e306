//! `oneway cp`: a file, or with `-r` a directory, between this machine and servers.

use std::process::ExitCode;

use crate::args::CpArgs;
use crate::commands::single::copy::{How, Manner, Route, copy, ended};
use crate::commands::single::{Means, stream};

pub(crate) fn run(args: &CpArgs) -> anyhow::Result<ExitCode> {
    let means = Means::new(&args.connection, args.show.verbose)?;
    let result = if args.source == "-" || args.destination == "-" {
        stream::run(&means, args).map(|()| 0)
    } else {
        one(&means, args)
    };
    ended(&means, result)
}

fn one(means: &Means, args: &CpArgs) -> anyhow::Result<u8> {
    let manner = Manner { recursive: args.recursive, follows: true };
    let route = Route::find(means, &args.source, &args.destination, manner)?;
    let how = How { connection: &args.connection, show: &args.show, only_new: false, follows: true };
    copy(means, &route, &how)?.tell(&args.show)
}
