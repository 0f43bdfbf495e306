//! `oneway cat`: files to standard output.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use oneway::store::{ReadRequest, Session as _};

use crate::args::SingleArgs;
use crate::commands::single::{Failed, apart, means};

pub(crate) fn run(args: &SingleArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    means(args)?.for_each(&args.urls, |means, place| {
        let (dir, path) = apart(&place)?;
        let store = means.store(dir)?;
        let mut session = means.connect(&store)?;
        let mut incoming = session.read(&ReadRequest { path, size: None }, None).map_err(Failed)?;
        let mut block = vec![0; 256 << 10];
        loop {
            let n = incoming.read(&mut block).map_err(Failed)?;
            if n == 0 {
                break;
            }
            out.write_all(&block[..n]).context("cannot write to standard output")?;
        }
        incoming.finish().map_err(Failed)?;
        out.flush().context("cannot write to standard output")
    })
}
