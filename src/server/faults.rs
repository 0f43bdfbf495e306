//! Faults on demand, for tests of clients: a server that loses connections, falls silent, lies or runs out of room where it is told to.
//!
//! Without [`ServeOptions::faults`](crate::server::ServeOptions::faults) none of this is asked. Commands and data connections are counted over
//! all sessions, in the order in which they come to the server; with one session, the same schedule does the same each time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ftp::command::Verb;

/// What goes wrong, and when.
///
/// ```
/// use oneway::ftp::command::Verb;
/// use oneway::server::{CommandFault, DataFault, Faults};
///
/// let faults = Faults::default()
///     .on_verb(Verb::Stor, 2, CommandFault::LoseReply)
///     .on_data(3, DataFault::Cut { after: 1000 })
///     .with_disk(1 << 20, 452);
/// assert!(faults.pending() == 2);
/// ```
#[derive(Debug, Default)]
pub struct Faults {
    /// More control sessions than this at once are refused with that code.
    sessions: Option<(usize, u16)>,
    /// Of all connections, each so many-th is cut.
    one_in: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    commands: Vec<(Option<Verb>, u64, CommandFault)>,
    data: Vec<(u64, DataFault)>,
    /// Bytes that uploads may still take, and the code of the refusal after that; `None` for any number.
    disk: Option<(u64, u16)>,
    counted: Vec<(Verb, u64)>,
    commands_seen: u64,
    data_seen: u64,
    connections: u64,
    sessions_now: usize,
}

/// What goes wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// The control connection is cut, and the command is not obeyed.
    Cut,
    /// It is obeyed, and the control connection is cut before the final reply: of an upload, the file is there.
    LoseReply,
    /// It is answered 421, and the session is over.
    Close,
    /// It is answered so, and not obeyed.
    Refuse(u16),
    /// It is obeyed after a silence.
    Stall(Duration),
    /// It is obeyed, and answered after a silence.
    AnswerLate(Duration),
}

/// What goes wrong with a data connection. Bytes are those of the file or listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFault {
    /// It is ended after so many bytes, and the server says so (426).
    Cut {
        /// Bytes that go by.
        after: u64,
    },
    /// As `Cut`, by a reset.
    Reset {
        /// Bytes that go by.
        after: u64,
    },
    /// It is cut together with the control connection.
    CutBoth {
        /// Bytes that go by.
        after: u64,
    },
    /// It stands still for a while.
    Stall {
        /// Bytes that go by before.
        after: u64,
        /// How long.
        pause: Duration,
    },
    /// The rest is missing, at the client or on the disk, and 226 is said all the same. A listing never ends so at the end of a line, since
    /// nobody could tell it from a whole one.
    Short {
        /// Bytes that go by.
        after: u64,
    },
    /// Few bytes go at once.
    Drip {
        /// How many.
        bytes: u64,
        /// The pause after them.
        pause: Duration,
    },
}

impl Faults {
    /// Adds what happens at the command of this number, counted from 1 over all sessions.
    #[must_use]
    pub fn on_command(self, number: u64, fault: CommandFault) -> Self {
        self.lock().commands.push((None, number, fault));
        self
    }

    /// Adds what happens at the so many-th command of this verb, counted from 1 over all sessions.
    #[must_use]
    pub fn on_verb(self, verb: Verb, number: u64, fault: CommandFault) -> Self {
        self.lock().commands.push((Some(verb), number, fault));
        self
    }

    /// Adds what happens on the data connection of this number, counted from 1 over all sessions.
    #[must_use]
    pub fn on_data(self, number: u64, fault: DataFault) -> Self {
        self.lock().data.push((number, fault));
        self
    }

    /// Refuses more than `most` sessions at once: 421 to their connection, any other code to their password.
    #[must_use]
    pub fn with_sessions(self, most: usize, code: u16) -> Self {
        Self { sessions: Some((most, code)), ..self }
    }

    /// Takes no more than `bytes` of uploads in all, and refuses the rest with `code`: 452 for a full disk, else 552.
    #[must_use]
    pub fn with_disk(self, bytes: u64, code: u16) -> Self {
        self.lock().disk = Some((bytes, code));
        self
    }

    /// Cuts each `number`-th connection: a control connection as it logs in, a data connection in its middle.
    #[must_use]
    pub fn cutting_one_in(self, number: u64) -> Self {
        Self { one_in: Some(number.max(1)), ..self }
    }

