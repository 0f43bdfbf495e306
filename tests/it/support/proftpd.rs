//! ProFTPD's configuration: everything in the sandbox, users included.

use std::ffi::OsString;
use std::fmt::Display;

use super::daemon::{Options, Place, UID, USER};

/// Writes the configuration and returns the arguments to start with.
pub(super) fn configure(options: &Options, place: &Place) -> Vec<OsString> {
    let users = format!("{USER}:{PASSWORD_HASH}:{UID}:{UID}::{}:/bin/false\n", place.root.display());
    let users = place.write("users", &users);
    let config = format!(
        r#"ServerName "oneway-tests"
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
UseIPv6 off
UseReverseDNS off
User daemon
Group daemon
PidFile {dir}/pid
ScoreboardFile {dir}/scoreboard
SystemLog {log}
TransferLog {transfers}
WtmpLog off
DelayEngine off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
DefaultRoot {root}
Umask 022
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
MaxInstances none
MaxClients {max_clients}
TimesGMT {gmt}
TimeoutIdle 60
TimeoutStalled 60
{more}
"#,
        port = place.port,
        dir = place.dir.display(),
        log = place.log().display(),
        transfers = place.transfer_log().display(),
        users = users.display(),
        root = place.root.display(),
        max_clients = options.max_clients,
        gmt = if options.time_zone == "UTC" { "on" } else { "off" },
        more = options.config.join("\n"),
    );
    let config = place.write("conf", &config);
    // In the foreground, without a word on the terminal.
    vec!["--nodaemon".into(), "--quiet".into(), "--config".into(), config.into()]
}

pub(super) fn deny(name: &str) -> String {
    format!("<Directory /**/{name}>\n<Limit ALL>\nDenyAll\n</Limit>\n</Directory>")
}

/// Of the password in daemon.rs, made by `openssl passwd -5`.
const PASSWORD_HASH: &str = "$5$oneway$DxKZ5Yz59u6MgeELueMzrl2XTWBjKWQXqkVM9ijp1wD";

pub(super) fn tls(certificate: &impl Display, key: &impl Display) -> String {
    format!("TLSEngine on\nTLSRequired on\nTLSECCertificateFile {certificate}\nTLSECCertificateKeyFile {key}")
}

pub(super) fn known_clients(authority: &impl Display) -> String {
    format!("TLSCACertificateFile {authority}\nTLSVerifyClient on")
}
