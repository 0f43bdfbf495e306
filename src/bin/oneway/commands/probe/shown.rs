//! What was found out, for people and for programs, with the lines for a file of jobs.

use std::io::{self, Write};
use std::time::Duration;

use oneway::config::{Place, Scheme};
use oneway::ftp::client::TimeSetter;
use oneway::model::{ChecksumKind, escape};
use oneway::report::human_bytes;
use oneway::store::ftp::{ListingChoice, Survey};
use serde_json::{Value, json};

use crate::args::ConnectionArgs;
use crate::commands::probe::heard::Heard;
use crate::commands::probe::load::Load;

pub(super) struct Shown<'a> {
    pub(super) survey: &'a Survey,
    pub(super) heard: &'a Heard,
    pub(super) load: Option<&'a Load>,
    pub(super) place: &'a Place,
    pub(super) args: &'a ConnectionArgs,
}

impl Shown<'_> {
    /// Writes all of it in lines.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (name, values) in self.facts() {
            for (i, value) in values.iter().enumerate() {
                writeln!(out, "{:<12}{value}", if i == 0 { name } else { "" })?;
            }
        }
        writeln!(out, "\n{}", self.host())
    }

    fn facts(&self) -> Vec<(&'static str, Vec<String>)> {
        let (survey, said) = (self.survey, self.heard.said());
        let one = |text: String| vec![text];
        let quirks = &survey.quirks;
        let window = match quirks.window {
            1 if quirks.server == "one command at a time" => String::new(),
            1 => ": one command at a time".to_owned(),
            n => format!(": up to {n} commands in flight"),
        };
        let mut facts = vec![
            ("server", said.greeting.clone()),
            ("system", one(survey.system.clone().unwrap_or_else(|| "doesn't say (SYST)".to_owned()))),
            ("treated as", one(format!("{}{window}", quirks.server))),
            ("begins in", one(survey.home.clone().unwrap_or_else(|| "doesn't say (PWD)".to_owned()))),
        ];
        facts.push((
            "TLS",
            match (&said.tls, &survey.pin) {
                (Some(tls), Some(pin)) => vec![
                    tls.clone(),
                    format!("certificate {pin}"),
                    match said.fresh_data {
                        true => "data connections begin TLS sessions of their own".to_owned(),
                        false => "data connections go on with its TLS session".to_owned(),
                    },
                ],
                _ => one("none: passwords and files go in clear text".to_owned()),
            },
        ));
        facts.push(("round trip", one(millis(survey.round_trip))));
        facts.push(("data", one(said.data.unwrap_or_default())));
        let exact = if survey.exact_listings {
            "times to the second, in UTC"
        } else {
            "rounded times in the server's zone"
        };
        let family = survey.family.map_or_else(String::new, |family| format!(" ({family})"));
        let entries =
            if survey.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", survey.entries) };
        let mut listings = vec![
            format!("by {}{family}, {exact}", way(survey.way)),
            format!("{entries} here in {}", millis(survey.listed_in)),
        ];
        listings.extend(survey.doubt.as_ref().map(|doubt| format!("not proven to be whole: {doubt}")));
        facts.push(("listings", listings));
        let told = if survey.tells_times { "told to the second (MDTM)" } else { "told by listings alone" };
        let set = match survey.setter {
            Some(setter) => format!("set by {}", setter_name(setter)),
            None => "can't be set: what was sent is remembered instead".to_owned(),
        };
        facts.push(("times", one(format!("{told}, {set}"))));
        let checksum = survey.checksum.map_or("none", checksum_name);
        facts.push(("checksums", one(checksum.to_owned())));
        let yes = |is_so: bool, yes: &str, no: &str| if is_so { yes.to_owned() } else { no.to_owned() };
        facts.push(("resume", one(yes(survey.restarts, "yes (REST)", "not offered"))));
        facts.push((
            "names",
            one(yes(survey.utf_8, "UTF-8", "UTF-8 is not offered; names that aren't are read as Latin-1")),
        ));
        facts.push(("features", wrapped(&survey.features)));
        facts.extend(self.load.map(|load| self.load_facts(load)).into_iter().flatten());
        facts
    }

    fn load_facts(&self, load: &Load) -> Vec<(&'static str, Vec<String>)> {
        let mut facts = Vec::new();
        let sessions = match &load.refusal {
            Some(why) => format!("{} at once; one more was refused: {why}", load.sessions),
            None => format!("{} at once; more weren't tried", load.sessions),
        };
        facts.push(("sessions", vec![sessions]));
        let rates = load.rates.iter().map(|rate| {
            let sessions = if rate.sessions == 1 { "session" } else { "sessions" };
            format!("{} {sessions}: {}/s up, {}/s down", rate.sessions, bytes(rate.up), bytes(rate.down))
        });
        facts.push(("throughput", rates.collect()));
        let clock = match load.ahead() {
            None => "not told".to_owned(),
            Some(ahead) if ahead.num_seconds().abs() <= 2 => "right, in UTC".to_owned(),
            Some(ahead) => {
                let seconds = ahead.num_seconds();
                let zone = seconds.abs() > 800 && (seconds + 30).rem_euclid(900) <= 60;
                let guess = if zone { "; exact times seem to be local ones: see --time-offset" } else { "" };
                format!("{} s {}{guess}", seconds.abs(), if seconds > 0 { "ahead" } else { "behind" })
            }
        };
        facts.push(("clock", vec![clock]));
        facts
    }

    /// Returns the same as a value.
    pub(super) fn json(&self) -> Value {
        let (survey, said) = (self.survey, self.heard.said());
        json!({
            "greeting": said.greeting,
            "system": survey.system,
            "treated_as": survey.quirks.server,
            "window": survey.quirks.window,
            "home": survey.home,
            "tls": said.tls,
            "pin": survey.pin.map(|pin| pin.to_string()),
            "data_session_resumed": said.tls.as_ref().map(|_| !said.fresh_data),
            "round_trip_seconds": survey.round_trip.as_secs_f64(),
            "listing": way(survey.way).to_lowercase(),
            "listing_family": survey.family,
            "entries": survey.entries,
            "doubt": survey.doubt,
            "exact_listings": survey.exact_listings,
            "tells_times": survey.tells_times,
            "sets_times": survey.setter.map(setter_name),
            "checksum": survey.checksum.map(checksum_name),
            "restarts": survey.restarts,
            "utf_8": survey.utf_8,
            "features": survey.features,
            "load": self.load.map(|load| json!({
                "sessions": load.sessions,
                "refusal": load.refusal,
                "clock_ahead_seconds": load.ahead().map(|ahead| ahead.num_milliseconds() as f64 / 1000.0),
                "rates": load.rates.iter().map(|rate| json!({
                    "sessions": rate.sessions,
                    "up_bytes_per_second": rate.up.round(),
                    "down_bytes_per_second": rate.down.round(),
                })).collect::<Vec<_>>(),
            })),
            "host": self.host(),
        })
    }

    /// Returns the host as it may stand in a file of jobs.
    fn host(&self) -> String {
        let Place::Ftp { scheme, host, port, user, .. } = self.place else { return String::new() };
        let name: String =
            host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let name = name.trim_matches('-');
        let mut lines = vec![
            format!("[host.{}]", if name.is_empty() { "server" } else { name }),
            format!("address = {}", quoted(host)),
        ];
        if *port != scheme.default_port() {
            lines.push(format!("port = {port}"));
        }
        if *scheme != Scheme::Ftp {
            lines.push(format!("scheme = {}", quoted(scheme.as_str())));
        }
        if let Some(user) = user {
            lines.push(format!("user = {}", quoted(&escape(user))));
            lines
                .push("# password_env, password_file or password_command, unless it is in .netrc".to_owned());
        }
        if *scheme == Scheme::Ftp && self.survey.pin.is_some() {
            lines.push("tls = \"require\"".to_owned());
        }
        if let Some(pin) = self.survey.pin.filter(|_| self.args.insecure || !self.args.pin.is_empty()) {
            if self.args.insecure {
                lines.push(
                    "# Nobody vouched for this certificate; compare it with what its owner says.".to_owned(),
                );
            }
            lines.push(format!("pin = [\"{pin}\"]"));
        }
        if self.args.active {
            lines.push("active = true".to_owned());
        }
        if let Some(load) = self.load.filter(|load| load.refusal.is_some()) {
            lines.push(format!("sessions = {}", load.sessions));
        }
        lines.join("\n")
    }
}

