//! From a fresh connection to a session that can work: greeting, USER and PASS, and the questions that follow.

use crate::ftp::client::ClientOptions;
use crate::ftp::command::{Command, Verb};
use crate::ftp::control::Control;
use crate::ftp::error::FtpError;
use crate::ftp::features::Features;
use crate::ftp::host::HostNotes;
use crate::ftp::pipeline::{Window, exchange};
use crate::ftp::probe::takes_bursts;
use crate::ftp::quirks::{self, Quirks};
use crate::ftp::reply::{Class, Reply};
use crate::ftp::tls::TlsStart;
use crate::model::Secret;

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: Vec<u8>,
    /// Password.
    pub password: Secret,
    /// Account, where the server asks for one (RFC 959 §4.1.1); `None` when there is none.
    pub account: Option<Secret>,
}

impl Credentials {
    /// Returns what RFC 1635 §3 asks of people without an account: a name and something that looks like an e-mail address.
    pub fn anonymous() -> Self {
        Self { user: b"anonymous".to_vec(), password: Secret::new("oneway@example.invalid"), account: None }
    }
}

/// What is known of a server after the login.
#[derive(Debug)]
pub(crate) struct Welcome {
    pub(crate) features: Features,
    pub(crate) row: Quirks,
    /// Absolute path of the directory a login begins in; `None` when the server doesn't tell.
    pub(crate) home: Option<Vec<u8>>,
    /// Data connections are protected by TLS.
    pub(crate) protects_data: bool,
}

/// The state in which a login begins.
pub(crate) struct Door {
    pub(crate) greeting: Reply,
    /// What is said is protected by TLS.
    pub(crate) protected: bool,
    /// The greeting was not, so that anybody may have said it.
    pub(crate) greeted_in_clear: bool,
}

/// Logs in and asks what the session needs to know.
pub(crate) fn log_in(
    control: &mut Control,
    door: &Door,
    options: &ClientOptions,
    notes: &HostNotes,
) -> Result<Welcome, FtpError> {
    let who = &options.credentials;
    let greeting = &door.greeting;
    let guess = *quirks::find(&[greeting]);
    let doubtful = door.protected && door.greeted_in_clear;
    let mut questions = questions(options.utf_8, door.protected);
    if doubtful && !guess.probe {
        questions.push(Command::bare(Verb::Stat));
    }
    let window = notes.temper(guess).window;
    let (feat, row, answers) = if window > 1 && !guess.probe && who.account.is_none() {
        let (feat, answers) = log_in_at_once(control, who, questions, window)?;
        let row = if doubtful { confirm(control, guess, &feat, &answers, notes)? } else { guess };
        (feat, row, answers)
    } else {
        authenticate(control, who)?;
        let feat = control.call(&Command::bare(Verb::Feat))?;
        let row = match doubtful {
            // Care needs no proof.
            true if guess.is_careful() => guess,
            true => recognize(control, &[&feat])?,
            false => recognize(control, &[greeting, &feat])?,
        };
        if notes.temper(row).probe {
            notes.probed(takes_bursts(control));
        }
        let replies = exchange(control, &questions, Window::of(notes.temper(row).window));
        (feat, row, questions.into_iter().zip(replies).collect())
    };
    let mut features = Features::from_reply(&feat);
    let mut home = None;
    let mut protects_data = false;
    for (command, reply) in answers {
        let reply = reply?;
        match command.verb() {
            // Sizes and bytes are only right in image type.
            Verb::Type if !reply.is_ok() => return Err(FtpError::refused(Verb::Type, reply)),
            Verb::Pwd if reply.is_ok() => home = parse_pwd(reply.text()),
            Verb::Prot => protects_data = has_protection(options, reply)?,
            _ => {}
        }
    }
    if let Some(choose) = choose_facts(&features)
        && !control.call(&choose)?.is_ok()
    {
        features.refuse(Verb::Opts);
    }
    Ok(Welcome { features, row, home, protects_data })
}

