//! vsftpd's configuration. What it can't do otherwise than globally is the PAM service that checks the password.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;

use super::daemon::{Options, Place};

/// Made by `tests/set-up`: vsftpd has no user database of its own, and PAM reads no service from elsewhere.
pub(super) const PAM_SERVICE: &str = "/etc/pam.d/oneway-tests";

/// Writes the configuration and returns the arguments to start with.
pub(super) fn configure(options: &Options, place: &Place) -> Vec<OsString> {
    let empty = place.dir.join("empty");
    fs::create_dir_all(&empty).expect("the sandbox has room");
    let config = format!(
        "listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
pasv_address=127.0.0.1
anonymous_enable=NO
local_enable=YES
guest_enable=YES
guest_username=daemon
virtual_use_local_privs=YES
pam_service_name=oneway-tests
session_support=NO
local_root={root}
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir={empty}
write_enable=YES
local_umask=022
max_clients={max_clients}
delay_failed_login=0
data_connection_timeout=60
idle_session_timeout=60
xferlog_enable=YES
xferlog_std_format=YES
xferlog_file={transfers}
dual_log_enable=YES
vsftpd_log_file={log}
log_ftp_protocol=YES
# Neither is at home in containers, and an own network per session takes longer than the session.
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
# Its own zone would not be told by TZ otherwise.
use_localtime={localtime}
{more}
",
        port = place.port,
        root = place.root.display(),
        empty = empty.display(),
        max_clients = options.max_clients,
        transfers = place.transfer_log().display(),
        log = place.log().display(),
        localtime = if options.time_zone == "UTC" { "NO" } else { "YES" },
        more = options.config.join("\n"),
    );
    vec![place.write("conf", &config).into()]
}

pub(super) fn deny(name: &str) -> String {
    format!("deny_file={{{name}*,/{name}*}}")
}

pub(super) fn tls(certificate: &impl Display, key: &impl Display) -> String {
    format!(
        "ssl_enable=YES
ssl_tlsv1=YES
ssl_ciphers=HIGH
rsa_cert_file={certificate}
rsa_private_key_file={key}
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES"
    )
}

pub(super) fn known_clients(authority: &impl Display) -> String {
    format!("require_cert=YES\nvalidate_cert=YES\nca_certs_file={authority}")
}
