//! What the terminal on standard error and standard output is like.

use std::io::{IsTerminal, stderr};

use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// What one has that doesn't tell.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Returns how large the terminal on standard error is now.
pub(crate) fn size() -> Size {
    let told = tcgetwinsize(stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or(USUAL, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// Returns whether what stands on standard error can be overwritten.
pub(crate) fn can_redraw() -> bool {
    stderr().is_terminal() && obeys()
}

/// Returns whether what goes to `stream` may be coloured: a terminal that knows colours, and nobody said `NO_COLOR`
/// (<https://no-color.org>).
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && stream.is_terminal() && obeys()
}

/// Returns whether the terminal shows more than ASCII, as far as the locale tells (POSIX, environment variables of chapter 8.2).
pub(crate) fn has_unicode() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os);
    let locale = named.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Returns whether this process may write to its terminal as it likes: one in the background would write over what others do there.
pub(crate) fn is_foreground() -> bool {
    tcgetpgrp(stderr()).map_or(true, |group| group == getpgrp())
}

/// Returns whether the terminal obeys control sequences.
fn obeys() -> bool {
    std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}