/// Returns whether the server protects data connections, which it has to unless that was left to it.
fn has_protection(options: &ClientOptions, reply: Reply) -> Result<bool, FtpError> {
    let left_to_it = options.tls.as_ref().is_some_and(|tls| tls.start == TlsStart::Offered);
    match reply.is_ok() {
        true => Ok(true),
        false if left_to_it => Ok(false),
        false => Err(FtpError::Unprotected { verb: Verb::Prot, reply: Box::new(reply) }),
    }
}

/// Returns the row of a server whose greeting came in clear text: what that says counts only if the server says as much under TLS.
fn confirm(
    control: &mut Control,
    guess: Quirks,
    feat: &Reply,
    answers: &Answers,
    notes: &HostNotes,
) -> Result<Quirks, FtpError> {
    let status = answers.iter().find(|(command, _)| command.verb() == Verb::Stat);
    let said: Vec<&Reply> =
        [Some(feat), status.and_then(|(_, reply)| reply.as_ref().ok())].into_iter().flatten().collect();
    if guess.is_confirmed_by(&said) {
        return Ok(guess);
    }
    let row = recognize(control, &said)?;
    if notes.temper(row).probe {
        notes.probed(takes_bursts(control));
    }
    Ok(row)
}

type Answers = Vec<(Command, Result<Reply, FtpError>)>;

/// Sends all that a login needs in one flight, to a server whose greeting says that it takes it. Returns the reply to FEAT and the
/// questions behind it with theirs.
fn log_in_at_once(
    control: &mut Control,
    who: &Credentials,
    questions: Vec<Command>,
    window: usize,
) -> Result<(Reply, Answers), FtpError> {
    let mut commands = vec![user(who)?, password(who)?, Command::bare(Verb::Feat)];
    commands.extend(questions);
    let mut replies = exchange(control, &commands, Window::of(window)).into_iter();
    let mut next = || replies.next().expect("an answer for each command");
    let user = next()?;
    if matches!(user.class(), Class::Transient | Class::Permanent) {
        // What comes behind it, if anything, is about a password without a user.
        control.give_up();
        return Err(FtpError::refused(Verb::User, user));
    }
    let password = next()?;
    // Who needs no password is logged in by USER, whatever PASS is answered then.
    if !user.is_ok() && !password.is_ok() {
        control.give_up();
        return Err(FtpError::refused(Verb::Pass, password));
    }
    let feat = next()?;
    Ok((feat, commands.drain(3..).zip(replies).collect()))
}

/// Returns the row of a server that what it `said` may not give away.
fn recognize(control: &mut Control, said: &[&Reply]) -> Result<Quirks, FtpError> {
    let row = *quirks::find(said);
    if !row.probe {
        return Ok(row);
    }
    // Asked only of a server that nothing else gives away.
    let syst = control.call(&Command::bare(Verb::Syst))?;
    Ok(*quirks::find(&[said, &[&syst]].concat()))
}

fn authenticate(control: &mut Control, who: &Credentials) -> Result<(), FtpError> {
    // Both are looked at before one is sent.
    let (user, password) = (user(who)?, password(who)?);
    let mut reply = control.call(&user)?;
    let mut verb = Verb::User;
    // Any 3xx asks for the password but the one that asks for more than that.
    if reply.class() == Class::Intermediate && reply.code() != 332 {
        reply = control.call(&password)?;
        verb = Verb::Pass;
    }
    if reply.code() == 332
        && let Some(account) = &who.account
    {
        reply = control.call(&secret(Verb::Acct, account)?)?;
        verb = Verb::Acct;
    }
    match reply.class() {
        Class::Completion => Ok(()),
        _ => {
            control.give_up();
            Err(FtpError::refused(verb, reply))
        }
    }
}

fn user(who: &Credentials) -> Result<Command, FtpError> {
    Command::new(Verb::User, who.user.as_slice())
        .map_err(|why| FtpError::Argument { argument: who.user.clone(), why })
}

fn password(who: &Credentials) -> Result<Command, FtpError> {
    secret(Verb::Pass, &who.password)
}

