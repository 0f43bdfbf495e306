//! `oneway completions` and `oneway man`: what the definition of the command line says, for shells and for `man`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::{Cli, CompletionsArgs, ManArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "oneway", &mut script);
    print(&script)
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let Some(dir) = &args.install else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        return print(&page);
    };
    let dir = dir.join("man1");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), &dir)
        .with_context(|| format!("cannot write the pages into {}", dir.display()))?;
    print(format!("man pages of oneway and its commands are in {}\n", dir.display()).as_bytes())
}

fn print(bytes: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
