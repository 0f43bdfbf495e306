//! Lists a directory of a server with the protocol engine alone.
//!
//! `cargo run --example list_remote -- ftp://host/path`
#![expect(clippy::disallowed_methods, reason = "a program reads its arguments")]

use std::error::Error;
use std::io::{Write, stdout};

use oneway::config::{Connection, Place};
use oneway::model::escape;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: list_remote ftp://[user[:password]@]host[:port]/path")?;
    let store = Place::parse(&url)?.ftp_store(&Connection::default())?;
    for entry in store.list_root()?.entries {
        let size = entry.size.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        writeln!(stdout(), "{:8} {size:>12} {}", entry.kind.as_str(), escape(&entry.name))?;
    }
    Ok(())
}
