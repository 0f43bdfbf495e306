//! Whether an unknown server takes several commands at once.
//!
//! A burst of questions that change nothing, each with an answer of its own kind: a server that loses one, or answers out of
//! order as libunftp 0.20 does, shows it. What was asked for twice is answered by chance once.

use crate::ftp::command::{Command, Verb};
use crate::ftp::control::Control;
use crate::ftp::error::FtpError;
use crate::ftp::pipeline::{Window, exchange};
use crate::ftp::reply::Reply;

/// What is asked, and the codes that answer it; a code of 0 stands for any of its first two digits, `550` to `559`.
const QUESTIONS: &[(Verb, u16)] =
    &[(Verb::Size, 550), (Verb::Noop, 200), (Verb::Pwd, 257), (Verb::Size, 550), (Verb::Noop, 200)];

/// How often.
const ROUNDS: usize = 2;

/// Asks, and returns whether every answer came and fits. A server that falls silent over it has lost the session, too.
pub(crate) fn takes_bursts(control: &mut Control) -> bool {
    let questions = QUESTIONS.repeat(ROUNDS);
    let Ok(commands) = questions.iter().map(|&(verb, _)| question(verb)).collect::<Result<Vec<_>, _>>()
    else {
        return false;
    };
    let answers = exchange(control, &commands, Window::of(commands.len()));
    questions
        .iter()
        .zip(&answers)
        .all(|(&(_, code), answer)| answer.as_ref().is_ok_and(|reply| fits(reply, code)))
}

fn question(verb: Verb) -> Result<Command, FtpError> {
    use std::hash::{BuildHasher, RandomState};
    Ok(match verb {
        // Of a name that nobody has.
        Verb::Size => {
            let name = format!(".oneway-{:016x}", RandomState::new().hash_one(0));
            Command::new(verb, name.as_bytes()).expect("digits and letters can be sent")
        }
        verb => Command::bare(verb),
    })
}

/// The refusals of a file that isn't there differ in their last digit.
fn fits(reply: &Reply, code: u16) -> bool {
    reply.code() == code || (code == 550 && reply.code() / 10 == 55)
}
