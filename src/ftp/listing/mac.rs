//! LIST of old Macintosh servers: NetPresenz, Peter Lewis's FTPd, WebSTAR.
//!
//! They imitate `ls -l` for files of two forks: `-rw-r--r--  410  2048100  2048510 Mar 14 2019 the name` has the sizes
//! of the resource fork, the data fork and both; a directory has the word `folder` and how much is in it. FTP carries
//! the data fork unless asked otherwise, so the size of both is to the byte only where there is no resource fork.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date;
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number};
use crate::ftp::listing::unix::read_permissions;
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// NetPresenz, WebSTAR and their like.
#[derive(Clone, Copy, Debug)]
pub struct Mac;

impl ListingFormat for Mac {
    fn name(&self) -> &'static str {
        "mac"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let permissions = read_permissions(fields.get(0)?)?;
        let (first, second) = (fields.get(1)?, fields.get(2)?);
        let (size, rounded, date) = match permissions.kind {
            Kind::Dir if first == b"folder" => {
                big_number(second)?;
                (None, false, 3)
            }
            Kind::File => {
                let (resource, data) = (big_number(first)?, big_number(second)?);
                let both = big_number(fields.get(3)?)?;
                // Otherwise it is links, owner and size.
                if resource.checked_add(data)? != both {
                    return None;
                }
                (Some(both), resource > 0, 4)
            }
            Kind::Dir | Kind::Symlink | Kind::Other => return None,
        };
        let found = date::find(&mut fields, date, now)?;
        Some(Line::of(Listed {
            size,
            rounded,
            mtime: found.mtime,
            mode: Some(permissions.mode),
            ..Listed::new(behind_blanks(line, found.end), permissions.kind)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Line> {
        Mac.parse(line.as_bytes(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn forks_and_folders() {
        for (line, kind, size, exact, name) in [
            (
                "-------r--         410  2048100  2048510 Mar 14  2019 A.sit",
                Kind::File,
                Some(2_048_510),
                None,
                "A.sit",
            ),
            (
                "-rw-r--r--   0   4711   4711 Nov 20 10:06 two words",
                Kind::File,
                Some(4711),
                Some(4711),
                "two words",
            ),
            (
                "drwxrwxr-x               folder        3 Jul 25  2018 pictures",
                Kind::Dir,
                None,
                None,
                "pictures",
            ),
        ] {
            let Some(Line::Entry(listed)) = parse(line) else { panic!("{line}") };
            assert_eq!((listed.kind, listed.size, listed.exact_size()), (kind, size, exact), "{line}");
            assert_eq!(listed.name, name.as_bytes());
            assert!(listed.mtime.is_some());
        }
        for other in [
            "",
            "total 5",
            "-rw-r--r--   1 1000 12 Nov 20 10:06 n",
            "-rw-r--r--   1 web www 12 Nov 20 10:06 n",
            "drwxr-xr-x   2 web folder 12 Nov 20 10:06 n",
            "-rw-r--r--  5 9223372036854775807 4 Nov 20 10:06 n",
            "-rw-r--r--   0   4711   4711 n",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
