//! How an uploaded file gets its final name, on servers of either kind.
//!
//! Most servers rename onto a file that is there. Others refuse that (IIS and FileZilla Server, by the rules of Windows): there, the old
//! file steps aside, the new one takes the name, and the old one is removed. All four commands of a swap leave together, so that the
//! name is missing for no longer than the server needs; the removal only leaves when the new file is known to be there. Where
//! the new one doesn't get the name after all, the old one gets it back.
//!
//! A 550 to RNTO may mean anything. So the server is asked what is there, since only a file steps aside; and it is found out, once for
//! each host, whether it renames one of our own files onto another. A server that does so refuses that name for a reason of its own, and
//! might not give it back to the old file, either.

use chrono::DateTime;

use crate::ftp::client::{command, read_facts};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::features::Features;
use crate::ftp::reply::{Class, Reply};
use crate::model::{Kind, Remedy, aside_for};

/// Where a file is on the way to its name.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// `None` before anything was asked.
    way: Option<Way>,
    /// A file of that name was listed before the upload.
    replaces: bool,
    /// The server took RNFR for the old file.
    announced: bool,
    /// The old file didn't step aside.
    stays: bool,
    /// The old file stepped aside.
    moved: bool,
    /// Something may be there under the name of the old file that stepped aside.
    aside_is_there: bool,
    /// What was there under that name is removed.
    cleared: bool,
    /// The new file was not announced, so that whatever came of RNTO is of another file.
    unannounced: bool,
    named: bool,
    /// What is there under the final name.
    seen: Seen,
    /// Why it has no name yet.
    refusal: Option<FtpError>,
}

/// What is tried at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Onto whatever is there.
    Plain,
    /// To find out what that is.
    Look,
    /// Nothing, until somebody found out what the server does with files of ours.
    Wait,
    /// In the place of the old file, which steps aside.
    Swap,
    /// To remove an older file that stepped aside once.
    Clear,
    /// To give the old file its name back.
    Back,
    /// To remove the old file.
    Remove,
}

/// What one command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    From,
    To,
    OldFrom,
    OldTo,
    Facts,
    Size,
    Dir,
    BackTo,
    /// Its reply doesn't matter.
    Rest,
}

/// What a reply came to.
#[derive(Debug)]
pub(super) enum Heard {
    /// There is more to hear, or to ask.
    More,
    /// The file has its name.
    Named,
    Failed(FtpError),
}

/// What was seen under the final name.
#[derive(Debug, Default)]
struct Seen {
    /// By MLST.
    kind: Option<Kind>,
    /// By SIZE; `None` where there is none.
    has_size: Option<bool>,
    is_dir: bool,
}

impl Naming {
    pub(super) fn new(replaces: bool) -> Self {
        Self { replaces, ..Self::default() }
    }

    /// Says that an old file may have stepped aside on another session.
    pub(super) fn expect_aside(&mut self) {
        self.aside_is_there = true;
    }

    /// Returns whether anything was asked.
    pub(super) fn has_begun(&self) -> bool {
        self.way.is_some()
    }

    /// Returns whether the old file may be there under another name.
    pub(super) fn may_have_moved(&self) -> bool {
        self.aside_is_there || self.way == Some(Way::Swap)
    }

    /// Returns whether it is to be found out first whether the server renames onto files.
    pub(super) fn waits(&self) -> bool {
        self.way == Some(Way::Wait)
    }

    /// Goes on, now that this is known.
    ///
    /// # Errors
    /// The refusal of the name, which was for another reason.
    pub(super) fn go_on(&mut self, keeps_names: bool) -> Result<(), FtpError> {
        if keeps_names {
            self.way = Some(Way::Swap);
            return Ok(());
        }
        Err(self.refusal())
    }

    /// Returns what is to be sent next, to name the file at `temporary` as `path`. `keeps_names` says that the server is known to
    /// rename onto no file.
    ///
    /// # Errors
    /// When a path can't be sent.
    pub(super) fn commands(
        &mut self,
        temporary: &[u8],
        path: &[u8],
        keeps_names: bool,
        features: &Features,
    ) -> Result<Vec<(Command, Step)>, FtpError> {
        let first = if keeps_names && self.replaces { Way::Swap } else { Way::Plain };
        let way = *self.way.get_or_insert(first);
        let aside = aside_of(path);
        let new = [(command(Verb::Rnfr, temporary)?, Step::From), (command(Verb::Rnto, path)?, Step::To)];
        Ok(match way {
            Way::Plain => new.into(),
            Way::Wait => Vec::new(),
            Way::Look => {
                self.seen = Seen::default();
                let mut questions = Vec::new();
                if features.has_mlsd() && features.may(Verb::Mlst) {
                    questions.push((command(Verb::Mlst, path)?, Step::Facts));
                }
                if features.may(Verb::Size) {
                    questions.push((command(Verb::Size, path)?, Step::Size));
                }
                questions.push((command(Verb::Cwd, path)?, Step::Dir));
                questions
            }
            Way::Swap => {
                (self.announced, self.stays, self.unannounced) = (false, false, false);
                let old =
                    [(command(Verb::Rnfr, path)?, Step::OldFrom), (command(Verb::Rnto, aside)?, Step::OldTo)];
                old.into_iter().chain(new).collect()
            }
            Way::Clear | Way::Remove => vec![(command(Verb::Dele, aside)?, Step::Rest)],
            Way::Back => {
                vec![(command(Verb::Rnfr, aside)?, Step::Rest), (command(Verb::Rnto, path)?, Step::BackTo)]
            }
        })
    }

