//! Compares or plans with stores that make their entries up in memory, for `benches/scale/run`: what scanning, comparing and planning
//! cost without a network, a disk or a line to read.
//!
//! ```text
//! store diff|plan REPORT PLAN [--delete] -- PARAMETERS -- PARAMETERS
//! ```
//!
//! The parameters are those of the server beside it, for the source and for the destination; a destination without any is empty. REPORT is
//! written as `oneway --report json=REPORT` writes it, PLAN as `oneway plan -o PLAN` does.

mod made_up;
// What only a server needs of them is of no use here.
#[allow(dead_code)]
#[path = "../server/parameters.rs"]
mod parameters;
#[allow(dead_code)]
#[path = "../server/tree.rs"]
mod tree;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::DateTime;
use oneway::execute::{Event, Observer};
use oneway::planfile::{self, Header};
use oneway::report::{Detail, Mode, format_named};
use oneway::run::{RunOptions, run};
use oneway::spill::Spill;
use oneway::store::Store;

use made_up::MadeUp;
use parameters::Parameters;

/// What `--memory` is where nobody says it.
const MEMORY: u64 = 256 << 20;

struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is a program")]
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` calls it without a deed.
    if words.iter().all(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    match measured(&words) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            // Nobody is left to tell when this fails.
            let _ = writeln!(stderr(), "{why}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what memory is not meant for is no file that gets a name")]
fn temp_dir() -> PathBuf {
    std::env::temp_dir()
}

/// Does what the words say, and returns the exit status that `oneway` would have.
fn measured(words: &[String]) -> Result<u8, Box<dyn Error>> {
    let mut parts = words.split(|word| word == "--");
    let Some([deed, report_file, plan_file, rest @ ..]) = parts.next() else {
        return Err("store diff|plan REPORT PLAN [--delete] -- PARAMETERS -- PARAMETERS".into());
    };
    let mut side = |name| -> Result<Arc<dyn Store>, String> {
        let words = parts.next().unwrap_or_default();
        let tree = if words.is_empty() { None } else { Some(Parameters::parse(words)?.tree) };
        Ok(Arc::new(MadeUp::new(name, tree)))
    };
    let (source, destination) = (side("made-up-source")?, side("made-up-destination")?);
    let plans = deed == "plan";
    let options = RunOptions {
        mode: if plans { Mode::DryRun } else { Mode::Diff },
        keeps_plan: plans,
        delete: rest.contains(&"--delete".to_owned()),
        spill: Spill::to(temp_dir(), MEMORY),
        ..RunOptions::default()
    };
    let report = run(&source, &destination, &options, &Silent)?;
    let json = format_named("json").ok_or("there is no such format")?;
    let mut out = BufWriter::new(File::create(report_file)?);
    json.write(&report, Detail::default(), &mut out)?;
    out.flush()?;
    if plans {
        let header = Header {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made: DateTime::UNIX_EPOCH,
            source: source.name().to_owned(),
            destination: destination.name().to_owned(),
            options: Default::default(),
        };
        let mut out = BufWriter::new(File::create(plan_file)?);
        planfile::write(&header, &report.plan, &mut out)?;
        out.flush()?;
    }
    Ok(report.exit_status())
}
