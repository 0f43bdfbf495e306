//! One line of LIST, as `ls -ln` writes it: English months, times in UTC, owners as numbers.
//!
//! As in `ls`, a time within the last six months has its minute, any other its year, so that no time is ambiguous.

use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::FileType;

use crate::rooted::Meta;

/// Appends the line of `name`, with `target` where it is a symbolic link.
pub(super) fn write_line(
    out: &mut Vec<u8>,
    name: &[u8],
    meta: &Meta,
    target: Option<&[u8]>,
    now: DateTime<Utc>,
) {
    let line = format!(
        "{}{} {:>4} {:<8} {:<8} {:>12} {} ",
        letter(meta.file_type),
        permissions(meta.mode),
        meta.links,
        meta.owner,
        meta.group,
        meta.size,
        date(meta.mtime.map(|mtime| mtime.at).unwrap_or_default(), now),
    );
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(name);
    if let Some(target) = target {
        out.extend_from_slice(b" -> ");
        // A target may hold anything; a line end in it would forge a line.
        out.extend(target.iter().map(|&b| if b"\r\n".contains(&b) { b'?' } else { b }));
    }
    out.extend_from_slice(b"\r\n");
}

fn letter(file_type: FileType) -> char {
    match file_type {
        FileType::RegularFile => '-',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Unknown => '?',
    }
}

fn permissions(mode: u32) -> String {
    // Read, write, execute of owner, group, others; then what stands for execute when the special bit is set.
    let mut text: Vec<char> = (0..9)
        .map(|i| if mode & (0o400 >> i) == 0 { '-' } else { ['r', 'w', 'x'][i as usize % 3] })
        .collect();
    for (bit, at, letters) in [(0o4000, 2, ['S', 's']), (0o2000, 5, ['S', 's']), (0o1000, 8, ['T', 't'])] {
        if mode & bit != 0 {
            text[at] = letters[usize::from(text[at] == 'x')];
        }
    }
    text.into_iter().collect()
}

fn date(at: DateTime<Utc>, now: DateTime<Utc>) -> impl std::fmt::Display {
    at.format(if at <= now && now - at < HALF_A_YEAR { "%b %e %H:%M" } else { "%b %e  %Y" })
}

/// Half of the mean Gregorian year, which is what `ls` takes for six months.
const HALF_A_YEAR: TimeDelta = TimeDelta::seconds(31_556_952 / 2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mtime;

    fn line(name: &str, file_type: FileType, mode: u32, at: &str, target: Option<&str>) -> String {
        let meta = Meta {
            file_type,
            size: 12345,
            mtime: Some(Mtime::exact(at.parse().unwrap())),
            ctime: (0, 0),
            mode,
            links: 1,
            owner: 1000,
            group: 100,
            device: 1,
            inode: 1,
        };
        let mut out = Vec::new();
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        write_line(&mut out, name.as_bytes(), &meta, target.map(str::as_bytes), now);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_look_as_ls_writes_them() {
        use FileType::{Directory, RegularFile, Symlink};
        for (got, expected) in [
            (
                line("a b", RegularFile, 0o644, "2026-11-02T09:05:59Z", None),
                "-rw-r--r--    1 1000     100             12345 Nov  2 09:05 a b\r\n",
            ),
            (
                line("d", Directory, 0o2755, "2026-05-01T00:00:00Z", None),
                "drwxr-sr-x    1 1000     100             12345 May  1  2026 d\r\n",
            ),
            (
                line("soon", RegularFile, 0o1666, "2026-11-21T10:00:01Z", None),
                "-rw-rw-rwT    1 1000     100             12345 Nov 21  2026 soon\r\n",
            ),
            (
                line("l", Symlink, 0o777, "2026-11-21T10:00:00Z", Some("../x\r\ny")),
                "lrwxrwxrwx    1 1000     100             12345 Nov 21 10:00 l -> ../x??y\r\n",
            ),
        ] {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn special_bits_take_the_place_of_execute() {
        assert_eq!(permissions(0o7777), "rwsrwsrwt");
        assert_eq!(permissions(0o7666), "rwSrwSrwT");
        assert_eq!(permissions(0), "---------");
    }
}