    /// Takes a reply; `last` says that it is the last one of those that were sent together.
    pub(super) fn hear(&mut self, step: Step, last: bool, path: &[u8], reply: Reply) -> Heard {
        let is_taken = reply.class() == Class::Intermediate || reply.is_ok();
        match step {
            Step::From if is_taken => {}
            Step::From => {
                self.unannounced = true;
                self.refuse(FtpError::refused(Verb::Rnfr, reply));
            }
            Step::To if self.unannounced => {}
            Step::To if reply.is_ok() => self.named = true,
            Step::To => self.refuse(FtpError::refused(Verb::Rnto, reply)),
            Step::OldFrom => self.announced = is_taken,
            Step::OldTo => {
                self.moved |= self.announced && reply.is_ok();
                self.stays = self.announced && !reply.is_ok();
                self.aside_is_there |= self.moved;
            }
            Step::Facts => {
                self.seen.kind = read_facts(&reply, DateTime::UNIX_EPOCH).map(|listed| listed.kind);
            }
            Step::Size if is_unsupported(&reply) => {}
            Step::Size => self.seen.has_size = Some(reply.is_ok()),
            Step::Dir => self.seen.is_dir = reply.class() != Class::Permanent,
            Step::BackTo => self.aside_is_there = !reply.is_ok(),
            Step::Rest => {}
        }
        if last { self.decide(path) } else { Heard::More }
    }

    /// Goes on when all was heard.
    fn decide(&mut self, path: &[u8]) -> Heard {
        let next = match self.way.unwrap_or(Way::Plain) {
            Way::Plain | Way::Swap if self.named => {
                if !self.aside_is_there {
                    return Heard::Named;
                }
                Way::Remove
            }
            Way::Plain if self.may_be_about_the_old() => Way::Look,
            // Before anything is removed, it is looked whether the old file truly has its name.
            Way::Swap if self.stays && !self.cleared => Way::Look,
            Way::Look if self.is_file_there() && self.stays => Way::Clear,
            Way::Look if self.is_file_there() => Way::Wait,
            Way::Plain | Way::Look | Way::Swap if self.aside_is_there => Way::Back,
            Way::Clear => {
                self.cleared = true;
                self.aside_is_there = false;
                Way::Swap
            }
            Way::Remove => return Heard::Named,
            Way::Back if self.aside_is_there => {
                let cause = Box::new(self.refusal());
                return Heard::Failed(FtpError::Aside { aside: name_of(&aside_of(path)).to_vec(), cause });
            }
            Way::Plain | Way::Look | Way::Wait | Way::Swap | Way::Back => {
                return Heard::Failed(self.refusal());
            }
        };
        self.way = Some(next);
        Heard::More
    }

    /// Takes why there is no name yet. The first refusal says most, unless the old file isn't in the way any more.
    fn refuse(&mut self, why: FtpError) {
        if self.moved || self.refusal.is_none() {
            self.refusal = Some(why);
        }
    }

    fn refusal(&mut self) -> FtpError {
        self.refusal.take().unwrap_or(FtpError::Closed)
    }

    /// Returns whether a refusal may be one of what is there under the final name.
    fn may_be_about_the_old(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| {
            refusal.is_refusal_of(Verb::Rnto)
                && refusal.remedy() == Remedy::Skip
                && refusal.reply().is_some_and(|reply| !is_unsupported(reply))
        })
    }

    /// Returns whether a file is there under the final name. Some servers tell the SIZE of a directory, too; one that tells no sizes has
    /// listed the file before.
    fn is_file_there(&self) -> bool {
        match self.seen.kind {
            Some(kind) => kind == Kind::File,
            None => !self.seen.is_dir && self.seen.has_size.unwrap_or(self.replaces),
        }
    }
}

