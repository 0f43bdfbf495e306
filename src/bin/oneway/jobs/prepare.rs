//! From a job to the arguments of a `sync`: defaults < host < job < environment < command line.

use std::ffi::OsString;

use oneway::config::{Effective, Hooks, Host, Job, Origin, Problem, Settings, Target, resolve};

use crate::args::SyncArgs;
use crate::jobs::load::Loaded;
use crate::jobs::options::{Mismatch, Options};
use crate::values::Sessions;

/// A job with all that counts for it.
pub(crate) struct Prepared<'a> {
    pub(crate) job: &'a Job,
    /// For the run, and for the connections of its destination.
    pub(crate) args: SyncArgs,
    /// For the connections of its source.
    pub(crate) source_args: SyncArgs,
    /// Of source and destination; `None` for what is no host of the file.
    pub(crate) hosts: [Option<&'a Host>; 2],
    /// What `args` were made of.
    pub(crate) effective: Effective,
    pub(crate) hooks: Hooks,
}

/// The layers above the file.
pub(crate) struct Above<'a> {
    pub(crate) environment: &'a Settings,
    pub(crate) flags: &'a Settings,
}

/// Lays the layers of a job over each other. Says what doesn't go together; `None` where the cause is a value that was told already.
pub(crate) fn prepare<'a>(
    loaded: &'a Loaded,
    job: &'a Job,
    options: &Options,
    above: &Above<'_>,
) -> Result<Prepared<'a>, Option<Problem>> {
    let host = |target: &Target| target.host.as_deref().and_then(|name| loaded.file.host(name));
    let hosts = [host(&job.source), host(&job.destination)];
    let ends = [&job.source, &job.destination].map(|target| place(loaded, target));
    let read = |host: Option<&Host>| {
        let mut layers = vec![(Origin::Defaults, &loaded.file.defaults)];
        layers.extend(host.map(|host| (Origin::Host(host.name.clone()), &host.settings)));
        layers.push((Origin::Job(job.name.clone()), &job.settings));
        layers.push((Origin::Environment, above.environment));
        layers.push((Origin::Flag, above.flags));
        let effective = Effective::of(&layers, &options.keys);
        let [source, destination] = ends.clone();
        match options.read(&effective, source, destination) {
            Ok(args) => Ok((args, effective)),
            Err(mismatch) if mismatch.is_of_value => Err(None),
            Err(mismatch) => Err(Some(located(&mismatch, &effective, job))),
        }
    };
    // A side that is no host gets what is said of the other.
    let (source_args, _) = read(hosts[0].or(hosts[1]))?;
    let (mut args, effective) = read(hosts[1].or(hosts[0]))?;
    // The one number there is for both holds for the more careful of them.
    let sessions = [&args, &source_args].into_iter().filter_map(|args| args.connection.sessions.0).min();
    args.connection.sessions = Sessions(sessions);
    let hooks = job.hooks.or(&loaded.file.hooks);
    Ok(Prepared { job, args, source_args, hosts, effective, hooks })
}

fn place(loaded: &Loaded, target: &Target) -> OsString {
    match target.host.as_deref().and_then(|name| loaded.file.host(name)) {
        Some(host) => host.url(&target.text).into(),
        None if target.text.contains("://") => target.text.clone().into(),
        None => resolve(&target.text, &loaded.dir, loaded.home.as_deref()).into(),
    }
}

/// Says where the options stand that don't go together, and who set each.
fn located(mismatch: &Mismatch, effective: &Effective, job: &Job) -> Problem {
    let involved: Vec<_> =
        effective.options.iter().filter(|(name, ..)| mismatch.names.contains(name)).collect();
    let at = involved.iter().find_map(|(.., at)| *at).unwrap_or(job.at);
    let set = involved.iter().map(|(name, _, origin, at)| {
        let place = at.map_or_else(String::new, |at| format!(", line {}", at.line));
        format!("{name}: {origin}{place}")
    });
    let set: Vec<_> = set.collect();
    let whose = if set.is_empty() { String::new() } else { format!(" ({})", set.join("; ")) };
    Problem::new(at, format!("[job.{}]: {}{whose}", job.name, mismatch.text))
}
