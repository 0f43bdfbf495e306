//! Lines on standard error, and the frame below them: what is redrawn while a command runs. Whoever closed standard error has chosen not to
//! read it: that is no reason to end a run half-way.
//!
//! The cursor stays at the beginning of the frame. So whatever the size of the terminal becomes, what is below it is the frame and is wiped
//! in one go; nothing has to be counted that the terminal may have wrapped meanwhile.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ui::log;

/// The job that lines are about.
static JOB: Mutex<Option<String>> = Mutex::new(None);

/// What is painted below all lines, as bytes; empty where there is nothing.
static FRAME: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// To the end of the screen is wiped.
const WIPE: &[u8] = b"\r\x1b[J";

/// Lines are about this job from now on, or about none.
pub(crate) fn set_job(name: Option<&str>) {
    *lock(&JOB) = name.map(str::to_owned);
}

/// Prints one line.
pub(crate) fn say(line: Arguments<'_>) {
    let frame = lock(&FRAME);
    let mut bytes = Vec::new();
    if !frame.is_empty() {
        bytes.extend_from_slice(WIPE);
    }
    // Writing to a vector can't fail.
    let _ = writeln!(bytes, "{line}");
    bytes.extend_from_slice(&frame);
    put(&bytes);
}

/// Prints and logs one line that begins with the program's name, and that of the job.
pub(crate) fn say_named(line: Arguments<'_>) {
    if log::is_open() {
        log::message(&line.to_string());
    }
    show_named(line);
}

/// As [`say_named`], of what a log has otherwise.
pub(crate) fn show_named(line: Arguments<'_>) {
    match &*lock(&JOB) {
        Some(job) => say(format_args!("oneway: {job}: {line}")),
        None => say(format_args!("oneway: {line}")),
    }
}

/// Paints lines, none of which may be wider than the terminal, in the place of those painted before.
pub(crate) fn paint(lines: &[String]) {
    let mut frame = lock(&FRAME);
    let painted = painted(lines);
    if !painted.is_empty() || !frame.is_empty() {
        put(if painted.is_empty() { WIPE } else { &painted });
    }
    *frame = painted;
}

/// Returns what paints a frame and puts the cursor back to its beginning, without wiping what is overwritten in any case: that would
/// flicker.
fn painted(lines: &[String]) -> Vec<u8> {
    if lines.is_empty() {
        return Vec::new();
    }
    // A line that is wider than it was taken for is cut by the terminal, not wrapped (DECAWM).
    let mut bytes = b"\x1b[?7l\r".to_vec();
    bytes.extend_from_slice(lines.join("\x1b[K\r\n").as_bytes());
    bytes.extend_from_slice(b"\x1b[J\x1b[?7h\r");
    if lines.len() > 1 {
        let _ = write!(bytes, "\x1b[{}A", lines.len() - 1);
    }
    bytes
}

/// One call, so that nobody writes in between.
fn put(bytes: &[u8]) {
    let _ = std::io::stderr().write_all(bytes);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints one line that begins with the program's name.
macro_rules! complain {
    ($($text:tt)*) => { $crate::ui::say::say_named(format_args!($($text)*)) };
}
pub(crate) use complain;
