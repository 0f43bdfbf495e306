//! Files out of the local disk: read whole and unchanged or not at all.
//!
//! A disk doesn't keep a file still while it is read. What is read is one version of the file only if the same file stands under its name
//! afterwards as before, and nothing about it is another: not its size and time alone, which a writer may put back, but also the
//! time of its last change of any kind.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{RelPath, Remedy};
use crate::rooted::{Meta, Rooted};
use crate::store::local::LocalSession;
use crate::store::{Incoming, ReadRequest, StoreError, StoreResult};

pub(super) fn read<'s>(
    session: &'s mut LocalSession,
    file: &ReadRequest,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let opened = session.base_of(&file.path).and_then(|(root, base)| {
        let (file, before) = root.open_file(&base)?;
        Ok((file, before, root, base))
    });
    let (handle, mut before, root, base) = opened.map_err(|e| session.fail("read", &file.path, e))?;
    if let Some(left) = left_of_its_second(&before) {
        thread::sleep(left);
        before = Meta::of(&handle).map_err(|e| session.fail("read", &file.path, e))?;
    }
    Ok(Box::new(LocalIncoming {
        session,
        root,
        base,
        file: handle,
        path: file.path.clone(),
        before,
        bytes: 0,
    }))
}

/// Returns how long the second lasts in which the file was last changed; `None` when it is over.
///
/// A server keeps whole seconds of a time. What is changed once more within that second, after it was read, would look as it did, and
/// its old content would be taken for the new one for ever. Of many files that were just made, the first is waited for, and the
/// others are old by then.
#[expect(
    clippy::disallowed_methods,
    reason = "the disk is the rim: how old a file is depends on when it is read"
)]
fn left_of_its_second(meta: &Meta) -> Option<Duration> {
    let mtime = meta.mtime?.at;
    // The clock that a system dates files by may be a tick behind.
    let over = DateTime::from_timestamp(mtime.timestamp() + 1, 20_000_000)?;
    let now = Utc::now();
    // A time to come was set by somebody and says nothing.
    if now < mtime { None } else { (over - now).to_std().ok().filter(|left| !left.is_zero()) }
}

/// A file being read.
struct LocalIncoming<'s> {
    session: &'s LocalSession,
    /// Where it was found, through links that are followed.
    root: Arc<Rooted>,
    base: RelPath,
    file: File,
    path: RelPath,
    before: Meta,
    bytes: u64,
}

impl LocalIncoming<'_> {
    fn changed(&self, how: &str) -> StoreError {
        StoreError::new(
            "read",
            &self.path,
            &self.session.name,
            Remedy::Retry,
            format!("it {how} while it was read"),
        )
    }
}

impl Incoming for LocalIncoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(n) => {
                    self.bytes += n as u64;
                    // A log may grow faster than it can be sent, and would never end.
                    if self.bytes > self.before.size {
                        return Err(self.changed("grew"));
                    }
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.session.fail("read", &self.path, e)),
            }
        }
    }

    fn finish(self: Box<Self>) -> StoreResult<u64> {
        let after = match self.root.meta(&self.base) {
            Ok(after) => after,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(self.changed("vanished")),
            Err(e) => return Err(self.session.fail("read", &self.path, e)),
        };
        match what_changed(&self.before, &after, self.bytes) {
            Some(how) => Err(self.changed(how)),
            None => Ok(self.bytes),
        }
    }
}

