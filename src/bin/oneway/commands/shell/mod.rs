//! `oneway shell`: raw FTP commands from a prompt or a pipe, every reply as it came, and data to standard output.

mod input;
mod obey;
mod out;
mod voice;

use std::process::ExitCode;
use std::sync::Arc;

use oneway::config::{Place, PlaceError};
use oneway::model::Cancel;
use oneway::report::Stop;
use oneway::store::ftp::FtpStore;
use oneway::store::{RetryPolicy, Store as _};

use crate::args::ShellArgs;
use crate::commands::connect;
use crate::exit;
use crate::signals::Signals;
use crate::ui::say::complain;

use input::{Input, Typed};
use obey::{Came, Shell};
use voice::Voice;

pub(crate) fn run(args: &ShellArgs) -> anyhow::Result<ExitCode> {
    let place = connect::place("URL", &args.url)?;
    if place.is_local() {
        return Err(connect::refused("URL", &PlaceError::Local));
    }
    let voice = Arc::new(Voice::new(args.verbose >= 2));
    let mut input = Input::open()?;
    let mut session = Session::open(args, &place, &voice)?;
    if input.is_person() {
        complain!("connected to {}; !help tells what is not sent to the server", place.identity());
    }
    let mut status = 0;
    let mut asked_to_stop = false;
    loop {
        let line = match input.next()? {
            Typed::Line(line) => line,
            Typed::Interrupt if asked_to_stop => return Ok(ExitCode::from(INTERRUPTED)),
            Typed::Interrupt => {
                complain!("once more to end, as !quit and Ctrl-D do");
                asked_to_stop = true;
                continue;
            }
            Typed::End => break,
        };
        asked_to_stop = false;
        match session.shell.obey(&line)? {
            Came::Done => {}
            // A person has seen it.
            Came::Refused if input.is_person() => {}
            Came::Refused => status = exit::INCOMPLETE,
            Came::Quit => break,
            Came::Lost => match session.signals.stop() {
                Some(stop) if !input.is_person() || stop != Stop::Interrupt => {
                    return Ok(ExitCode::from(stop.exit_status()));
                }
                Some(_) => {
                    complain!("stopped, for which the session had to be given up; logging in anew");
                    let mode = session.shell.data_mode();
                    drop(session);
                    session = Session::open(args, &place, &voice)?;
                    session.shell.set_data_mode(mode);
                }
                None => return Ok(ExitCode::from(exit::UNREACHABLE)),
            },
        }
    }
    Ok(ExitCode::from(status))
}

/// The status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// One session, with a wish to stop of its own: that can't be taken back.
struct Session {
    shell: Shell,
    signals: Signals,
}

impl Session {
    fn open(args: &ShellArgs, place: &Place, voice: &Arc<Voice>) -> anyhow::Result<Self> {
        let cancel = Cancel::new();
        let mut connection = connect::connection(&args.connection, 0, &cancel)?;
        connection.transcript = Some(Arc::clone(voice) as _);
        let mode = connection.data_mode;
        let store: FtpStore =
            place.clone().ftp_store(&connection).map_err(|e| connect::refused("URL", &e))?;
        let signals = Signals::watch(&cancel)?;
        let retry = RetryPolicy::new(args.connection.retries, cancel);
        voice.set_login(true);
        let client = retry.persist(|| store.client());
        voice.set_login(false);
        if store.is_in_clear_text() {
            complain!("note: the server has no TLS, so it is spoken to in clear text");
        }
        Ok(Self { shell: Shell::new(client?, mode, Arc::clone(voice)), signals })
    }
}
