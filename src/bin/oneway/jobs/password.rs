//! Passwords of hosts, each from where the file says, at most once in a run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use oneway::config::{CommandLine, Host, PasswordSource, resolve};
use oneway::model::{Cancel, Secret};
use zeroize::Zeroizing;

use crate::jobs::process::{self, End};

/// What was found out in this run.
pub(crate) struct Passwords {
    dir: PathBuf,
    home: Option<PathBuf>,
    cancel: Cancel,
    found: HashMap<String, Result<Secret, PasswordError>>,
}

/// Why there is no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PasswordError {
    /// What the file says can't be.
    Configuration(String),
    /// Its command failed.
    Command(String),
}

impl Passwords {
    /// Paths are relative to `dir`; commands are run there.
    pub(crate) fn new(dir: &Path, home: Option<&Path>, cancel: Cancel) -> Self {
        Self { dir: dir.to_owned(), home: home.map(Path::to_owned), cancel, found: HashMap::new() }
    }

    /// Returns the host's password; `None` where the file names no source for one.
    pub(crate) fn of(&mut self, host: &Host) -> Result<Option<Secret>, PasswordError> {
        let Some((source, _)) = &host.password else { return Ok(None) };
        if let Some(found) = self.found.get(&host.name) {
            return found.clone().map(Some);
        }
        let found = self.ask(host, source);
        self.found.insert(host.name.clone(), found.clone());
        found.map(Some)
    }

    fn ask(&self, host: &Host, source: &PasswordSource) -> Result<Secret, PasswordError> {
        let title = format!("[host.{}]", host.name);
        match source {
            PasswordSource::Literal(secret) => Ok(secret.clone()),
            PasswordSource::Env(variable) => match std::env::var(variable) {
                Ok(text) => Ok(Secret::new(text)),
                Err(e) => {
                    let why = match e {
                        std::env::VarError::NotPresent => "is not set",
                        std::env::VarError::NotUnicode(_) => "is not UTF-8",
                    };
                    let text = format!("${variable} {why}, which {title} takes its password from");
                    Err(PasswordError::Configuration(text))
                }
            },
            PasswordSource::File(written) => {
                let file = resolve(written, &self.dir, self.home.as_deref());
                check_file(&file).map_err(PasswordError::Configuration)?;
                let bytes = fs::read(&file).map(Zeroizing::new);
                let bytes = bytes.map_err(|e| format!("cannot read {}: {e}", file.display()));
                let bytes = bytes.map_err(PasswordError::Configuration)?;
                first_line(&bytes)
                    .map_err(|why| PasswordError::Configuration(format!("{} {why}", file.display())))
            }
            PasswordSource::Command(line) => self
                .run(line)
                .map_err(|why| PasswordError::Command(format!("the password_command of {title} {why}"))),
        }
    }

    /// Runs a command for the first line of its output. What it prints is not shown, whatever becomes of it.
    fn run(&self, line: &CommandLine) -> Result<Secret, String> {
        let mut command = process::command(line);
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(Stdio::piped());
        // It stays in our group, so that it may ask somebody at the terminal.
        let mut child = command.spawn().map_err(|e| format!("cannot be run: {e}"))?;
        let mut output = child.stdout.take().expect("it is piped");
        let (sender, printed) = mpsc::channel();
        // Not joined: what the command leaves behind may hold the pipe open for ever.
        thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES));
            let mut block = Zeroizing::new([0; 1024]);
            while let Ok(count @ 1..) = output.read(block.as_mut_slice()) {
                // The rest is read, too, so that the command doesn't wait for a reader; within the capacity, nothing is copied away.
                let room = MOST_BYTES - bytes.len();
                bytes.extend_from_slice(&block[..count.min(room)]);
            }
            let _ = sender.send(bytes);
        });
        let end = process::wait(&mut child, COMMAND_LIMIT, false, &self.cancel);
        match end.map_err(|e| format!("cannot be waited for: {e}"))? {
            End::Exited(status) if status.success() => {
                let bytes = printed.recv_timeout(AFTER_THE_END);
                let bytes = bytes.map_err(|_| "ended, but left its output open".to_owned())?;
                first_line(&bytes).map_err(|why| why.replace("holds", "printed"))
            }
            End::Exited(status) => Err(process::shown(status)),
            End::TimedOut => Err(format!("didn't end within {} s", COMMAND_LIMIT.as_secs())),
            End::Stopped => Err("was stopped".to_owned()),
        }
    }
}

