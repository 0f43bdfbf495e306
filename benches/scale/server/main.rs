//! An FTP server that makes its listings up as it goes, for `benches/scale/run`: a tree of ten million files costs it no memory and next
//! to no time, so what is measured is the client.
//!
//! It is for cost and proves no behaviour: anybody may log in, nothing can be changed, and it says what a client needs to hear and no
//! more. The tests have the embedded server, real daemons and a scripted one for that.
//!
//! ```text
//! server serve PARAMETERS     listens on a port of 127.0.0.1, prints its number, serves until it is killed
//! server totals PARAMETERS    counts what the tree has, by walking through its numbers: `files dirs bytes`
//! ```
//!
//! It needs nothing but the standard library, so that `rustc -O` builds it in seconds.

mod lines;
mod parameters;
mod session;
mod tree;

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use parameters::Parameters;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is a program")]
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((deed, rest)) if deed == "serve" => {
            Parameters::parse(rest).and_then(|p| serve(p).map_err(|e| e.to_string()))
        }
        Some((deed, rest)) if deed == "totals" => {
            Parameters::parse(rest).and_then(|p| totals(&p).map_err(|e| e.to_string()))
        }
        // `cargo bench` calls it without a deed.
        _ => say(&Parameters::help()).map_err(|e| e.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell when this fails.
            let _ = writeln!(io::stderr(), "{why}");
            ExitCode::from(2)
        }
    }
}

fn serve(parameters: Parameters) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, parameters.port))?;
    say(&format!("{}\n", listener.local_addr()?.port()))?;
    let parameters = Arc::new(parameters);
    loop {
        let (socket, _) = listener.accept()?;
        let parameters = Arc::clone(&parameters);
        // A client that goes away ends its session, and that is all there is to it.
        thread::spawn(move || session::serve(socket, &parameters).ok());
    }
}

fn totals(parameters: &Parameters) -> io::Result<()> {
    let totals = parameters.tree.totals();
    say(&format!("{} {} {}\n", totals.files, totals.dirs, totals.bytes))
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
