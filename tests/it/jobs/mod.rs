//! Jobs of a TOML file, run as people run them.

mod files;
mod history;
mod hooks;
mod layers;
mod passwords;
mod run;
mod schedule;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use oneway::model::Secret;
use oneway::server::{Access, Login, ServeOptions, Server};

use crate::support::{Dir, Sandbox};

/// A server with one user, and the directory it serves.
struct Served {
    server: Server,
    dir: Dir,
}

impl Served {
    /// `anna` logs in with [`PASSWORD`].
    fn new(sandbox: &Sandbox, name: &str) -> Self {
        Self::with_login(sandbox, name, Login::User { name: "anna".into(), password: Secret::new(PASSWORD) })
    }

    fn anonymous(sandbox: &Sandbox, name: &str) -> Self {
        Self::with_login(sandbox, name, Login::Anonymous)
    }

    fn with_login(sandbox: &Sandbox, name: &str, login: Login) -> Self {
        let dir = sandbox.dir(name);
        let options = ServeOptions {
            access: Access::Write,
            login,
            login_pause: Duration::ZERO,
            ..ServeOptions::new(dir.path())
        };
        Self { server: Server::start(options).expect("loopback has free ports"), dir }
    }

    /// Returns `[host.NAME]` for it, to be gone on with.
    fn host(&self, name: &str) -> String {
        let port = self.server.address().port();
        format!("[host.{name}]\naddress = \"127.0.0.1\"\nport = {port}\n")
    }
}

/// Writes `work/oneway.toml`, where runs look for it.
fn config(sandbox: &Sandbox, text: &str) {
    config_with_mode(sandbox, text, 0o644);
}

fn config_with_mode(sandbox: &Sandbox, text: &str, mode: u32) {
    let file = sandbox.path("work/oneway.toml");
    fs::write(&file, format!("version = 1\n{text}")).expect("the sandbox can be written to");
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it was just written");
}

const PASSWORD: &str = "geheim &1";
