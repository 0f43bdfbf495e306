//! `oneway cat`: files to standard output.

use std::process::ExitCode;

use crate::args::SingleArgs;
use crate::commands::single::{means, stream};

pub(crate) fn run(args: &SingleArgs) -> anyhow::Result<ExitCode> {
    means(args)?.for_each(&args.urls, |means, place| stream::write_out(means, &place))
}
