//! Lines on standard error. Whoever closed it has chosen not to read them: that is no reason to end a run half-way.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// The job that lines are about.
static JOB: Mutex<Option<String>> = Mutex::new(None);

/// Lines are about this job from now on, or about none.
pub(crate) fn set_job(name: Option<&str>) {
    *JOB.lock().unwrap_or_else(PoisonError::into_inner) = name.map(str::to_owned);
}

/// Prints one line.
pub(crate) fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints one line that begins with the program's name, and that of the job.
pub(crate) fn say_named(line: Arguments<'_>) {
    match &*JOB.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(job) => say(format_args!("oneway: {job}: {line}")),
        None => say(format_args!("oneway: {line}")),
    }
}

/// Prints one line that begins with the program's name.
macro_rules! complain {
    ($($text:tt)*) => { $crate::ui::say::say_named(format_args!($($text)*)) };
}
pub(crate) use complain;
