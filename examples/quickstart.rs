//! The main job from end to end, on this machine: starts a server on a free port, pushes a small site to it, changes the
//! site, shows the difference, pushes again, pulls it back, and checks that all three trees are equal.
//!
//! `cargo run --release --example quickstart`

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use oneway::config::{Connection, Place};
use oneway::execute::Silent;
use oneway::report::{Detail, Mode, Report, format_named};
use oneway::run::{RunOptions, run};
use oneway::server::{Access, ServeOptions, Server};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let work = tempfile::tempdir()?;
    let (site, served, pulled) =
        (work.path().join("site"), work.path().join("served"), work.path().join("pulled"));
    fs::create_dir(&served)?;
    make_site(&site)?;

    let options = ServeOptions { access: Access::Write, ..ServeOptions::new(&served) };
    let server = Server::start(options)?;
    let url = format!("{}site", server.url());
    note(&format!(
        "A server is up. By hand: oneway serve {} --write --listen 127.0.0.1:0",
        served.display()
    ))?;

    say(&format!("oneway sync site {url}"))?;
    let pushed = mirror(&local(&site), &url, Mode::Sync)?;
    expect(pushed.failed() == 0 && pushed.changes().count() > 0, "the first push does something")?;

    note("Now the site changes: one page is edited, one is new, one is gone.")?;
    fs::write(site.join("index.html"), "<h1>Hello, world</h1>\n")?;
    fs::write(site.join("about.html"), "<p>One way, over FTP.</p>\n")?;
    fs::remove_file(site.join("old.html"))?;

    say(&format!("oneway diff --delete site {url}"))?;
    let diff = mirror(&local(&site), &url, Mode::Diff)?;
    expect(diff.exit_status() == 1, "the diff finds the changes")?;

    say(&format!("oneway sync --delete site {url}"))?;
    mirror(&local(&site), &url, Mode::Sync)?;

    say(&format!("oneway sync {url} pulled"))?;
    mirror(&url, &local(&pulled), Mode::Sync)?;

    say(&format!("oneway sync --delete site {url}    # once more"))?;
    let again = mirror(&local(&site), &url, Mode::Sync)?;
    expect(again.plan.actions.is_empty(), "there is nothing left to do")?;

    let trees = [read_tree(&site)?, read_tree(&served.join("site"))?, read_tree(&pulled)?];
    expect(trees[0] == trees[1] && trees[1] == trees[2], "all three trees are equal")?;
    note(&format!("All three trees are equal: {} files.", trees[0].len()))?;
    server.stop();
    Ok(())
}

/// Mirrors as the program would, and prints its report.
fn mirror(source: &str, destination: &str, mode: Mode) -> Result<Report> {
    let open = |text: &str| -> Result<_> { Ok(Place::parse(text)?.store(&Connection::default())?) };
    let options = RunOptions { mode, delete: true, ..RunOptions::default() };
    let report = run(&open(source)?, &open(destination)?, &options, &Silent)?;
    let text = format_named("text").ok_or("the text format is always there")?;
    text.write(&report, Detail { verbose: true, ..Detail::default() }, &mut stdout())?;
    expect(report.failed() == 0, "nothing fails")?;
    Ok(report)
}

fn make_site(site: &Path) -> Result<()> {
    fs::create_dir_all(site.join("img"))?;
    fs::write(site.join("index.html"), "<h1>Hello</h1>\n")?;
    fs::write(site.join("old.html"), "<p>Goodbye</p>\n")?;
    fs::write(site.join("style.css"), "h1 { color: teal }\n")?;
    fs::write(
        site.join("img").join("one pixel.gif"),
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
    )?;
    fs::write(site.join(".htaccess"), "Options -Indexes\n")?;
    fs::create_dir(site.join("empty folder"))?;
    Ok(())
}

/// Returns every path below `root` with its content; `None` for a folder.
fn read_tree(root: &Path) -> Result<BTreeMap<PathBuf, Option<Vec<u8>>>> {
    let mut tree = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        let content = if entry.file_type().is_dir() { None } else { Some(fs::read(entry.path())?) };
        tree.insert(entry.path().strip_prefix(root)?.to_owned(), content);
    }
    Ok(tree)
}

fn local(path: &Path) -> String {
    path.display().to_string()
}

/// Prints what a user would type.
fn say(command: &str) -> Result<()> {
    Ok(writeln!(stdout(), "\n$ {command}")?)
}

fn note(text: &str) -> Result<()> {
    Ok(writeln!(stdout(), "\n# {text}")?)
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("this should hold, and doesn't: {what}").into()) }
}
