//! Built-in defaults < `[defaults]` < host < job < environment < command line.

use super::{Served, config};
use crate::support::{Sandbox, files, snapshot};

/// Returns `value origin` of a line that `--show` prints.
#[track_caller]
fn shown(stdout: &str, name: &str) -> String {
    let line = stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
    let words = line.unwrap_or_else(|| panic!("no {name} in\n{stdout}")).split_whitespace().skip(1);
    words.collect::<Vec<_>>().join(" ")
}

const FILE: &str = "[defaults]
timeout = '1m'
retries = 1
compare = 'size'
max-delete = 7
quiet = true
ca = 'far.pem'
exclude = ['*.far']
[host.web]
address = 'ftp.example.org'
user = 'anna'
password_command = 'echo never-shown'
retries = 2
pin = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
tls = 'require'
[job.a]
source = 'one'
destination = 'web:x'
max-delete = 8
filters = ['!keep']
";

#[test]
fn the_nearest_layer_counts_and_show_says_which() {
    let sandbox = Sandbox::new();
    config(&sandbox, FILE);
    let output = sandbox
        .command(["run", "--show", "--max-delete", "9", "-vv", "--exclude", "*.near"])
        .env("ONEWAY_COMPARE", "checksum")
        .env("ONEWAY_MAX_DELETE", "10")
        .env("ONEWAY_UPDATE", "yes")
        .env("ONEWAY_EXCLUDE", "*.env")
        .env("ONEWAY_PASSWORD", "hidden-too")
        .run()
        .expect_status(0);
    let stdout = &output.stdout;
    for (name, expected) in [
        ("sessions", "auto built in"),
        ("delete", "off built in"),
        ("timeout", "1m [defaults] oneway.toml:3:1"),
        ("retries", "2 [host.web] oneway.toml:14:1"),
        ("compare", "checksum environment"),
        ("update", "on environment"),
        ("max-delete", "9 command line"),
        ("verbose", "2 command line"),
        ("tls", "require [host.web] oneway.toml:16:1"),
        ("password", "first line of echo never-shown [host.web] oneway.toml:13:1"),
        ("destination", "ftp://anna@ftp.example.org/x [job.a] oneway.toml:19:15"),
        ("include", "keep [job.a] oneway.toml:21:12"),
    ] {
        assert_eq!(shown(stdout, name), expected, "{output}");
    }
    // A pin takes the place of authorities farther away, and -v that of quiet.
    assert_eq!(
        (shown(stdout, "ca"), shown(stdout, "quiet")),
        ("unset built in".into(), "off built in".into())
    );
    let rules: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.trim_start().split_once(' '))
        .filter(|(name, _)| ["include", "exclude"].contains(name))
        .filter_map(|(_, rest)| rest.split_whitespace().next())
        .collect();
    assert_eq!(rules, ["*.near", "*.env", "keep", "*.far"], "the nearest first");
    assert!(!output.to_string().contains("hidden-too"), "{output}");
}

#[test]
fn what_is_wrong_in_the_environment_is_told_with_its_variable() {
    let sandbox = Sandbox::new();
    config(&sandbox, FILE);
    let run = |name: &str, value: &str| sandbox.command(["run", "--show"]).env(name, value).run();
    run("ONEWAY_COMPARE", "sice").expect_status(2).tells(&["ONEWAY_COMPARE: expected one of size-time"]);
    run("ONEWAY_DELETE", "maybe").expect_status(2).tells(&["ONEWAY_DELETE: expected true or false"]);
    run("ONEWAY_MAXDELETE", "3").expect_status(0).tells(&["warning: ONEWAY_MAXDELETE", "max-delete"]);
    let output = run("ONEWAY_JOB", "outer").expect_status(0);
    assert_eq!(output.stderr, "", "what hooks are told is no option");
}

#[test]
fn options_that_exclude_each_other_in_one_layer_are_told_with_both_places() {
    let sandbox = Sandbox::new();
    let text = "[job.a]\nsource = 's'\ndestination = 'ftp://h/'\nexisting = true\nignore-existing = true\n\
                [job.b]\nsource = 's'\ndestination = 'ftps://h/'\nclient-key = 'k'\n";
    config(&sandbox, text);
    let output = sandbox.oneway(["run"]).expect_status(2);
    output.tells(&[
        "oneway.toml:5:1: [job.a]: ",
        "existing: [job.a], line 5; ignore-existing: [job.a], line 6",
    ]);
    output.tells(&["[job.b]: `client-cert` is needed, too"]);
    assert_eq!(output.stderr.lines().count(), 2, "{output}");
}

#[test]
fn a_rule_of_the_command_line_takes_no_protection_from_what_the_job_excludes() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    served.dir.add(files! {"uploads/x" => "precious", "old" => "1"});
    sandbox.tree("work/one", files! {"1.txt" => "one", "2.tmp" => "two"});
    let host = served.host("web");
    let text = format!(
        "[defaults]\nexclude = '/uploads/'\n{host}[job.a]\nsource = 'one'\ndestination = 'web:'\ndelete = true\n"
    );
    config(&sandbox, &text);
    sandbox.oneway(["run", "a", "--exclude", "*.tmp", "--max-delete", "5"]).expect_status(0);
    assert_eq!(snapshot(&served.dir), "1.txt = \"one\"\nuploads/\nuploads/x = \"precious\"\n");
}

#[test]
fn a_copy_between_two_hosts_has_the_options_of_each() {
    let sandbox = Sandbox::new();
    let (from, to) = (Served::new(&sandbox, "from"), Served::new(&sandbox, "to"));
    // In Latin-1 on one side alone.
    from.dir.write(std::path::Path::new(std::ffi::OsStr::new("plain")), "1");
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xe4\xf6");
    from.dir.write(std::path::Path::new(name), "2");
    let login = format!("user = 'anna'\npassword_command = ['echo', '{}']\n", super::PASSWORD);
    let (from_host, to_host) = (from.host("from"), to.host("to"));
    let text = format!(
        "{from_host}{login}charset = 'iso-8859-5'\n{to_host}{login}\
         [job.copy]\nsource = 'from:'\ndestination = 'to:'\n"
    );
    config(&sandbox, &text);
    sandbox.oneway(["run"]).expect_status(0);
    // Read as Cyrillic, written as UTF-8.
    assert_eq!(snapshot(&to.dir), "plain = \"1\"\nфі = \"2\"\n");
}
