//! Entries as lines for people. `-` stands for what an entry doesn't have, `?` for what the server doesn't tell.

use std::io::{self, Write};

use oneway::ftp::listing::Listed;
use oneway::model::{Kind, Precision, escape};

/// Prints size, time and name.
pub(super) fn short(entries: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    let sizes: Vec<String> = entries.iter().map(|entry| size(entry, "-")).collect();
    let width = widest(&sizes);
    for (entry, size) in entries.iter().zip(&sizes) {
        let name = match (entry.kind, &entry.target) {
            (Kind::Dir, _) => format!("{}/", escape(&entry.name)),
            (Kind::Symlink, None) => format!("{}@", escape(&entry.name)),
            _ => name(entry),
        };
        writeln!(out, "{size:>width$}  {:16}  {name}", time(entry, "-"))?;
    }
    Ok(())
}

/// Prints mode, owner, group, size, time and name.
pub(super) fn long(entries: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    let who = |who: &Option<Vec<u8>>| who.as_deref().map_or_else(|| "?".to_owned(), escape);
    let column = |cell: &dyn Fn(&Listed) -> String| entries.iter().map(cell).collect::<Vec<String>>();
    let (owners, groups) = (column(&|entry| who(&entry.owner)), column(&|entry| who(&entry.group)));
    let (sizes, times) = (column(&|entry| size(entry, "?")), column(&|entry| time(entry, "?")));
    let widths = [&owners, &groups, &sizes, &times].map(|cells| widest(cells));
    for (i, entry) in entries.iter().enumerate() {
        let [owner, group, size, time] = widths;
        writeln!(
            out,
            "{}  {:owner$}  {:group$}  {:>size$}  {:time$}  {}",
            mode(entry),
            owners[i],
            groups[i],
            sizes[i],
            times[i],
            name(entry)
        )?;
    }
    Ok(())
}

fn widest(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn size(entry: &Listed, untold: &str) -> String {
    match (entry.kind, entry.size) {
        (Kind::File, Some(bytes)) => bytes.to_string(),
        (Kind::File, None) => untold.to_owned(),
        _ => "-".to_owned(),
    }
}

fn time(entry: &Listed, untold: &str) -> String {
    entry.mtime.map_or_else(
        || untold.to_owned(),
        |mtime| {
            let known = if mtime.precision == Precision::Day { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
            mtime.at.format(known).to_string()
        },
    )
}

fn name(entry: &Listed) -> String {
    let name = escape(&entry.name);
    match &entry.target {
        Some(target) if entry.kind == Kind::Symlink => format!("{name} -> {}", escape(target)),
        _ => name,
    }
}

/// Returns the mode as `ls -l` writes it.
fn mode(entry: &Listed) -> String {
    let kind = match entry.kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::Other => '?',
    };
    let Some(mode) = entry.mode else { return format!("{kind}?????????") };
    let mut text = String::from(kind);
    // For owner, group and all others: three bits, and a fourth that shows in the place of the third.
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift & 0o7;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use oneway::model::Mtime;

    use super::*;

    #[test]
    fn columns_are_aligned_and_show_what_is_untold() {
        let mtime = Mtime::from_unix(1_715_000_000, 0);
        let day = mtime.map(|mtime| Mtime { precision: Precision::Day, ..mtime });
        let told = |name: &str, kind, mode| Listed {
            mode: Some(mode),
            owner: Some("web".into()),
            group: Some("www-data".into()),
            mtime,
            ..Listed::new(name, kind)
        };
        let entries = [
            Listed { size: Some(4711), ..told("a b", Kind::File, 0o4755) },
            told("d", Kind::Dir, 0o1777),
            Listed { target: Some("../\u{1b}x".into()), ..told("l", Kind::Symlink, 0o777) },
            Listed { mtime: day, ..Listed::new("\u{202e}odd\x07", Kind::File) },
            Listed::new("pipe", Kind::Other),
        ];
        let mut out = Vec::new();
        long(&entries, &mut out).unwrap();
        let expected = "\
-rwsr-xr-x  web  www-data  4711  2024-05-06 12:53  a b
drwxrwxrwt  web  www-data     -  2024-05-06 12:53  d
lrwxrwxrwx  web  www-data     -  2024-05-06 12:53  l -> ../\\x1bx
-?????????  ?    ?            ?  2024-05-06        \\u{202e}odd\\x07
??????????  ?    ?            -  ?                 pipe
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        short(&entries[1..], &mut out).unwrap();
        let expected = "\
-  2024-05-06 12:53  d/
-  2024-05-06 12:53  l -> ../\\x1bx
-  2024-05-06        \\u{202e}odd\\x07
-  -                 pipe
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn special_bits_show_in_the_place_of_the_right_to_run() {
        for (bits, text) in [
            (0o0, "----------"),
            (0o644, "-rw-r--r--"),
            (0o6644, "-rwSr-Sr--"),
            (0o1754, "-rwxr-xr-T"),
            (0o7777, "-rwsrwsrwt"),
        ] {
            assert_eq!(mode(&Listed { mode: Some(bits), ..Listed::new("a", Kind::File) }), text);
        }
    }
}
