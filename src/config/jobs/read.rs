//! From TOML to a [`JobFile`], with everything that is wrong on the way.

use std::ffi::OsStr;

use toml::de::DeTable;

use crate::config::jobs::schedule;
use crate::config::jobs::values::{Own, Reader, whole};
use crate::config::{
    At, DEFAULTS_KEYS, HOST_KEYS, Hooks, Host, JOB_KEYS, Job, JobFile, OptionKey, PasswordSource, Place,
    Problem, Scheme, Target, nearest,
};
use crate::model::{Secret, escape};

/// Which options there are, and which values they take.
pub struct Known<'a> {
    /// All of them.
    pub keys: &'a [OptionKey],
    /// Says what is wrong with a value of the option of this name.
    pub check: &'a dyn Fn(&str, &OsStr) -> Result<(), String>,
    /// Whether others than the owner can read the file. Then it may hold no password.
    pub is_exposed: bool,
}

impl JobFile {
    /// Reads a file. What of it is of no use is left out, and told.
    pub fn parse(bytes: &[u8], known: &Known<'_>) -> (Self, Vec<Problem>) {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let valid = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
                let problem = Problem::new(At::of(&valid, valid.len()), "the file is not UTF-8");
                return (Self::default(), vec![problem]);
            }
        };
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, known, problems: Vec::new() };
        if errors.is_empty() {
            let file = reader.file(root.get_ref());
            reader.problems.sort();
            return (file, reader.problems);
        }
        // What follows from a mistake of form would be told as further mistakes. The message shows nothing of the file.
        let problem = |error: &toml::de::Error| {
            let at = At::of(text, error.span().map_or(0, |span| span.start));
            Problem::new(at, error.message().lines().collect::<Vec<_>>().join("; "))
        };
        let mut problems: Vec<_> = errors.iter().map(problem).collect();
        problems.sort();
        problems.dedup();
        (Self::default(), problems)
    }
}

