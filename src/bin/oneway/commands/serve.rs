//! `oneway serve DIR`: an FTP server for one directory, until Ctrl-C or SIGTERM.

use std::fs;
use std::io::{self, Read, Write};
use std::iter;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use clap::{ArgGroup, Args};
use signal_hook::consts::{SIGINT, SIGTERM};

use oneway::ftp::command::Verb;
use oneway::model::{Escaped, Secret};
use oneway::server::{
    Access, Identity, Login, ServeOptions, Server, ServerEvent, ServerObserver, TlsOptions, TransferEnd,
    Transferred,
};

use crate::identity::{from_files, self_signed};
use crate::values::timeout;

/// Serve a directory over FTP and FTPS: to try oneway, to test against, to receive pushes on a LAN.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("tls").args(["tls_cert", "tls_self_signed"]),
    after_help = "Standard output begins with the URL. That of --listen-implicit is the next line. With TLS, `pin sha256:` and \
                  the SHA-256 of the certificate follow."
)]
pub(crate) struct ServeArgs {
    /// The directory to serve. Clients can't leave it, and symbolic links in it are never followed.
    dir: PathBuf,

    /// Where to listen. Port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:2121")]
    listen: SocketAddr,

    /// Who may log in; without this anyone may, as `anonymous`.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,

    /// The file that holds the password of --user in its first line.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// Let clients change the directory; without this they may only read.
    #[arg(long)]
    write: bool,

    /// The ports for passive data connections, for firewalls; without this any free port.
    #[arg(long, value_name = "LOW-HIGH", value_parser = port_range)]
    passive_ports: Option<RangeInclusive<u16>>,

    /// Speak TLS to who asks for it (AUTH TLS), with this certificate, those of its authorities behind it, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    tls_cert: Option<PathBuf>,

    /// The key of --tls-cert, in PEM, without a passphrase.
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_key: Option<PathBuf>,

    /// Speak TLS with a certificate made for this run. Clients know it by its pin; its key is kept nowhere.
    #[arg(long, help_heading = "TLS")]
    tls_self_signed: bool,

    /// Refuse logins and data in clear.
    #[arg(long, requires = "tls", help_heading = "TLS")]
    tls_required: bool,

    /// Listen here as well, for clients that begin with TLS at once (implicit TLS, ftps://). Port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT", requires = "tls", help_heading = "TLS")]
    listen_implicit: Option<SocketAddr>,

    /// End a control session that sends nothing for this long.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = timeout)]
    idle_timeout: Duration,

    /// How many control sessions at once.
    #[arg(long, value_name = "N", default_value = "64")]
    max_connections: NonZeroUsize,
}

/// Serves until a signal comes. Being stopped is how a server ends well, so that is success.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    // Before the server starts, so that a signal that comes early also ends it in order.
    let (mut signals, notify) = io::pipe().context("cannot wait for signals")?;
    for signal in [SIGINT, SIGTERM] {
        let notify = notify.try_clone().context("cannot wait for signals")?;
        signal_hook::low_level::pipe::register(signal, notify).context("cannot wait for signals")?;
    }
    let options = options(args)?;
    let pin = options.tls.as_ref().map(|tls| pin(&tls.identity));
    if let Some(warning) = warning(args) {
        log(&format!("warning: {warning}"));
    }
    let server = Server::start(options)?;
    let lines = [Some(server.url()), server.implicit_url(), pin];
    let lines: String = lines.into_iter().flatten().map(|line| line + "\n").collect();
    io::stdout()
        .write_all(lines.as_bytes())
        .and_then(|()| io::stdout().flush())
        .context("cannot print the URL")?;
    signals.read_exact(&mut [0]).context("cannot wait for signals")?;
    server.stop();
    Ok(ExitCode::SUCCESS)
}

fn options(args: &ServeArgs) -> anyhow::Result<ServeOptions> {
    let login = match (&args.user, &args.password_file) {
        (Some(name), Some(file)) => Login::User { name: name.clone(), password: password(file)? },
        _ => Login::Anonymous,
    };
    Ok(ServeOptions {
        listen: args.listen,
        login,
        access: if args.write { Access::Write } else { Access::Read },
        passive_ports: args.passive_ports.clone(),
        idle_timeout: args.idle_timeout,
        max_connections: args.max_connections.get(),
        tls: tls(args)?,
        observer: Some(Arc::new(Log)),
        ..ServeOptions::new(&args.dir)
    })
}