/// Says what is wrong with a file that is to hold a password.
pub(crate) fn check_file(file: &Path) -> Result<(), String> {
    let meta = fs::metadata(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let shown = file.display();
    if !meta.is_file() || meta.len() > MOST_BYTES as u64 {
        return Err(format!("{shown} is no file that holds a password in its first line"));
    }
    match meta.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(format!("others can read {shown}, so it may hold no password; chmod 600 {shown}")),
    }
}

fn first_line(bytes: &[u8]) -> Result<Secret, String> {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err("holds no password in its first line".to_owned()),
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err("holds a password that is not UTF-8".to_owned()),
    }
}

/// Returns the variables that passwords of hosts are taken from: nobody else is to see them.
pub(crate) fn variables<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> Vec<OsString> {
    let named = hosts.into_iter().filter_map(|host| match &host.password {
        Some((PasswordSource::Env(variable), _)) => Some(variable.into()),
        _ => None,
    });
    named.chain([crate::commands::logins::PASSWORD_VARIABLE.into()]).collect()
}

/// Longer than any password, and a page.
const MOST_BYTES: usize = 64 << 10;
/// Somebody may have to unlock something first.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
const AFTER_THE_END: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use oneway::config::{At, Scheme, Settings};

    fn ask(source: PasswordSource) -> Result<String, PasswordError> {
        let at = At { line: 1, column: 1 };
        let host = Host {
            name: "h".into(),
            at,
            address: "h".into(),
            port: None,
            scheme: Scheme::Ftp,
            user: Some("u".into()),
            password: Some((source, at)),
            settings: Settings::default(),
        };
        let mut passwords = Passwords::new(Path::new("/"), None, Cancel::new());
        let found = passwords.of(&host)?.expect("a source is named");
        Ok(found.reveal().to_owned())
    }

    #[test]
    fn a_command_gives_its_first_line_or_says_nothing_of_its_output() {
        let shell = |text: &str| ask(PasswordSource::Command(CommandLine::Shell(text.into())));
        let words = |words: &[&str]| {
            ask(PasswordSource::Command(CommandLine::Words(words.iter().map(|&w| w.into()).collect())))
        };
        let failed =
            |why: &str| Err(PasswordError::Command(format!("the password_command of [host.h] {why}")));
        assert_eq!(shell("printf 'one\\r\\ntwo\\n'"), Ok("one".into()));
        assert_eq!(words(&["printf", "%s", "a b $HOME"]), Ok("a b $HOME".into()));
        assert_eq!(shell("echo secret; exit 7"), failed("ended with status 7"));
        assert_eq!(shell("true"), failed("printed no password in its first line"));
        assert_eq!(shell("printf '\\351'"), failed("printed a password that is not UTF-8"));
        assert_eq!(shell("kill -9 $$"), failed("was ended by signal 9"));
        assert!(words(&["/no/such/program"]).is_err());
        // More than a pipe holds, all of it without a line end.
        assert!(shell("head -c 1000000 /dev/zero | tr '\\0' x").is_ok_and(|text| text.len() == MOST_BYTES));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "hunter2\nmore").unwrap();
        for (mode, fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o601, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let asked = ask(PasswordSource::File(file.to_str().unwrap().into()));
            match fine {
                true => assert_eq!(asked, Ok("hunter2".into())),
                false => assert!(
                    matches!(&asked, Err(PasswordError::Configuration(text)) if text.contains("chmod 600")),
                    "{asked:?}"
                ),
            }
        }
    }
}
