//! Lines on standard error. Whoever closed it has chosen not to read them: that is no reason to end a run half-way.

use std::fmt::Arguments;
use std::io::Write;

/// Prints one line.
pub(crate) fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints one line that begins with the program's name.
macro_rules! complain {
    ($($text:tt)*) => { $crate::ui::say::say(format_args!("oneway: {}", format_args!($($text)*))) };
}
pub(crate) use complain;