/// Returns what happened to a file between the two looks at it; `None` when nothing did and `bytes` are all it has.
fn what_changed(before: &Meta, after: &Meta, bytes: u64) -> Option<&'static str> {
    if (after.device, after.inode) != (before.device, before.inode) {
        Some("was replaced")
    } else if after.size > before.size {
        Some("grew")
    } else if after.size < before.size || bytes < before.size {
        Some("shrank")
    } else if after.mtime != before.mtime || after.ctime != before.ctime {
        Some("was changed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::store::Store;
    use crate::store::local::LocalStore;

    /// Begins to read a file of ten bytes, does something to it, and reads on.
    fn read_while(happens: impl FnOnce(&Path)) -> StoreResult<u64> {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("d/a");
        fs::create_dir(temp.path().join("d")).unwrap();
        fs::write(&file, "0123456789").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let mut session = LocalStore::new(temp.path()).connect().unwrap();
        let request = ReadRequest { path: RelPath::parse("d/a").unwrap(), size: Some(10) };
        let mut incoming = session.read(&request, None)?;
        assert_eq!(incoming.read(&mut [0; 4])?, 4);
        happens(&file);
        while incoming.read(&mut [0; 4])? > 0 {}
        incoming.finish()
    }

    /// A clock tick passes, so that a file system that counts in ticks can tell.
    fn tick() {
        thread::sleep(Duration::from_millis(20));
    }

    #[test]
    fn whatever_happens_to_a_file_while_it_is_read_is_noticed() {
        type Happening = (&'static str, fn(&Path));
        let cases: [Happening; 8] = [
            ("grew", |file| fs::OpenOptions::new().append(true).open(file).unwrap().write_all(b"x").unwrap()),
            ("shrank", |file| fs::write(file, "01234").unwrap()),
            ("shrank", |file| fs::write(file, "").unwrap()),
            ("was changed", |file| fs::write(file, "abcdefghij").unwrap()),
            ("was changed", |file| {
                // As tools do that keep the time of what they edit.
                let modified = fs::metadata(file).unwrap().modified().unwrap();
                fs::write(file, "abcdefghij").unwrap();
                File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
            }),
            ("was replaced", |file| {
                let modified = fs::metadata(file).unwrap().modified().unwrap();
                fs::write(file.with_extension("new"), "abcdefghij").unwrap();
                File::options()
                    .write(true)
                    .open(file.with_extension("new"))
                    .unwrap()
                    .set_modified(modified)
                    .unwrap();
                fs::rename(file.with_extension("new"), file).unwrap();
            }),
            ("vanished", |file| fs::remove_file(file).unwrap()),
            ("vanished", |file| {
                let dir = file.parent().unwrap();
                fs::rename(dir, dir.with_extension("gone")).unwrap();
            }),
        ];
        for (how, happens) in cases {
            let error = read_while(|file| {
                tick();
                happens(file);
            });
            let error = error.unwrap_err();
            assert!(error.to_string().ends_with(&format!("it {how} while it was read")), "{how}: {error}");
            assert_eq!(error.remedy(), Remedy::Retry, "{how}");
        }
        assert_eq!(read_while(|_| {}).unwrap(), 10);
    }

    #[test]
    fn a_file_of_this_second_is_read_when_it_is_over() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a");
        fs::write(&file, "1").unwrap();
        let mut session = LocalStore::new(temp.path()).connect().unwrap();
        let request = ReadRequest { path: RelPath::parse("a").unwrap(), size: Some(1) };
        let mut incoming = session.read(&request, None).unwrap();
        while incoming.read(&mut [0; 4]).unwrap() > 0 {}
        incoming.finish().unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "2").unwrap();
        let seconds =
            |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(seconds(fs::metadata(&file).unwrap().modified().unwrap()) > seconds(before));
    }

    #[test]
    fn a_file_that_may_not_be_read_any_more_is_read_on_and_noticed() {
        let error = read_while(|file| {
            tick();
            fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
        });
        assert!(error.unwrap_err().to_string().contains("it was changed while it was read"));
    }

    #[test]
    fn a_file_that_never_ends_is_left_where_it_should_have_ended() {
        let mut read = 0;
        let error = (|| {
            let temp = tempfile::tempdir().unwrap();
            let file = temp.path().join("log");
            fs::write(&file, "0123456789").unwrap();
            let mut session = LocalStore::new(temp.path()).connect().unwrap();
            let request = ReadRequest { path: RelPath::parse("log").unwrap(), size: Some(10) };
            let mut incoming = session.read(&request, None)?;
            let mut log = fs::OpenOptions::new().append(true).open(&file).unwrap();
            loop {
                log.write_all(b"more").unwrap();
                read += incoming.read(&mut [0; 4])?;
            }
        })();
        let error: StoreError = Result::<(), _>::unwrap_err(error);
        assert!(error.to_string().ends_with("it grew while it was read"), "{error}");
        assert_eq!(read, 8);
    }
}