fn secret(verb: Verb, secret: &Secret) -> Result<Command, FtpError> {
    // A password with a control byte is still a password.
    Command::new(verb, secret.reveal().as_bytes())
        .map_err(|why| FtpError::Argument { argument: b"***".to_vec(), why })
}

/// What every server is asked. UTF8 is switched on also where FEAT is silent about it, since vsftpd has it always and says
/// so only in some locales; but not where names are known to be in another encoding, which some servers would give up for it.
fn questions(utf_8: bool, protected: bool) -> Vec<Command> {
    let mut questions = Vec::new();
    if protected {
        // Data connections would be in clear text otherwise (RFC 4217 §9), with implicit TLS, too.
        questions.extend([literal(Verb::Pbsz, "0"), literal(Verb::Prot, "P")]);
    }
    if utf_8 {
        questions.push(literal(Verb::Opts, "UTF8 ON"));
    }
    questions.extend([literal(Verb::Type, "I"), Command::bare(Verb::Pwd)]);
    questions
}

/// Returns the command that chooses the facts of MLSD; `None` where those that count are in force already.
fn choose_facts(features: &Features) -> Option<Command> {
    const NEEDED: [&str; 4] = ["type", "size", "modify", "unix.mode"];
    const WANTED: [&str; 6] =
        ["unique", "unix.owner", "unix.group", "unix.ownername", "unix.groupname", "unix.uid"];
    let is_off = |fact: &str| features.has_fact(fact) && !features.has_fact_by_default(fact);
    if !features.has_mlsd() || !NEEDED.iter().any(|fact| is_off(fact)) {
        return None;
    }
    let there = NEEDED.iter().chain(&WANTED).filter(|fact| features.has_fact(fact));
    let facts: String = there.map(|fact| format!("{fact};")).collect();
    Some(literal(Verb::Opts, &format!("MLST {facts}")))
}

fn literal(verb: Verb, argument: &str) -> Command {
    Command::new(verb, argument).expect("a literal has no control bytes")
}

/// Returns the path of a 257 reply. Quotes in it are doubled (RFC 959 appendix II) except on Pure-FTPd and inetutils; where an
/// undoubled one stands inside, the path goes to the last quote. Only an absolute path without control bytes is one.
pub(crate) fn parse_pwd(text: &[u8]) -> Option<Vec<u8>> {
    let open = text.iter().position(|&b| b == b'"')?;
    let inner = &text[open + 1..];
    let mut path = Vec::new();
    let mut at = 0;
    loop {
        match (inner.get(at)?, inner.get(at + 1)) {
            (b'"', Some(b'"')) => {
                path.push(b'"');
                at += 2;
            }
            (b'"', None | Some(b' ')) => break,
            (b'"', Some(_)) => {
                let last = inner.iter().rposition(|&b| b == b'"').expect("the quote just seen");
                path = inner[..last].to_vec();
                break;
            }
            (&byte, _) => {
                path.push(byte);
                at += 1;
            }
        }
    }
    (path.first() == Some(&b'/') && path.iter().all(|&b| b >= 0x20)).then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_working_directory_is_read_out_of_its_quotes() {
        for (text, path) in [
            (r#""/" is the current directory"#, Some("/")),
            (r#""/home/anna""#, Some("/home/anna")),
            (r#""/a""b" is cwd"#, Some("/a\"b")),
            (r#""/a"b" is cwd"#, Some("/a\"b")),
            (r#""/a b" created"#, Some("/a b")),
            (r#""C:\ftp" is cwd"#, None),
            (r#""relative""#, None),
            (r#""/unclosed"#, None),
            ("/none", None),
            ("\"/a\x01\"", None),
            ("", None),
        ] {
            assert_eq!(parse_pwd(text.as_bytes()).as_deref(), path.map(str::as_bytes), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_absolute_path_or_none(text: Vec<u8>) {
            if let Some(path) = parse_pwd(&text) {
                prop_assert!(path.starts_with(b"/") && path.iter().all(|&b| b >= 0x20));
            }
        }
    }
}
