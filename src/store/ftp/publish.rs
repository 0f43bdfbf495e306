//! From uploaded temporary files to the final ones: size checked, time and bits set, renamed.
//!
//! None of this needs a round trip of its own. What a file still needs is a list of commands that can go out with whatever
//! is sent next: its check with the next upload, its renaming, once the size was right, with the one after that.
//!
//! Some servers take the time they are given for their local one, so a time that was set is read back, and what it is
//! off by is made up for, for this file and all that follow. The first files are also asked about before they get a time: a server that
//! tells a file it has just got as hours away speaks of its own zone.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ftp::client::{TimeSetter, command, read_size, read_time};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::features::Features;
use crate::ftp::reply::{Class, Reply};
use crate::store::ftp::naming::{Heard, Naming, Step};
use crate::store::ftp::permit::chmod;
use crate::store::ftp::recover::Unsettled;
use crate::store::{Dating, HeldFile, ServerClock, WriteRequest, Written};

/// What is known of the times a server sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockCheck {
    /// How much later a time comes out than it was sent.
    shift: TimeDelta,
    /// A time was read back and was right.
    verified: bool,
}

/// What the commands for a file depend on.
pub(super) struct Means<'m> {
    pub(super) features: &'m Features,
    /// How times are set; `None` when they can't be.
    pub(super) setter: Option<TimeSetter>,
    pub(super) clock: ClockCheck,
    /// It is known to rename nothing onto a file that is there.
    pub(super) keeps_names: bool,
}

/// What a reply taught about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    Nothing,
    /// It doesn't have this command.
    Lacks(Verb),
    /// This is what its times are like.
    Clock(ClockCheck),
    /// It renames.
    Renames,
}

/// A command that goes out with others, for one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rider {
    file: u64,
    asks: Asks,
}

impl Rider {
    /// Returns whether both are for the same file.
    pub(super) fn is_for_the_file_of(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Size,
    FreshTime,
    SetTime(Verb),
    ReadTime,
    Bits,
    Name(Step),
    Nothing,
}

/// The files that were uploaded and don't have their final names yet, oldest first; and those that are only to be dated.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    files: VecDeque<Uploaded>,
    numbered: u64,
}

#[derive(Debug)]
struct Uploaded {
    number: u64,
    request: WriteRequest,
    temporary: Vec<u8>,
    path: Vec<u8>,
    /// Bytes sent.
    bytes: u64,
    /// When the last of them was sent; `None` where nothing is.
    sent: Option<DateTime<Utc>>,
    needs: Needs,
    naming: Naming,
    /// It has its final name.
    has_name: bool,
    /// Its size was found right.
    sized: bool,
    time_set: bool,
    /// The shift that was made up for when its time was sent.
    shift: TimeDelta,
    /// The time was already set anew once.
    corrected: bool,
    /// The time was refused for now, and is asked for once more.
    asked_again: bool,
    /// Its size could not be asked for, and is asked for once more.
    size_asked_again: bool,
}

/// What a file needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Size, time and bits.
    Check,
    /// The time once more, now that the server's zone is known.
    Correction,
    /// Its final name.
    Name,
    /// Nothing but the replies to what was sent.
    Replies,
}

/// What became of a file.
pub(super) type Published = (WriteRequest, Result<Written, FtpError>);

/// No zone is further from UTC than this, and all are off by whole quarters of an hour.
const FURTHEST_ZONE: TimeDelta = TimeDelta::hours(15);
const ZONE_STEP_SECONDS: i64 = 15 * 60;

impl Publisher {
    /// Takes a file whose `bytes` were sent to `temporary`, the last of them at `sent`; `None` where nothing is.
    pub(super) fn add(
        &mut self,
        request: WriteRequest,
        temporary: Vec<u8>,
        path: Vec<u8>,
        bytes: u64,
        sent: Option<DateTime<Utc>>,
    ) {
        // What is written in place needs no other name.
        let has_name = temporary == path;
        let naming = Naming::new(request.replaces);
        self.numbered += 1;
        let number = self.numbered;
        self.files.push_back(Uploaded {
            number,
            request,
            temporary,
            path,
            bytes,
            sent,
            needs: Needs::Check,
            naming,
            has_name,
            sized: false,
            time_set: false,
            shift: TimeDelta::zero(),
            corrected: false,
            asked_again: false,
            size_asked_again: false,
        });
    }

    /// Takes a file that is to have another time, and nothing else. `path` is where it is on the server.
    pub(super) fn add_dating(&mut self, file: &Dating, path: Vec<u8>) {
        let request = WriteRequest {
            path: file.path.clone(),
            temporary: file.path.clone(),
            size: None,
            mtime: Some(file.mtime),
            mode: None,
            replaces: true,
            held: false,
        };
        self.add(request, path.clone(), path, 0, None);
    }

    /// Says of the file added last that its size was found right, and whether its old one may have stepped aside on another session.
    pub(super) fn take_up(&mut self, swapping: bool) {
        let file = self.files.back_mut().expect("one was just added");
        file.sized = true;
        if swapping {
            file.naming.expect_aside();
        }
    }

