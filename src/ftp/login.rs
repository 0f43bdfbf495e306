//! From a fresh connection to a session that can work: greeting, USER and PASS, and the questions that follow.

use crate::ftp::command::{Command, Verb};
use crate::ftp::control::Control;
use crate::ftp::error::FtpError;
use crate::ftp::features::Features;
use crate::ftp::pipeline::{Window, exchange};
use crate::ftp::quirks::{self, Quirks};
use crate::ftp::reply::Class;
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
    pub(crate) quirks: &'static Quirks,
    /// Absolute path of the directory a login begins in; `None` when the server doesn't tell.
    pub(crate) home: Option<Vec<u8>>,
}

/// Logs in and asks what the session needs to know.
pub(crate) fn log_in(control: &mut Control, who: &Credentials) -> Result<Welcome, FtpError> {
    let greeting = control.greeting()?;
    authenticate(control, who)?;
    let feat = control.call(&Command::bare(Verb::Feat))?;
    let mut features = Features::from_reply(&feat);
    let mut said = vec![&greeting, &feat];
    let mut quirks = quirks::find(&said);
    let syst;
    if quirks.window == 1 {
        // Asked only of a server that nothing else gives away.
        syst = control.call(&Command::bare(Verb::Syst))?;
        said.push(&syst);
        quirks = quirks::find(&said);
    }
    let questions = questions(&features);
    let mut home = None;
    for (command, reply) in questions.iter().zip(exchange(control, &questions, Window::of(quirks.window))) {
        let reply = reply?;
        match command.verb() {
            // Sizes and bytes are only right in image type.
            Verb::Type if !reply.is_ok() => return Err(FtpError::refused(Verb::Type, reply)),
            Verb::Pwd if reply.is_ok() => home = parse_pwd(reply.text()),
            Verb::Opts if !reply.is_ok() && command.argument().starts_with(b"MLST") => {
                features.refuse(Verb::Opts);
            }
            _ => {}
        }
    }
    Ok(Welcome { features, quirks, home })
}

fn authenticate(control: &mut Control, who: &Credentials) -> Result<(), FtpError> {
    let argument = |verb, bytes: &[u8]| {
        Command::new(verb, bytes).map_err(|why| FtpError::Argument {
            // A password with a control byte is still a password.
            argument: if verb == Verb::User { bytes.to_vec() } else { b"***".to_vec() },
            why,
        })
    };
    let user = argument(Verb::User, &who.user)?;
    let password = argument(Verb::Pass, who.password.reveal().as_bytes())?;
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
        reply = control.call(&argument(Verb::Acct, account.reveal().as_bytes())?)?;
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

/// What is asked in one go once the features are known. UTF8 is switched on also where FEAT is silent about it, since
/// vsftpd has it always and says so only in some locales.
fn questions(features: &Features) -> Vec<Command> {
    let command =
        |verb, argument: &str| Command::new(verb, argument).expect("a literal has no control bytes");
    let mut all = Vec::new();
    if features.lists("CLNT") {
        all.push(command(Verb::Clnt, "oneway"));
    }
    all.push(command(Verb::Opts, "UTF8 ON"));
    if features.has_mlsd() {
        const WANTED: [&str; 10] = [
            "type",
            "size",
            "modify",
            "unique",
            "unix.mode",
            "unix.owner",
            "unix.group",
            "unix.ownername",
            "unix.groupname",
            "unix.uid",
        ];
        let facts: String = WANTED
            .iter()
            .filter(|fact| features.mlst_facts().iter().any(|f| f == *fact))
            .map(|fact| format!("{fact};"))
            .collect();
        if !facts.is_empty() {
            all.push(command(Verb::Opts, &format!("MLST {facts}")));
        }
    }
    all.push(command(Verb::Type, "I"));
    all.push(Command::bare(Verb::Pwd));
    all
}

/// Returns the path of a 257 reply. Quotes in it are doubled (RFC 959 appendix II) except on Pure-FTPd and inetutils; where an
/// undoubled one stands inside, the path goes to the last quote. Only an absolute path without control bytes is one.
fn parse_pwd(text: &[u8]) -> Option<Vec<u8>> {
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