fn password(file: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(file)
        .map(zeroize::Zeroizing::new)
        .with_context(|| format!("cannot read the password file `{}`", file.display()))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

fn tls(args: &ServeArgs) -> anyhow::Result<Option<TlsOptions>> {
    let identity = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => from_files(certificate, key)?,
        _ if args.tls_self_signed => {
            let addresses: Vec<_> =
                iter::once(args.listen).chain(args.listen_implicit).map(|a| a.ip()).collect();
            self_signed(&addresses)?
        }
        _ => return Ok(None),
    };
    Ok(Some(TlsOptions {
        required: args.tls_required,
        listen_implicit: args.listen_implicit,
        ..TlsOptions::new(identity)
    }))
}

fn pin(identity: &Identity) -> String {
    let digits: String = identity.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("pin sha256:{digits}")
}

/// Returns what others could do that the one who serves may not have thought of.
fn warning(args: &ServeArgs) -> Option<&'static str> {
    let is_open = |address: SocketAddr| !address.ip().is_loopback();
    let in_clear = is_open(args.listen) && !args.tls_required;
    let has_tls = args.tls_cert.is_some() || args.tls_self_signed;
    match args.user {
        Some(_) if in_clear && has_tls => Some(
            "a client that doesn't ask for TLS sends its password and files in clear; --tls-required refuses it",
        ),
        Some(_) if in_clear => Some(
            "plain FTP sends passwords and files in clear, for anyone on the way to read; --tls-self-signed \
             --tls-required prevents it",
        ),
        Some(_) => None,
        None if !is_open(args.listen) && !args.listen_implicit.is_some_and(is_open) => None,
        None if args.write => Some("anyone who reaches this address may change the directory"),
        None => Some("anyone who reaches this address may read the directory"),
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || "expected two ports, such as 50000-50100".to_owned();
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    let port = |text: &str| text.parse().ok().filter(|&port: &u16| port > 0);
    match (port(low), port(high)) {
        (Some(low), Some(high)) if low <= high => Ok(low..=high),
        _ => Err(wrong()),
    }
}

/// Writes a line on standard error for each login, transfer and change.
#[derive(Debug)]
struct Log;

impl ServerObserver for Log {
    fn event(&self, peer: SocketAddr, event: &ServerEvent<'_>) {
        let what = match event {
            ServerEvent::TurnedAway => "turned away: too many connections".into(),
            ServerEvent::ShutOut => "turned away: too many failed logins".into(),
            ServerEvent::TlsFailed { why } => format!("no TLS: {}", Escaped(why.as_bytes())),
            ServerEvent::LoggedIn { user } => format!("logged in as {}", Escaped(user)),
            ServerEvent::LoginFailed { user } => format!("failed to log in as {}", Escaped(user)),
            ServerEvent::Transferred(transferred) => match transfer_text(transferred) {
                Some(text) => text,
                None => return,
            },
            ServerEvent::Changed { verb, path, to } => match (verb, to) {
                (_, Some(to)) => format!("renamed {path} to {to}"),
                (Verb::Mkd, _) => format!("made directory {path}"),
                (Verb::Rmd, _) => format!("removed directory {path}"),
                (Verb::Dele, _) => format!("removed {path}"),
                (Verb::Mfmt, _) => format!("set the time of {path}"),
                (Verb::Site, _) => format!("set the mode of {path}"),
                (verb, _) => format!("changed {path} by {verb}"),
            },
            _ => return,
        };
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        log(&format!("{now} {peer} {what}"));
    }
}

/// Returns what to say of a transfer; nothing of listings, of which a mirror makes thousands.
fn transfer_text(transferred: &Transferred<'_>) -> Option<String> {
    let Transferred { verb, path, bytes, took, end } = transferred;
    let deed = match verb {
        Verb::Retr => "sent",
        Verb::Stor => "received",
        Verb::Appe => "appended to",
        _ => return None,
    };
    let end = match end {
        TransferEnd::Complete => "",
        TransferEnd::Aborted => ", aborted by the client",
        TransferEnd::Failed => ", failed",
    };
    Some(format!("{deed} {path}: {bytes} bytes in {:.3} s{end}", took.as_secs_f64()))
}

fn log(line: &str) {
    // In one write, so that lines of several sessions don't mix; without a standard error there is nobody to tell.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passive_ports_are_two_ports_in_order() {
        assert_eq!(port_range("50000-50100"), Ok(50000..=50100));
        assert_eq!(port_range("50000-50000"), Ok(50000..=50000));
        for wrong in ["", "50000", "50100-50000", "0-10", "1-65536", "a-b", "1-2-3", "50000 - 50100"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
    }
}