    /// Takes back what has not happened yet. What limits sessions or room stays.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.commands.clear();
        state.data.clear();
    }

    /// Returns how much of the schedule has not happened yet.
    pub fn pending(&self) -> usize {
        let state = self.lock();
        state.commands.len() + state.data.len()
    }

    /// Counts a session in; returns the code it is to be refused with.
    pub(super) fn begin_session(&self) -> Option<u16> {
        let mut state = self.lock();
        state.sessions_now += 1;
        self.sessions.filter(|(most, _)| state.sessions_now > *most).map(|(_, code)| code)
    }

    pub(super) fn end_session(&self) {
        self.lock().sessions_now -= 1;
    }

    /// Counts a command; returns what goes wrong with it.
    pub(super) fn command(&self, verb: Verb) -> Option<CommandFault> {
        let mut state = self.lock();
        state.commands_seen += 1;
        let of_all = state.commands_seen;
        let place = state.counted.iter().position(|(counted, _)| *counted == verb).unwrap_or_else(|| {
            state.counted.push((verb, 0));
            state.counted.len() - 1
        });
        state.counted[place].1 += 1;
        let of_verb = state.counted[place].1;
        let is_due = |(wanted, number, _): &(Option<Verb>, u64, CommandFault)| match wanted {
            None => *number == of_all,
            Some(wanted) => *wanted == verb && *number == of_verb,
        };
        if let Some(place) = state.commands.iter().position(is_due) {
            return Some(state.commands.remove(place).2);
        }
        (verb == Verb::User && self.is_unlucky(&mut state)).then_some(CommandFault::Cut)
    }

    /// Counts a data connection; returns what goes wrong with it.
    pub(super) fn data(&self) -> Option<DataFault> {
        let mut state = self.lock();
        state.data_seen += 1;
        let number = state.data_seen;
        if let Some(place) = state.data.iter().position(|(wanted, _)| *wanted == number) {
            return Some(state.data.remove(place).1);
        }
        self.is_unlucky(&mut state).then_some(DataFault::Reset { after: 50 })
    }

    /// Returns how many of these bytes the disk takes; the code of the refusal when it takes none.
    pub(super) fn room_for(&self, bytes: usize) -> Result<usize, u16> {
        let mut state = self.lock();
        let Some((left, code)) = &mut state.disk else { return Ok(bytes) };
        let takes = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes);
        if takes == 0 && bytes > 0 {
            return Err(*code);
        }
        *left -= takes as u64;
        Ok(takes)
    }

    fn is_unlucky(&self, state: &mut State) -> bool {
        state.connections += 1;
        self.one_in.is_some_and(|number| state.connections.is_multiple_of(number))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DataFault {
    /// Returns how many bytes may go by before it happens, when `gone` have.
    pub(super) fn distance(self, gone: u64) -> u64 {
        match self {
            Self::Cut { after } | Self::Reset { after } | Self::CutBoth { after } => after,
            Self::Stall { after, .. } | Self::Short { after } => after,
            Self::Drip { bytes, .. } => gone + bytes.max(1) - gone % bytes.max(1),
        }
        .saturating_sub(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_happens_once_where_it_is_due() {
        let faults = Faults::default()
            .on_command(2, CommandFault::Close)
            .on_verb(Verb::Stor, 2, CommandFault::Cut)
            .on_data(2, DataFault::Short { after: 3 });
        let told = [Verb::Stor, Verb::Noop, Verb::Stor, Verb::Stor].map(|verb| faults.command(verb));
        assert_eq!(told, [None, Some(CommandFault::Close), Some(CommandFault::Cut), None]);
        assert_eq!(faults.pending(), 1);
        assert_eq!([faults.data(), faults.data()], [None, Some(DataFault::Short { after: 3 })]);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn the_disk_takes_what_it_has_room_for() {
        let faults = Faults::default().with_disk(5, 552);
        assert_eq!([faults.room_for(3), faults.room_for(3), faults.room_for(3)], [Ok(3), Ok(2), Err(552)]);
    }

    #[test]
    fn sessions_beyond_the_limit_are_refused_while_the_others_last() {
        let faults = Faults::default().with_sessions(1, 530);
        assert_eq!([faults.begin_session(), faults.begin_session()], [None, Some(530)]);
        faults.end_session();
        faults.end_session();
        assert_eq!(faults.begin_session(), None);
    }

    #[test]
    fn one_connection_in_so_many_is_cut() {
        let faults = Faults::default().cutting_one_in(3);
        let told = [(); 6].map(|()| faults.data().is_some());
        assert_eq!(told, [false, false, true, false, false, true]);
        assert_eq!(Faults::default().data(), None);
    }

    #[test]
    fn a_dripping_connection_pauses_again_and_again() {
        let drip = DataFault::Drip { bytes: 4, pause: Duration::ZERO };
        assert_eq!([0, 3, 4, 9].map(|gone| drip.distance(gone)), [4, 1, 4, 3]);
    }
}
