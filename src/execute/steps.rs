//! In which order a plan's phases are done.
//!
//! Usually one after the other. Where updates are delayed, all files are sent under temporary names first, which changes nothing
//! that anybody sees but for new directories; then comes, in one go, what does. A file that gives way to a directory has to be
//! gone before anything is sent to below it, so that and what is below it comes then, too.

use crate::execute::Updates;
use crate::plan::Phase;

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A phase is done.
    Do(Phase, Share),
    /// The files of a phase are sent and keep their temporary names.
    Send(Phase),
    /// Those files get their final names.
    Publish(Phase),
}

/// Which actions of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    All,
    /// Those that don't have to wait.
    Aside,
    /// Those below a directory that takes the place of a file.
    Waiting,
}

impl Step {
    /// Returns why it isn't done once anything has failed; `None` where it is done all the same.
    pub(super) fn unless_failed(self) -> Option<&'static str> {
        match self {
            Self::Do(phase, _) if phase >= Phase::Last => Some("not done, since something before it failed"),
            Self::Publish(Phase::Files) => Some(
                "nothing got its new name, since something before that failed: all files are as they were",
            ),
            Self::Publish(_) => Some("not done, since something before it failed"),
            Self::Do(..) | Self::Send(_) => None,
        }
    }
}

/// Returns the steps in their order.
pub(super) fn steps(updates: Updates) -> &'static [Step] {
    match updates {
        Updates::Each => USUAL,
        Updates::Together => DELAYED,
        Updates::Later => SENDING,
    }
}

const USUAL: &[Step] = &[
    Step::Do(Phase::Room, Share::All),
    Step::Do(Phase::Folders, Share::All),
    Step::Do(Phase::Renames, Share::All),
    Step::Do(Phase::Times, Share::All),
    Step::Do(Phase::Files, Share::All),
    Step::Do(Phase::Last, Share::All),
    Step::Do(Phase::Deletions, Share::All),
    Step::Do(Phase::Removals, Share::All),
    Step::Do(Phase::Late, Share::All),
    Step::Do(Phase::Permissions, Share::All),
];

const DELAYED: &[Step] = &[
    Step::Do(Phase::Folders, Share::Aside),
    Step::Send(Phase::Files),
    Step::Send(Phase::Last),
    Step::Publish(Phase::Files),
    Step::Do(Phase::Renames, Share::Aside),
    Step::Do(Phase::Times, Share::All),
    Step::Do(Phase::Room, Share::All),
    Step::Do(Phase::Folders, Share::Waiting),
    Step::Do(Phase::Renames, Share::Waiting),
    Step::Do(Phase::Files, Share::Waiting),
    Step::Publish(Phase::Last),
    Step::Do(Phase::Last, Share::All),
    Step::Do(Phase::Deletions, Share::All),
    Step::Do(Phase::Removals, Share::All),
    Step::Do(Phase::Late, Share::All),
    Step::Do(Phase::Permissions, Share::All),
];

/// What comes after that is somebody else's to do.
const SENDING: &[Step] = &[Step::Send(Phase::Files), Step::Send(Phase::Last)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_done_whole_in_either_order() {
        for updates in [Updates::Each, Updates::Together] {
            let steps = steps(updates);
            for &phase in Phase::ALL {
                let covers = |share| steps.contains(&Step::Do(phase, share));
                let aside = covers(Share::Aside)
                    || steps.contains(&Step::Send(phase)) && steps.contains(&Step::Publish(phase));
                assert!(covers(Share::All) || aside && covers(Share::Waiting), "{phase:?} {updates:?}");
            }
        }
    }

    #[test]
    fn delayed_nothing_that_is_there_changes_before_all_files_are() {
        let sent = DELAYED.iter().rposition(|step| matches!(step, Step::Send(_))).unwrap();
        for step in &DELAYED[..=sent] {
            let is_unseen = matches!(step, Step::Send(_) | Step::Do(Phase::Folders, Share::Aside));
            assert!(is_unseen, "{step:?}");
        }
    }
}
