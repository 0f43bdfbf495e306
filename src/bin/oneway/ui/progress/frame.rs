//! What a run looks like while it is under way: a value to lines of text, none wider than the terminal.

use std::time::Duration;

use oneway::model::{columns, shorten};
use oneway::report::{grouped, human_bytes};

use crate::ui::terminal::Size;

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum View {
    /// Both sides are listed: entries so far.
    Scanning { source: usize, destination: usize, elapsed: Duration },
    /// So many entries are compared.
    Comparing { entries: usize, elapsed: Duration },
    /// The plan is carried out.
    Doing(Doing),
}

/// How far a plan is carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Doing {
    /// What is done of all there is to do, from 0 to 1.
    pub(crate) part: f64,
    pub(crate) bytes: Count<u64>,
    pub(crate) files: Count<usize>,
    /// Other changes than those that send files.
    pub(crate) others: Count<usize>,
    /// Bytes in a second; `None` while nobody can tell.
    pub(crate) rate: Option<f64>,
    /// How long it will take; `None` while nobody can tell.
    pub(crate) left: Option<Duration>,
    pub(crate) is_stopping: bool,
    /// What the workers have under way.
    pub(crate) under_way: Vec<UnderWay>,
}

/// Something counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count<N> {
    pub(crate) done: N,
    pub(crate) of: N,
}

/// A file that is being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnderWay {
    /// Escaped.
    pub(crate) name: String,
    pub(crate) bytes: Count<u64>,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) unicode: bool,
    pub(crate) colours: bool,
}

/// Returns the lines to be painted: a total, and one for each worker with a file under way as far as there is room.
pub(crate) fn lines(view: &View, size: Size, look: Look) -> Vec<String> {
    // The last column stays free: some terminals wrap when something is written there.
    let room = size.columns.saturating_sub(1);
    let View::Doing(doing) = view else { return vec![shorten(&sentence(view), room, mark(look))] };
    let mut lines = vec![total(doing, room, look)];
    // One row for the total, one for what is above.
    let most = size.rows.saturating_sub(2);
    let under_way = &doing.under_way;
    let shown = if under_way.len() > most { most.saturating_sub(1) } else { under_way.len() };
    lines.extend(under_way[..shown].iter().map(|file| worker(file, room, look)));
    if shown < under_way.len() && most > 0 {
        let indent = if room >= 40 { NAMES_AT } else { 0 };
        let text = format!("{:indent$}{} more under way", "", under_way.len() - shown);
        lines.push(shorten(&text, room, mark(look)));
    }
    lines
}

/// Returns the same as one sentence, for logs.
pub(crate) fn sentence(view: &View) -> String {
    match view {
        View::Scanning { source, destination, elapsed } => format!(
            "scanning: {} at the source, {} at the destination, {}",
            entries(*source),
            grouped(*destination),
            clock(*elapsed)
        ),
        View::Comparing { entries: n, elapsed } => format!("comparing: {}, {}", entries(*n), clock(*elapsed)),
        View::Doing(doing) => {
            let bytes = format!("{} of {}", human_bytes(doing.bytes.done), human_bytes(doing.bytes.of));
            let rate = doing.rate.map(speed);
            let (done, of) = count(doing);
            let count = format!("{done}/{of}");
            let parts = [Some(percent(doing)), Some(bytes), rate, remaining(doing), Some(count)];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    }
}

fn total(doing: &Doing, room: usize, look: Look) -> String {
    let bytes = format!("{:>7} of {}", human_bytes(doing.bytes.done), human_bytes(doing.bytes.of));
    let rate = format!("{:>9}", doing.rate.map_or_else(|| "-".to_owned(), speed));
    let left = format!("{:>10}", remaining(doing).unwrap_or_else(|| "-:-- left".to_owned()));
    // As wide as it will be, so that nothing moves.
    let (done, of) = count(doing);
    let (percent, count) =
        (format!("{:>4}", percent(doing)), format!("{done:>0$}/{of}", of.find(' ').unwrap_or(0)));
    // From what everybody wants to know to what can be done without.
    let choices: [&[&str]; 4] =
        [&[&bytes, &rate, &left, &count], &[&rate, &left, &count], &[&left, &count], &[&count]];
    let behind = choices.map(|parts| parts.join("  "));
    let width = |text: &str| columns(&percent) + 2 + columns(text);
    let fits = |text: &&String| width(text) <= room;
    let behind = behind.iter().find(fits).map_or("", String::as_str);
    let for_bar = room.saturating_sub(width(behind) + 2).min(MOST_BAR);
    let text = if for_bar >= LEAST_BAR {
        format!("{percent}  {}  {behind}", bar(doing.part, for_bar, look))
    } else {
        return shorten(format!("{percent}  {behind}").trim_end(), room, mark(look));
    };
    text.trim_end().to_owned()
}

fn worker(file: &UnderWay, room: usize, look: Look) -> String {
    let Count { done, of } = file.bytes;
    // Where the size is unknown, what is sent of it. A small file is through before anybody has read how far it is.
    let far = match of {
        0 => format!("{:>15}", human_bytes(done)),
        1..SMALL_BYTES => format!("{:>15}", human_bytes(of)),
        _ => format!("{:>3}% of {:>7}", part(done.min(of), of), human_bytes(of)),
    };
    let far = format!("{far}  ");
    match room.checked_sub(columns(&far)) {
        Some(left @ 8..) => far + &shorten(&file.name, left, mark(look)),
        _ => shorten(&file.name, room, mark(look)),
    }
}

fn bar(part: f64, columns: usize, look: Look) -> String {
    let filled = ((part.clamp(0.0, 1.0) * columns as f64) as usize).min(columns);
    let (full, rest) = if look.unicode { ("━", "─") } else { ("=", "-") };
    let (full, rest) = (full.repeat(filled), rest.repeat(columns - filled));
    if look.colours { format!("\x1b[36m{full}\x1b[0;2m{rest}\x1b[0m") } else { full + &rest }
}

fn percent(doing: &Doing) -> String {
    format!("{}%", (doing.part.clamp(0.0, 1.0) * 100.0) as u64)
}

fn part(done: u64, of: u64) -> u128 {
    u128::from(done) * 100 / u128::from(of.max(1))
}

fn speed(rate: f64) -> String {
    format!("{}/s", human_bytes(rate as u64))
}

fn remaining(doing: &Doing) -> Option<String> {
    if doing.is_stopping {
        return Some("stopping".to_owned());
    }
    doing.left.map(|left| format!("{} left", clock(left)))
}

/// Returns how many are done, and of how many of what: of files while some are left, then of the other changes.
fn count(doing: &Doing) -> (String, String) {
    let Doing { files, others, .. } = doing;
    let (Count { done, of }, what) = match () {
        () if others.of == 0 || files.done < files.of => (files, "files"),
        () if files.of == 0 => (others, "changes"),
        () => (others, "other changes"),
    };
    (grouped(*done), format!("{} {what}", grouped(*of)))
}

fn entries(n: usize) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(n)) }
}