impl Reader<'_> {
    fn file(&mut self, root: &DeTable<'_>) -> JobFile {
        let mut file = JobFile::default();
        let mut version = None;
        let mut tables = Vec::new();
        for (key, at, value) in self.entries(root) {
            match key {
                "version" => version = Some((at, value)),
                "defaults" | "host" | "job" => tables.push((key, at, value)),
                _ => {
                    let hint = nearest(key, ["version", "defaults", "host", "job"]);
                    self.say(at, format!("unknown key `{}`{hint}", escape(key.as_bytes())));
                }
            }
        }
        match version {
            None => self.say(At { line: 1, column: 1 }, "`version = 1` is missing"),
            Some((_, value)) if whole(value) == Some(1) => {}
            Some((_, value)) => {
                let at = self.at(value);
                self.say(at, "expected 1: this is the only version of the format that is known");
            }
        }
        // Jobs refer to hosts, wherever these stand.
        tables.sort_by_key(|(key, ..)| ["defaults", "host", "job"].iter().position(|name| name == key));
        for (key, _, value) in tables {
            let Some(table) = self.table(value, key) else { continue };
            if key == "defaults" {
                self.defaults(table, &mut file);
                continue;
            }
            for (name, at, value) in self.entries(table) {
                if !is_name(name) {
                    self.say(at, format!("a {key} is named by letters, digits, `-`, `_` and `.`"));
                    continue;
                }
                let Some(table) = self.table(value, &format!("{key}.{name}")) else { continue };
                match key {
                    "host" => file.hosts.extend(self.host(name, at, table)),
                    _ => {
                        let job = self.job(name, at, table, &file.hosts);
                        file.jobs.extend(job);
                    }
                }
            }
        }
        file
    }

    fn defaults(&mut self, table: &DeTable<'_>, file: &mut JobFile) {
        let section = self.section(table, "[defaults]", DEFAULTS_KEYS, |_| true);
        file.hooks = self.hooks(&section.own);
        file.defaults = section.settings;
    }

    fn host(&mut self, name: &str, at: At, table: &DeTable<'_>) -> Option<Host> {
        let section = self.section(table, "a host", HOST_KEYS, |key| key.is_of_connection);
        let own = &section.own;
        let sources: Vec<_> = own.iter().filter(|(key, ..)| key.starts_with("password")).collect();
        let user = self.own_text(own, "user");
        if let [first, second, ..] = sources[..] {
            self.say(second.1, format!("`{}` and `{}` say the same in two ways", first.0, second.0));
        } else if let ([(_, at, _)], None) = (&sources[..], &user) {
            self.say(*at, "a password without a `user`");
        }
        let password = sources.first().and_then(|(key, at, value)| {
            let source = match *key {
                "password_command" => PasswordSource::Command(self.command(value)?),
                key => {
                    let text = self.string(value)?;
                    match key {
                        "password_env" => PasswordSource::Env(text),
                        "password_file" => PasswordSource::File(text),
                        _ => {
                            self.refuse_exposed(*at);
                            PasswordSource::Literal(Secret::new(text))
                        }
                    }
                }
            };
            Some((source, *at))
        });
        let port = own.iter().find(|(key, ..)| *key == "port").and_then(|(_, _, value)| {
            let port = whole(value).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0);
            if port.is_none() {
                let at = self.at(value);
                self.say(at, "expected a port from 1 to 65535");
            }
            port
        });
        let scheme = own.iter().find(|(key, ..)| *key == "scheme").and_then(|(_, _, value)| {
            let text = self.string(value)?;
            let scheme = [Scheme::Ftp, Scheme::Ftpes, Scheme::Ftps].into_iter().find(|s| s.as_str() == text);
            if scheme.is_none() {
                let at = self.at(value);
                self.say(at, "expected \"ftp\", \"ftpes\" or \"ftps\"");
            }
            scheme
        });
        let address = self.required(own, "address", at, &format!("[host.{name}]"))?;
        let host = Host {
            name: name.to_owned(),
            at,
            address: address.0,
            port,
            scheme: scheme.unwrap_or(Scheme::Ftp),
            user,
            password,
            settings: section.settings,
        };
        match Place::parse(&host.url("")) {
            Ok(Place::Ftp { host: read, .. }) if read == host.address.trim_matches(['[', ']']) => Some(host),
            Ok(_) => {
                self.say(address.1, "expected the name or address of a server alone");
                None
            }
            Err(e) => {
                self.say(address.1, e.to_string());
                None
            }
        }
    }

    fn job(&mut self, name: &str, at: At, table: &DeTable<'_>, hosts: &[Host]) -> Option<Job> {
        let section = self.section(table, "a job", JOB_KEYS, |_| true);
        let own = &section.own;
        let hooks = self.hooks(own);
        let schedule = own.iter().find(|(key, ..)| *key == "schedule").and_then(|(_, _, value)| {
            let text = self.string(value)?;
            if let Err(text) = schedule::check(&text) {
                let at = self.at(value);
                self.say(at, text);
                return None;
            }
            Some(text)
        });
        let every = self.own_duration(own, "every");
        let jitter = self.own_duration(own, "jitter");
        // Of one that is wrong, that was said.
        let place = |name| own.iter().find(|(key, ..)| *key == name).map(|(_, at, _)| *at);
        match (place("schedule"), place("every"), place("jitter")) {
            (Some(_), Some(at), _) => self.say(at, "`schedule` and `every` say when in two ways"),
            (None, None, Some(at)) => {
                self.say(at, "`jitter` is of a `schedule` or of `every`, and there is neither");
            }
            _ => {}
        }
        let title = format!("[job.{name}]");
        let ends = ["source", "destination"].map(|key| {
            let (text, at) = self.required(own, key, at, &title)?;
            self.target(text, at, hosts)
        });
        let [Some(source), Some(destination)] = ends else { return None };
        if !source.is_remote() && !destination.is_remote() {
            self.say(
                destination.at,
                "source and destination are both local; one of them must be a URL such as ftp://host/path, or HOST:PATH",
            );
        }
        Some(Job {
            name: name.to_owned(),
            at,
            source,
            destination,
            settings: section.settings,
            schedule,
            every,
            jitter,
            hooks,
        })
    }

    fn target(&mut self, text: String, at: At, hosts: &[Host]) -> Option<Target> {
        let named = text.split_once(':').filter(|(name, path)| is_name(name) && !path.starts_with("//"));
        if let Some((name, path)) = named {
            if !hosts.iter().any(|host| host.name == name) {
                let hint = nearest(name, hosts.iter().map(|host| host.name.as_str()));
                self.say(at, format!("there is no [host.{name}]{hint} (a path with a `:` begins with `./`)"));
                return None;
            }
            return Some(Target { at, text: path.to_owned(), host: Some(name.to_owned()) });
        }
        match Place::parse(&text) {
            Ok(Place::Ftp { password: Some(_), .. }) => self.refuse_exposed(at),
            Ok(_) => {}
            Err(e) => {
                self.say(at, e.to_string());
                return None;
            }
        }
        Some(Target { at, text, host: None })
    }

    fn refuse_exposed(&mut self, at: At) {
        if self.known.is_exposed {
            self.say(at, "others can read this file, so it may hold no password; chmod 600 it, or use password_command");
        }
    }

    fn hooks(&mut self, own: &[Own<'_>]) -> Hooks {
        let mut command = |name| {
            let (_, _, value) = own.iter().find(|(key, ..)| *key == name)?;
            self.command(value)
        };
        Hooks {
            success: command("on_success"),
            failure: command("on_failure"),
            change: command("on_change"),
            time_limit: self.own_duration(own, "hook_timeout"),
        }
    }
}

impl Target {
    fn is_remote(&self) -> bool {
        self.host.is_some() || Place::parse(&self.text).is_ok_and(|place| !place.is_local())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