    /// Returns the file for which it is to be found out whether the server renames onto files.
    pub(super) fn waiting(&self) -> Option<&WriteRequest> {
        self.files.iter().find(|file| file.naming.waits()).map(|file| &file.request)
    }

    /// Goes on with the files that waited for that. Returns those that get no name.
    pub(super) fn go_on(&mut self, keeps_names: bool) -> Vec<Published> {
        let mut failed = Vec::new();
        for mut file in std::mem::take(&mut self.files) {
            match if file.naming.waits() { file.naming.go_on(keeps_names) } else { Ok(()) } {
                Ok(()) => self.files.push_back(file),
                Err(e) => failed.push((file.request, Err(e))),
            }
        }
        failed
    }

    /// Returns, of the files under temporary names, how far they are.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (&WriteRequest, Unsettled)> {
        let files = self.files.iter().filter(|file| !file.has_name);
        files.map(|file| {
            let unsettled = Unsettled {
                bytes: file.bytes,
                time_set: file.time_set,
                naming: file.naming.has_begun(),
                swapping: file.naming.may_have_moved(),
            };
            (&file.request, unsettled)
        })
    }

    /// Takes a file that was checked before, and needs nothing but its final name.
    pub(super) fn add_checked(&mut self, file: &HeldFile, temporary: Vec<u8>, path: Vec<u8>) {
        let request = WriteRequest {
            path: file.path.clone(),
            temporary: file.temporary.clone(),
            size: Some(file.bytes),
            mtime: None,
            mode: None,
            // Nobody knows any more whether there was one.
            replaces: true,
            held: false,
        };
        self.add(request, temporary, path, file.bytes, None);
        self.files.back_mut().expect("it was just added").needs = Needs::Name;
    }

    /// Takes back the file added last: its upload failed after all. Replies to its riders are not listened to.
    pub(super) fn forget_last(&mut self) -> Option<WriteRequest> {
        self.files.pop_back().map(|file| file.request)
    }

    /// Gives all files up, for the session is lost by that `cause`.
    pub(super) fn give_up(&mut self, cause: impl Fn() -> FtpError) -> Vec<Published> {
        self.files.drain(..).map(|file| (file.request, Err(cause()))).collect()
    }

    /// Returns what can be asked by now. The replies are to be handed to [`Publisher::hear`] in this order.
    ///
    /// # Errors
    /// [`FtpError::Argument`] when a path can't be sent, which is looked at before the upload.
    pub(super) fn riders(&mut self, means: &Means<'_>) -> Result<Vec<(Command, Rider)>, FtpError> {
        let mut riders = Vec::new();
        for file in &mut self.files {
            let mut ask = |command, asks| riders.push((command, Rider { file: file.number, asks }));
            match std::mem::replace(&mut file.needs, Needs::Replies) {
                Needs::Check => {
                    file.shift = means.clock.shift;
                    let asks_size = !file.sized && (!file.has_name || file.sent.is_some());
                    if asks_size && means.features.may(Verb::Size) {
                        ask(command(Verb::Size, file.temporary.as_slice())?, Asks::Size);
                    }
                    for (command, asks) in time_commands(file, means, false)? {
                        ask(command, asks);
                    }
                    if let Some(mode) = file.request.mode
                        && means.features.may(Verb::Site)
                    {
                        ask(chmod(&file.temporary, mode)?, Asks::Bits);
                    }
                    // The last of them tells that the file is checked.
                    match riders.last_mut() {
                        Some((_, rider)) if rider.file == file.number => {}
                        // What nothing can be asked about is decided by the reply to nothing.
                        _ if file.request.held => {
                            riders.push((
                                Command::bare(Verb::Noop),
                                Rider { file: file.number, asks: Asks::Nothing },
                            ));
                        }
                        _ => file.needs = Needs::Name,
                    }
                }
                Needs::Correction => {
                    file.shift = means.clock.shift;
                    for (command, asks) in time_commands(file, means, true)? {
                        ask(command, asks);
                    }
                }
                // Until it is known what the server does.
                Needs::Name if file.naming.waits() => file.needs = Needs::Name,
                Needs::Name => {
                    let Uploaded { naming, temporary, path, .. } = file;
                    for (command, step) in
                        naming.commands(temporary, path, means.keeps_names, means.features)?
                    {
                        riders.push((command, Rider { file: file.number, asks: Asks::Name(step) }));
                    }
                }
                Needs::Replies => {}
            }
        }
        Ok(riders)
    }

    /// Takes the reply to a rider. `last` says that it is the last one of those that were sent together for its file. Returns
    /// what became of the file, if that is decided by it.
    pub(super) fn hear(
        &mut self,
        rider: Rider,
        last: bool,
        reply: Reply,
        clock: ClockCheck,
        server: &ServerClock,
    ) -> (Lesson, Option<Published>) {
        let Some(place) = self.files.iter().position(|file| file.number == rider.file) else {
            return (Lesson::Nothing, None);
        };
        let file = &mut self.files[place];
        let mut lesson = Lesson::Nothing;
        let verdict = match rider.asks {
            // A server that answers so by accident would get no file checked any more.
            Asks::Size if is_unsupported(&reply) && !file.size_asked_again => {
                file.size_asked_again = true;
                file.needs = Needs::Check;
                None
            }
            Asks::Size if is_unsupported(&reply) => {
                lesson = Lesson::Lacks(Verb::Size);
                None
            }
            Asks::Size => match read_size(reply) {
                Ok(stored) if stored == file.bytes => None,
                Ok(stored) => Some(Err(FtpError::Size { expected: file.bytes, got: stored })),
                Err(e) => Some(Err(e)),
            },
            // Neither time nor bits are worth failing a file that is whole.
            Asks::SetTime(verb) if is_unsupported(&reply) => {
                lesson = Lesson::Lacks(verb);
                None
            }
            Asks::SetTime(_) => {
                file.time_set = reply.is_ok();
                // What a server doesn't take is remembered, and never asked of it again; what it can't do just now is another thing.
                if reply.class() == Class::Transient && !file.asked_again && file.needs == Needs::Replies {
                    file.asked_again = true;
                    file.needs = Needs::Correction;
                }
                None
            }
            Asks::FreshTime => {
                if let (Ok(told), Some(sent)) = (read_time(reply), file.sent) {
                    server.saw_fresh(told, sent);
                }
                None
            }
            Asks::ReadTime => {
                lesson = file.weigh_time(reply, clock, server);
                None
            }
            Asks::Bits => {
                if is_unsupported(&reply) {
                    lesson = Lesson::Lacks(Verb::Site);
                }
                None
            }
            Asks::Name(step) => match file.naming.hear(step, last, &file.path, reply) {
                Heard::More => None,
                Heard::Named => {
                    lesson = Lesson::Renames;
                    Some(Ok(Written { bytes: file.bytes, time_set: file.time_set }))
                }
                Heard::Failed(e) => Some(Err(e)),
            },
            Asks::Nothing => None,
        };
        let is_through = last && verdict.is_none() && file.needs == Needs::Replies;
        let verdict = match verdict {
            None if is_through && (file.has_name || file.request.held) => {
                Some(Ok(Written { bytes: file.bytes, time_set: file.time_set }))
            }
            verdict => verdict,
        };
        if is_through {
            file.needs = Needs::Name;
        }
        let published =
            verdict.and_then(|verdict| self.files.remove(place).map(|file| (file.request, verdict)));
        (lesson, published)
    }
}