fn way(way: ListingChoice) -> &'static str {
    match way {
        ListingChoice::Mlsd => "MLSD",
        ListingChoice::Stat => "STAT",
        ListingChoice::List | ListingChoice::Auto => "LIST",
        ListingChoice::Nlst => "NLST",
    }
}

fn setter_name(setter: TimeSetter) -> &'static str {
    match setter {
        TimeSetter::Mfmt => "MFMT",
        TimeSetter::Mff => "MFF",
        TimeSetter::Mdtm => "MDTM",
        TimeSetter::SiteUtime => "SITE UTIME",
    }
}

fn checksum_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::Blake3 => "BLAKE3",
        ChecksumKind::Sha256 => "SHA-256",
        ChecksumKind::Sha1 => "SHA-1",
        ChecksumKind::Md5 => "MD5",
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn bytes(rate: f64) -> String {
    // A rate is far below what a u64 holds.
    human_bytes(rate as u64)
}

/// Returns words in lines that a terminal has room for.
fn wrapped(words: &[String]) -> Vec<String> {
    const WIDTH: usize = 66;
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + 2 + word.len() <= WIDTH => {
                line.push_str(", ");
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    if lines.is_empty() { vec!["none listed (FEAT)".to_owned()] } else { lines }
}

/// Returns text as TOML has it between quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