/// Minutes and seconds, hours where there are some.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..100 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{} days", hours / 24),
    }
}

fn mark(look: Look) -> &'static str {
    if look.unicode { "…" } else { "..." }
}

const SMALL_BYTES: u64 = 64 << 10;
/// The column of the names.
const NAMES_AT: usize = 17;
const MOST_BAR: usize = 40;
/// A shorter one tells nothing.
const LEAST_BAR: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { unicode: true, colours: false };

    fn doing() -> Doing {
        Doing {
            part: 0.4321,
            bytes: Count { done: 1 << 30, of: 5 << 29 },
            files: Count { done: 120, of: 1234 },
            others: Count { done: 1, of: 3 },
            rate: Some(12.3 * 1048576.0),
            left: Some(Duration::from_secs(133)),
            is_stopping: false,
            under_way: ["a/very/long/way/to/a/file/that/nobody/would/like/to/type.txt", "漢字"]
                .map(|name| UnderWay { name: name.into(), bytes: Count { done: 7 << 20, of: 100 << 20 } })
                .into(),
        }
    }

    #[test]
    fn a_run_in_eighty_columns() {
        let size = Size { columns: 80, rows: 24 };
        assert_eq!(
            lines(&View::Doing(doing()), size, PLAIN),
            [
                " 43%  ━━━━───────  1.0 GiB of 2.5 GiB   12 MiB/s   2:13 left    120/1,234 files",
                "  7% of 100 MiB  a/very/long/way/to/a/file/that/nobody/would/like/to/type.txt",
                "  7% of 100 MiB  漢字",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_frame_higher() {
        let mut many = doing();
        many.under_way = many.under_way.iter().cycle().take(64).cloned().collect();
        let views = [
            View::Scanning { source: 1, destination: 123_456_789, elapsed: Duration::from_secs(3700) },
            View::Comparing { entries: 12, elapsed: Duration::ZERO },
            View::Doing(Doing::default()),
            View::Doing(doing()),
            View::Doing(many),
        ];
        for (view, unicode) in views.iter().flat_map(|view| [(view, true), (view, false)]) {
            for columns_ in 1..220 {
                for rows in [1, 2, 3, 24] {
                    let size = Size { columns: columns_, rows };
                    let shown = lines(view, size, Look { unicode, colours: false });
                    let widest = shown.iter().map(|line| columns(line)).max().unwrap();
                    assert!(widest < columns_ && shown.len() <= rows, "{size:?} {shown:#?}");
                    assert!(unicode || shown.iter().all(|line| line.replace(['漢', '字'], "").is_ascii()));
                }
            }
        }
    }

    #[test]
    fn colours_take_no_room() {
        let size = Size { columns: 80, rows: 24 };
        let coloured = lines(&View::Doing(doing()), size, Look { colours: true, ..PLAIN });
        let plain = lines(&View::Doing(doing()), size, PLAIN);
        let stripped = ["\x1b[36m", "\x1b[0;2m", "\x1b[0m"].iter().fold(coloured[0].clone(), |text, code| {
            assert!(text.contains(code));
            text.replace(code, "")
        });
        assert_eq!(stripped, plain[0]);
    }

    #[test]
    fn a_log_gets_a_sentence() {
        assert_eq!(
            sentence(&View::Doing(doing())),
            "43%, 1.0 GiB of 2.5 GiB, 12 MiB/s, 2:13 left, 120/1,234 files"
        );
        let end = Doing { files: Count { done: 2, of: 2 }, is_stopping: true, ..doing() };
        assert!(sentence(&View::Doing(end)).ends_with(", stopping, 1/3 other changes"));
        let scan = View::Scanning { source: 1, destination: 2000, elapsed: Duration::from_secs(61) };
        assert_eq!(sentence(&scan), "scanning: 1 entry at the source, 2,000 at the destination, 1:01");
    }
}
