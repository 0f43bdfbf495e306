//! What to do about a failure, chosen where its cause is known and obeyed in one place.

/// The way on after a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// The same again on the same session, after a pause.
    Retry,
    /// The same again on the same session, for longer than other things: the server has run out of something that comes back
    /// within a minute or two.
    Wait,
    /// The same again on a new session: this one is lost or can't be trusted any more.
    Reconnect,
    /// The server allows no more sessions, or none in place of a lost one: go on with those there are.
    Shrink,
    /// This item can't be done and the rest can.
    Skip,
    /// Nothing can be done: wrong password, disk full, told to stop.
    Abort,
}