/// Returns where the file at `path` steps aside to.
pub(super) fn aside_of(path: &[u8]) -> Vec<u8> {
    let name = name_of(path);
    [&path[..path.len() - name.len()], &aside_for(name)].concat()
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names a file on a server that answers by `answer`, and returns what was sent and how it ended.
    fn dialogue(
        replaces: bool,
        keeps_names: bool,
        answer: impl Fn(&str) -> (u16, &'static str),
    ) -> (Vec<String>, String) {
        let (mut naming, mut sent) = (Naming::new(replaces), Vec::new());
        let features = Features::default();
        for _ in 0..20 {
            if naming.waits() {
                naming.go_on(true).unwrap();
            }
            let commands = naming.commands(b"/t", b"/f", keeps_names, &features).unwrap();
            let count = commands.len();
            for (i, (command, step)) in commands.into_iter().enumerate() {
                let line = command.to_string();
                let (code, text) = answer(&line);
                sent.push(line);
                match naming.hear(step, i + 1 == count, b"/f", Reply::new(code, text)) {
                    Heard::More => {}
                    Heard::Named => return (sent, "named".into()),
                    Heard::Failed(e) => return (sent, e.to_string()),
                }
            }
        }
        panic!("no end: {sent:?}");
    }

    const ASIDE: &str = "/.oneway-old-of-f.part";

    #[test]
    fn where_renaming_onto_a_file_works_nothing_else_is_sent() {
        let (sent, end) =
            dialogue(true, false, |line| if line.starts_with("RNFR") { (350, "go on") } else { (250, "ok") });
        assert_eq!((sent.join(" · ").as_str(), end.as_str()), ("RNFR /t · RNTO /f", "named"));
    }

    #[test]
    fn a_refusal_makes_one_look_and_only_a_file_steps_aside() {
        let server = |there: &'static str| {
            move |line: &str| match line {
                "RNTO /f" => (550, "no"),
                "SIZE /f" if there == "file" || there == "dir with a size" => (213, "4"),
                "CWD /f" if there.starts_with("dir") => (250, "in"),
                _ if line.starts_with("RNFR") => (350, "go on"),
                _ if line.starts_with("RNTO") => (250, "ok"),
                _ => (550, "no"),
            }
        };
        for there in ["dir", "dir with a size", "nothing"] {
            let (sent, end) = dialogue(true, false, server(there));
            assert_eq!(sent.join(" · "), "RNFR /t · RNTO /f · SIZE /f · CWD /f", "{there}");
            assert!(end.contains("RNTO was answered `550 no`"), "{end}");
        }
        // The new file doesn't get the name even then, so the old one gets it back, which this server doesn't do, either.
        let (sent, end) = dialogue(true, false, server("file"));
        let swap = format!("RNFR /f · RNTO {ASIDE} · RNFR /t · RNTO /f · RNFR {ASIDE} · RNTO /f");
        assert_eq!(sent[4..].join(" · "), swap);
        assert!(end.contains("550 no") && end.contains(".oneway-old-of-f.part"), "{end}");
    }

    #[test]
    fn a_server_that_is_known_for_it_is_not_asked_again_and_a_stale_file_gives_way() {
        let (sent, end) =
            dialogue(true, true, |line| if line.starts_with("RNFR") { (350, "go on") } else { (250, "ok") });
        let swap = format!("RNFR /f · RNTO {ASIDE} · RNFR /t · RNTO /f · DELE {ASIDE}");
        assert_eq!((sent.join(" · "), end.as_str()), (swap.clone(), "named"));
        let refused = std::cell::Cell::new(0);
        let (sent, end) = dialogue(true, true, |line| match line {
            _ if line.starts_with("RNFR") => (350, "go on"),
            _ if line.starts_with("RNTO") && refused.get() < 2 => {
                refused.set(refused.get() + 1);
                (550, "exists")
            }
            "CWD /f" => (550, "a file"),
            _ => (250, "ok"),
        });
        let cleared =
            format!("RNFR /f · RNTO {ASIDE} · RNFR /t · RNTO /f · SIZE /f · CWD /f · DELE {ASIDE} · {swap}");
        assert_eq!((sent.join(" · "), end.as_str()), (cleared, "named"));
    }

    #[test]
    fn whatever_a_server_answers_it_ends_and_an_old_file_is_only_removed_behind_a_named_one() {
        let codes = [250, 350, 450, 550];
        // Eight replies decide all there is to decide; what follows is answered like the last of them.
        for case in 0..codes.len().pow(8) {
            let at = std::cell::Cell::new(0_u32);
            let log = std::cell::RefCell::new(Vec::new());
            let (_, end) = dialogue(true, case % 2 == 0, |line| {
                let code = codes[case / codes.len().pow(at.get().min(7)) % codes.len()];
                at.set(at.get() + 1);
                log.borrow_mut().push((line.to_owned(), code));
                (code, "told")
            });
            // What is removed is either behind the new file that has its name, or in the way of an old one that has it.
            let log = log.into_inner();
            for (i, (line, _)) in log.iter().enumerate() {
                if line.starts_with("DELE") {
                    let before = |line: &str| {
                        log[..i].iter().rev().find(|(sent, _)| sent == line).map(|(_, code)| *code)
                    };
                    let is_named = before("RNTO /f") == Some(250);
                    let stays = before("RNFR /f").is_some_and(|code| code < 400)
                        && before(&format!("RNTO {ASIDE}")) != Some(250);
                    assert!(is_named || stays, "{log:?} {end}");
                }
            }
        }
    }
}