/// Returns the command that sets the time of a file, and the one that reads it back where that isn't known to be right.
fn time_commands(
    file: &Uploaded,
    means: &Means<'_>,
    correcting: bool,
) -> Result<Vec<(Command, Asks)>, FtpError> {
    let (Some(setter), Some(mtime)) = (means.setter, file.request.mtime) else { return Ok(Vec::new()) };
    let at = whole(mtime.at) - means.clock.shift;
    let mut commands = Vec::new();
    let reads = means.features.may(Verb::Mdtm);
    if reads && file.sent.is_some() && !means.clock.verified && !correcting {
        commands.push((command(Verb::Mdtm, file.temporary.as_slice())?, Asks::FreshTime));
    }
    commands.push((setter.command(&file.temporary, at)?, Asks::SetTime(setter.verb())));
    // What MDTM sets was seen to depend on the time of year, so each of its times is looked at.
    let doubtful = !means.clock.verified || setter == TimeSetter::Mdtm || correcting;
    if doubtful && reads {
        commands.push((command(Verb::Mdtm, file.temporary.as_slice())?, Asks::ReadTime));
    }
    Ok(commands)
}

impl Uploaded {
    /// Compares the time that was read back with the one the file should have. Where it is off by a zone, it is to be set once
    /// more.
    fn weigh_time(&mut self, reply: Reply, clock: ClockCheck, server: &ServerClock) -> Lesson {
        let (true, Some(mtime), Ok(read)) = (self.time_set, self.request.mtime, read_time(reply)) else {
            return Lesson::Nothing;
        };
        let off = whole(server.read_exact(read).at) - whole(mtime.at);
        if off.is_zero() {
            return Lesson::Clock(ClockCheck { verified: true, ..clock });
        }
        self.time_set = false;
        let is_zone = off.abs() <= FURTHEST_ZONE && off.num_seconds() % ZONE_STEP_SECONDS == 0;
        if !is_zone || self.corrected {
            return Lesson::Nothing;
        }
        self.corrected = true;
        // What is checked once more gets its time once more, too.
        if self.needs == Needs::Replies {
            self.needs = Needs::Correction;
        }
        // Others may have taught the same since this time was sent.
        Lesson::Clock(ClockCheck { shift: self.shift + off, verified: true })
    }
}

/// Servers keep whole seconds.
fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
